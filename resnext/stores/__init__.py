"""Stores of files: repositories of the Hugging Face Hub, and whatever fsspec has a package for."""

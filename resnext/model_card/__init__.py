"""The README of a model's folder: what the Hugging Face Hub reads in it, and what is kept of it."""

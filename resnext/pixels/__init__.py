"""Pixels: from a file's bytes to what a network sees, equal to the original in every bit."""

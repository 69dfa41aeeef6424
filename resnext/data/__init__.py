"""Pixels: from the bytes of a file to what a network sees, equal to the original in every bit."""

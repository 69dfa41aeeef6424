"""Comparison: the decisions of measurements compared, image by image."""

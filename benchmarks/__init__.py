"""Measured comparisons that anyone can rerun; results as data in `results/`."""

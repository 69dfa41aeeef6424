"""Step: batches in, changed weights out."""

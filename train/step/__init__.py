"""Step: micro-batches in, updated weights out."""

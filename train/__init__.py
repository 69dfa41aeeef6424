"""Training: a checkpoint, or a new network, and labelled images to checkpoints."""

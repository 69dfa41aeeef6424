"""Recipe: hyperparameters, learning rate schedule, batches and random streams of a training."""

"""Recipe: the numbers of a training, from the learning rate to the order of the images."""

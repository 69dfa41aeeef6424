"""Augmentation: the random changes of 2017 to a training image."""

"""Augmentation: the random changes to a training image, those of 2017 and torchvision's."""

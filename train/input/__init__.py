"""Input: options, images and the first network, found and checked before the first step."""

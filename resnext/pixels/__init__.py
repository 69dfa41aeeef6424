"""From the bytes of an image file to the input of a network, equal to the original in every bit."""

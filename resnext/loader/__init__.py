"""Loading: pictures of an image set to batches on a device."""

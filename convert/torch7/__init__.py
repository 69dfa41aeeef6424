"""Torch7: reads a .t7 file as a spec and named tensors, or refuses it and names the place."""

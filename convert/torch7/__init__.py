"""Torch7: the bytes of a .t7 file to a spec and named tensors, or a refusal with its place."""

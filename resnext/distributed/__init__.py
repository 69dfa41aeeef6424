"""Distributed: jobs of several processes, as torchrun starts them."""

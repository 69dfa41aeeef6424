"""Run: a training from its first step to its end, and its files."""

"""Checkpoints and images to verdicts: do the published error rates still hold?"""

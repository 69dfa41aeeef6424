"""Judging: decisions that somebody kept -> verdicts, without a picture and without a checkpoint."""

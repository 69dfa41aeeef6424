"""Verdicts: what was counted, and what that says of the published claims."""

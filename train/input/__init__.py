"""Input: what is trained on what, found and checked before the first step."""

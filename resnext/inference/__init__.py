"""Inference: batches to logits and decisions, on any device and in any precision."""

"""Distributed: the processes that share one piece of work."""

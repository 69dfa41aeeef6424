"""What the reader of every format returns: a source, its network, and reasons to refuse it."""

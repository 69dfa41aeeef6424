"""Terminal: what all commands share, from exit codes to progress bars."""

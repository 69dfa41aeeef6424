"""Terminal: shared by all commands: exit codes, messages, progress bars."""

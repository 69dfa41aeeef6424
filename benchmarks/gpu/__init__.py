"""What is measured on a GPU; every script runs to its end on a CPU too, on less."""

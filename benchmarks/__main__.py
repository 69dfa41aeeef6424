"""Run the benchmarks that are named, or all that need no GPU: `python -m benchmarks [NAME ...]`."""

import sys
from importlib import import_module

NAMES = (
    "convert",
    "decisions",
    "feeding",
    "growth",
    "network",
    "pixels",
    "scaling",
    "train",
    "validation",
)

for name in sys.argv[1:] or NAMES:
    print(f"{name}:", flush=True)
    import_module(f"benchmarks.{name}").main()

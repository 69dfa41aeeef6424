"""Run every benchmark: `python -m benchmarks`."""

from benchmarks import convert

convert.main()

"""What the folder of a run holds."""

from typing import Final

from resnext.header import TRAINING_STATE_FILE

STATE: Final = TRAINING_STATE_FILE
BEST: Final = "best.safetensors"
LAST: Final = "last.safetensors"
LAST_AVERAGE: Final = "last_average.safetensors"
# The networks, each of which is a result by itself.
RESULTS: Final = (BEST, LAST, LAST_AVERAGE)
METRICS: Final = "metrics.jsonl"
REPORT: Final = "training.html"
SPLIT: Final = "split.csv"
# Stays where a run has been at work.
LOCK: Final = ".lock"
# All that is written whole or not at all.
WHOLE: Final = (STATE, *RESULTS, METRICS, REPORT, SPLIT)
BOARD: Final = "tensorboard"

# What is scored after each epoch: the weights themselves, and their average where there is one.
WEIGHTS: Final = "weights"
AVERAGE: Final = "average"

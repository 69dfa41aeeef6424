"""The label canary: wrong labels show after a few hundred images, not after fifty thousand."""

from collections.abc import Iterable
from typing import Final

from resnext.errors import DataError
from resnext.inference.metrics import Counts

# How many images it takes to say anything, and after how many nobody looks any more.
IMAGES: Final = 200
LATEST: Final = 1000
# Share of wrong answers from which something else is wrong than the network.
MOST_WRONG: Final = 0.95
CAUSES: Final = (
    "labels shifted by a class that is missing or one too many",
    "the devkit's ids taken for the sorted order",
    "numeric folders sorted as strings",
    "another folder than meant",
)


def is_awake(before: int) -> bool:
    """Tell whether to look at a round of decisions, which has more images the larger the job.

    Args:
        before: how many images had been decided before that round.
    """
    return before <= LATEST


def check(counts: Iterable[tuple[str, Counts]], *, root: str) -> None:
    """Stop where a network that somebody has published a number for is nearly always wrong.

    Args:
        counts: name of each such network, and what it got right so far.
        root: of the image set, for the message.

    Raises:
        DataError: nearly everything is wrong, with the likely causes.
    """
    for name, each in counts:
        wrong = each.images - each.top1_correct
        if each.images >= IMAGES and wrong > MOST_WRONG * each.images:
            raise DataError(
                f"{root}: {name} is wrong on {wrong} of the first {each.images} images, which no "
                f"published network is; likely {', '.join(CAUSES[:-1])}, or {CAUSES[-1]}; "
                "--no-canary measures all the same"
            )

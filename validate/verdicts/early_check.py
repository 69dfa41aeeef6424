"""A check for wrong labels after the first few hundred images (`--canary`)."""

from collections.abc import Callable, Iterable
from typing import Final

from resnext.errors import DataError
from resnext.inference.metrics import Counts

# The check needs so many images, and is not repeated after so many.
IMAGES: Final = 200
LATEST: Final = 1000
# Share of wrong decisions above which the labels must be wrong, not the network.
MOST_WRONG: Final = 0.95
CAUSES: Final = (
    "labels shifted by a class that is missing or one too many",
    "a class folder that was renamed",
    "the devkit's ids taken for the sorted order",
    "numeric folders sorted as strings",
    "another folder than meant",
)


def is_due(before: int) -> bool:
    """Tell whether to check after a round, whose number of images grows with the job.

    Args:
        before: number of images decided before that round.
    """
    return before <= LATEST


def check(
    counts: Iterable[tuple[str, Counts]],
    *,
    root: str,
    seen: Callable[[int], str | None] = lambda _: None,
) -> None:
    """Refuse decisions of which nearly all are wrong.

    Args:
        counts: name and counts so far of each network for which an error rate is claimed.
        root: of the image set, for the message.
        seen: returns, for the place of a network in `counts`, what its answers show; or None.

    Raises:
        DataError: nearly every decision is wrong; names the likely causes.
    """
    for place, (name, each) in enumerate(counts):
        wrong = each.images - each.top1_correct
        if each.images >= IMAGES and wrong > MOST_WRONG * each.images:
            sign = seen(place)
            raise DataError(
                f"{root}: {name} is wrong on {wrong} of the first {each.images} images, which no "
                f"published network is; likely {', '.join(CAUSES[:-1])}, or {CAUSES[-1]}"
                f"{f'; what is seen: {sign}' if sign else ''}; --no-canary measures all the same"
            )

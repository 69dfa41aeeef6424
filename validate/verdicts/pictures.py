"""Why the pictures of a set are not those that claims are about, by their names and labels."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from resnext.fields import cut
from resnext.images.imagenet import (
    PREFIX,
    SET,
    VALIDATION_IMAGES,
    WNIDS,
    published_name,
    validation_labels,
)
from resnext.terminal.text import number

NAMED: Final = 3  # pictures of a list that are named in a phrase
UNCHECKED: Final = (
    f"its labels cannot be compared with the published ones: the pictures of {SET}'s "
    "validation set by their names, and its classes in their order, expected"
)


def are_published(
    ids: Sequence[str], *, names: tuple[str, ...] | None, classes: int | None
) -> bool:
    """Tell whether pictures are of ImageNet's validation set, whose labels are published.

    Args:
        ids: their names.
        names: of the classes, by label; None where there are none.
        classes: how many; None where that is not known.
    """
    return (
        names in (None, WNIDS)
        and classes in (None, len(WNIDS))
        and any(published_name(each) is not None for each in ids)
    )


def picture_doubts(ids: Sequence[str], *, published: bool) -> Iterator[str]:
    """Yield why nothing can be judged by some pictures: one is there twice, or is unknown.

    Args:
        ids: their names, one for each picture that was decided.
        published: whether they are those of ImageNet's validation set.
    """
    keys = [published_name(each) or each for each in ids]
    if repeated := [key for key, times in Counter(keys).items() if times > 1]:
        yield f"{number(len(repeated), 'picture')} named twice or more: {_few(repeated)}"
    unknown = [each for each in ids if published_name(each) is None] if published else []
    if unknown:
        yield (
            f"{number(len(unknown), 'picture')} not of {SET}'s validation set, whose "
            f"{VALIDATION_IMAGES:,} are called {PREFIX}00000001.JPEG and so on: {_few(unknown)}"
        )


def label_doubts(ids: Sequence[str], labels: NDArray[np.int64]) -> Iterator[str]:
    """Yield that validation pictures have other labels than the published ones.

    Args:
        ids: names of N pictures.
        labels: (N,) of them.
    """
    table = validation_labels().numbers
    known = (table.get(published_name(each) or "") for each in ids)
    wrong = [
        f"{each} ({label} in place of {right})"
        for each, label, right in zip(ids, labels.tolist(), known, strict=True)
        if right is not None and label != right
    ]
    if wrong:
        yield f"{number(len(wrong), 'picture')} with other labels than the published ones: " + _few(
            wrong
        )


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return cut(", ".join(names[:NAMED])) + more

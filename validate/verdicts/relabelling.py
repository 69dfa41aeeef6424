"""Classes whose images are answered as other classes: folders that were renamed or exchanged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from resnext.images.names import brief
from validate.verdicts.significance import binomial_tail

# Images of the exchanged classes together, at least.
ENOUGH: Final = 20
# Exchanged classes that are named.
NAMED: Final = 3
# With so many of them, one does not think of folders that were renamed one by one.
MANY: Final = 10


@dataclass(frozen=True, slots=True)
class Relabelling:
    """Classes that are answered in exchange for one another.

    Attributes:
        answered: label -> the class that most of its images are answered with; a permutation
            without fixed points, in the order of the labels.
    """

    answered: dict[int, int]

    @property
    def moved(self) -> int | None:
        """Return the one label that is at another place than its images, the rest in order.

        That is what a folder's new name does where folders get their labels by their order. Of two
        classes beside each other neither is it.
        """
        labels = list(self.answered)
        first, last = labels[0], labels[-1]
        if len(labels) < 3 or labels != list(range(first, last + 1)):
            return None
        if all(self.answered[label] == label + 1 for label in labels[:-1]):
            return last
        if all(self.answered[label] == label - 1 for label in labels[1:]):
            return first
        return None

    def describe(self, names: Sequence[str] | None) -> str:
        """Return what is seen, and what it may come from.

        Args:
            names: of all classes by label; None if they have none.
        """
        if names is not None and self.moved is not None:
            labels = list(self.answered)
            ends = (labels[0], labels[-1], self.moved, self.answered[self.moved])
            first, last, moved, place = (_name(label, names) for label in ends)
            some = f" of the classes from {first} to {last}"
            return (
                f"most answers{some if len(labels) < len(names) else ''} are one class beside the "
                f"label, and those of {moved} are {place}: the folder of {moved} seems to have "
                "been renamed, which changes the order of the classes, and so their labels"
            )
        if len(self.answered) > MANY:
            cause = (
                "the labels are in another order (the devkit's ids are not the sorted order, "
                "numeric folders sort as strings)"
            )
        else:
            done = "swapped" if len(self.answered) == 2 else "exchanged or renamed"
            cause = f"their folders or labels are {done}"
        pairs = listed(self.answered, names)
        return f"most images of some classes are answered as one another's, {pairs}: {cause}"


def find_relabelling(
    answers: NDArray[np.int32],
    labels: NDArray[np.int64],
    *,
    classes: int,
    rate: float,
    alpha: float,
) -> Relabelling | None:
    """Return the classes that are answered in exchange for one another; None if there are none.

    Most images of each of them are answered with another of them. They have `ENOUGH` images
    together, and a binomial test excludes chance: if `rate` of the images were wrong, so many would
    be among theirs with a probability below `alpha`, divided by the number of ways to choose them.

    Args:
        answers: (N,) best classes.
        labels: (N,) from 0.
        classes: number of classes.
        rate: share of the images that are wrong if the claim is true, between 0 and 1.
        alpha: significance, between 0 and 1.
    """
    circles = _on_circles(majorities(answers, labels))
    those = np.isin(labels, list(circles))
    total = int(those.sum())
    if total < ENOUGH:
        return None
    table = np.arange(classes)
    table[list(circles)] = list(circles.values())
    p = binomial_tail(int((answers == table[labels])[those].sum()), total, rate)
    # Fifty at most: 1000 classes to that power are still a float.
    if p * float(classes) ** min(len(circles), 50) >= alpha:
        return None
    return Relabelling(circles)


def majorities(answers: NDArray[np.int32], labels: NDArray[np.int64]) -> dict[int, int]:
    """Return the class that more than half of the images of a label are answered with.

    Args:
        answers: (N,) best classes.
        labels: (N,) from 0.
    """
    images = np.bincount(labels)
    found, counts = np.unique(np.stack([labels, answers], axis=1), axis=0, return_counts=True)
    most = found[2 * counts > images[found[:, 0]]]
    return dict(most.tolist())


def listed(answered: dict[int, int], names: Sequence[str] | None) -> str:
    """Return the first classes and what they are answered as, "'a' as 'b', ... and 7 more"."""
    pairs = [f"{_name(label, names)} as {_name(other, names)}" for label, other in answered.items()]
    more = len(pairs) - NAMED
    return ", ".join(pairs[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _name(label: int, names: Sequence[str] | None) -> str:
    return f"class {label}" if names is None else repr(brief(names[label]))


def _on_circles(answered: dict[int, int]) -> dict[int, int]:
    """Return the part of a mapping that is a permutation, without what is mapped to itself."""
    left = {label: answer for label, answer in answered.items() if label != answer}
    while strangers := set(left) ^ set(left.values()):
        left = {
            label: answer
            for label, answer in left.items()
            if label not in strangers and answer not in strangers
        }
    return dict(sorted(left.items()))

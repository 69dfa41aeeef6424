"""Labels and answers -> counts by class, by NumPy alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassCounts:
    """The answers of one network, counted by class; each array is (classes,) int64.

    Attributes:
        images: of the class that could be read.
        wrong: those of them that were answered by another class.
        answered: images of any class that were answered by this one.
    """

    images: NDArray[np.int64]
    wrong: NDArray[np.int64]
    answered: NDArray[np.int64]

    @property
    def errors(self) -> NDArray[np.float64]:
        """Return the error of each class in percent; nan where it has no image."""
        with np.errstate(invalid="ignore"):
            return 100 * self.wrong / self.images

    def hardest(self) -> NDArray[np.int64]:
        """Return the classes that have images, the largest error first, then by index."""
        filled = np.flatnonzero(self.images)
        return filled[np.argsort(-self.errors[filled], kind="stable")]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TopOne:
    """The best class that one network answered for each of N labelled images.

    Attributes:
        labels: (N,) int64 class indices.
        answers: (N,) int32 class indices; -1 where the image could not be read.
        classes: how many there are.
    """

    labels: NDArray[np.int64]
    answers: NDArray[np.int32]
    classes: int

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Tell for each image (N,) whether it was read and answered wrongly."""
        wrong: NDArray[np.bool_] = (self.answers >= 0) & (self.answers != self.labels)
        return wrong

    def counts(self) -> ClassCounts:
        """Count the answers by class."""
        read = self.answers >= 0
        return ClassCounts(
            images=np.bincount(self.labels[read], minlength=self.classes),
            wrong=np.bincount(self.labels[self.wrong], minlength=self.classes),
            answered=np.bincount(self.answers[read], minlength=self.classes),
        )

    def confusion_matrix(self) -> NDArray[np.int64]:
        """Count (classes, classes) images: the row is the label, the column the answer."""
        read = self.answers >= 0
        cells = self.labels[read] * self.classes + self.answers[read]
        return np.bincount(cells, minlength=self.classes**2).reshape(self.classes, -1)

    def confusions(self, *, most: int) -> list[tuple[int, int, int]]:
        """Return label, answer and images of the most frequent confusions, these first."""
        wrong = self.wrong
        # Only pairs that occur are held: the matrix of 20,000 classes would take 3 GB.
        cells, counts = np.unique(
            self.labels[wrong] * self.classes + self.answers[wrong], return_counts=True
        )
        order = np.argsort(-counts, kind="stable")[:most]
        return [(*divmod(int(cells[n]), self.classes), int(counts[n])) for n in order]

    def mistaken_for(self, label: int, *, most: int) -> list[tuple[int, int]]:
        """Return the wrong answers for images of a class with their counts, most frequent first."""
        answers = self.answers[self.wrong & (self.labels == label)]
        classes, counts = np.unique(answers, return_counts=True)
        order = np.argsort(-counts, kind="stable")[:most]
        return [(int(classes[n]), int(counts[n])) for n in order]

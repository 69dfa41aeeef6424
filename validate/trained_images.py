"""Which of the measured images a network was trained on, by the file that its training left."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DataError
from resnext.images.image_set import ImageSet
from resnext.images.split_file import SPLIT_FILE, read_split
from validate.networks import LoadedNetwork
from validate.options import MeasurementConfig
from validate.verdicts.results import TrainedOn


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainedImages:
    """The images of a set that were trained on.

    Attributes:
        source: the file that says so.
        which: (N,) bool, for each image of the set.
    """

    source: str
    which: NDArray[np.bool_]

    def among(self, positions: NDArray[np.int64]) -> TrainedOn:
        """Return how many of the images at some positions they are."""
        count = int(self.which[positions].sum())
        return TrainedOn(source=self.source, trained=count, images=len(positions))


def choose_part(
    config: MeasurementConfig, networks: Sequence[LoadedNetwork], images: ImageSet
) -> tuple[ImageSet, tuple[TrainedImages, ...]]:
    """Return the images of the part that is asked for, and which of them were trained on.

    Without `--split`, all images are returned; where a training left its file of the split beside a
    checkpoint, and the set has all images of it, that file says which were trained on.

    Args:
        config: names the file and the part.
        networks: that are measured.
        images: as they were found.

    Raises:
        DataError: the file is no split, or one of other images.
        OSError: it cannot be read.
    """
    if config.split is not None:
        divided = read_split(config.split)
        found = divided.part(images, config.part)
        return found, (TrainedImages(source=divided.source, which=divided.trained(found)),)
    return images, tuple(_beside(networks, images))


def _beside(networks: Sequence[LoadedNetwork], images: ImageSet) -> Iterator[TrainedImages]:
    trained = [Path(each.file) for each in networks if each.checkpoint.training is not None]
    for path in dict.fromkeys(file.with_name(SPLIT_FILE) for file in trained):
        with suppress(DataError, OSError):  # none, or another file that is called so
            divided = read_split(path)
            if divided.covers(images):
                yield TrainedImages(source=divided.source, which=divided.trained(images))

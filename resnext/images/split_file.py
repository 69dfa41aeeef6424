"""The file that says which images of a set a training used, and which it was validated with."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DataError
from resnext.fields import shown
from resnext.files import read_once
from resnext.images.image_set import ImageSet
from resnext.images.labels import LARGEST
from resnext.images.listing import reading
from resnext.images.names import brief, few, normal
from resnext.terminal.text import cell, number

# Its name in the folder of a training.
SPLIT_FILE: Final = "split.csv"
# What a file calls a part -> the part.
PARTS: Final = {"training": "train", "train": "train", "validation": "val", "val": "val"}
# The second is what earlier versions wrote.
TITLES: Final = (["image", "class", "split"], ["image", "class", "part"])


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitFile:
    """A set of images in two parts.

    Attributes:
        source: the file, for messages.
        parts: id of an image -> (name of its class, "train" or "val"); both names as a table holds
            them (`resnext.terminal.text.cell`).
    """

    source: str
    parts: Mapping[str, tuple[str, str]]

    def part(self, images: ImageSet, part: str) -> ImageSet:
        """Return the images of a part, in the order of the set.

        Args:
            images: the set that was split, or a larger one.
            part: "train" or "val".

        Raises:
            DataError: the part is empty, or an image of it is missing, or has another class.
        """
        wanted = {image for image, (_, other) in self.parts.items() if other == part}
        if not wanted:
            raise DataError(f"{self.source}: images of the part {part!r} expected, found none")
        positions = [place for place, image in enumerate(images.ids) if cell(image) in wanted]
        if missing := wanted.difference(cell(images.ids[place]) for place in positions):
            raise DataError(
                f"{images.root}: the {number(len(wanted), 'image')} of the part {part!r} of "
                f"{self.source} expected, found {len(positions)}; missing are "
                f"{few(sorted(missing))}: --data names the images that were split"
            )
        for place in positions:
            if self._moved(images, place):
                name, _ = self.parts[cell(images.ids[place])]
                raise DataError(
                    f"{images.root}: {brief(images.ids[place])} in the class "
                    f"{shown(name)} expected, as {self.source} says, "
                    f"found it in another; was a class renamed after the training?"
                )
        note = f"{self.source}: the part {part!r}, {len(positions)} of {len(images)} images"
        found = images.at(np.array(positions, np.int64))
        return replace(found, notes=(*images.notes, note))

    def trained(self, images: ImageSet) -> NDArray[np.bool_]:
        """Return which images (N,) of a set a training used, by their ids and classes."""
        return np.array(
            [
                self.parts.get(cell(image), ("", ""))[1] == "train"
                and not self._moved(images, place)
                for place, image in enumerate(images.ids)
            ],
            bool,
        )

    def covers(self, images: ImageSet) -> bool:
        """Tell whether all images of the file are in a set, so that it is the set that was split.

        Other sets may have images of the same names, "0001.png" say, but hardly all of them.
        """
        return set(self.parts) <= set(map(cell, images.ids))

    def _moved(self, images: ImageSet, place: int) -> bool:
        """Tell whether an image that the file names has another class in a set."""
        if images.classes is None:
            return False
        name = self.parts[cell(images.ids[place])][0]
        return normal(cell(images.classes[images.labels[place]])) != normal(name)


def read_split(path: Path) -> SplitFile:
    """Read a file of the columns image, class and split, as a training writes it.

    Raises:
        DataError: it is no such file; the line is named.
    """
    with reading(path):
        data = read_once(path, DataError, most=LARGEST)
    parts: dict[str, tuple[str, str]] = {}
    for line, image, name, word in _rows(path, data):
        if word not in PARTS:
            raise DataError(
                f"{path}: line {line}: training or validation expected, found {shown(word)}"
            )
        if image in parts:
            raise DataError(f"{path}: line {line}: {brief(image)} stands there twice")
        parts[image] = (name, PARTS[word])
    return SplitFile(source=str(path), parts=parts)


def _rows(path: Path, data: bytes) -> Iterator[tuple[int, str, str, str]]:
    """Yield (number of the line, image, class, part)."""
    # Names of files need not be UTF-8, and are escaped in the same way where folders are listed.
    text = data.decode("utf-8-sig", "surrogateescape")
    table = csv.reader(io.StringIO(text, newline=""))
    try:
        first = next(table, [])
        if first not in TITLES:
            raise DataError(
                f"{path}: a file of the columns image, class and split expected, as a training "
                f"writes it ({SPLIT_FILE}), found {shown(','.join(first))}"
            )
        for row in table:
            if len(row) != len(first):
                raise DataError(
                    f"{path}: line {table.line_num}: image, class and split expected, found "
                    f"{number(len(row), 'cell')}"
                )
            image, name, word = row
            yield table.line_num, cell(image), cell(name), word
    except csv.Error as error:
        raise DataError(f"{path}: line {table.line_num}: not a CSV: {error}") from error

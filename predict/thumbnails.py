"""Small pictures as files in a folder, written where the pictures are decoded."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from resnext.pages.thumbnails import thumbnail_of
from resnext.pixels.pipelines import Preparation
from resnext.pixels.transforms import RawCrop

# Small pictures in one folder.
EACH: Final = 1000
# The first bytes of a file -> its suffix.
KINDS: Final = {b"\xff\xd8": "jpg", b"\x89P": "png"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ThumbnailFolder:
    """A folder of small pictures, by the number of the picture.

    Attributes:
        path: of the folder, which is made with the first picture; processes on this machine, or on
            others that see it, write into it.
    """

    path: str

    def keep(self, number: int, data: bytes) -> None:
        """Write the file of a small picture; one that is neither JPEG nor PNG is left out.

        Raises:
            OSError: the disk is full.
        """
        if kind := KINDS.get(data[:2]):
            path = Path(f"{self._stem(number)}.{kind}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def kind(self, number: int) -> str:
        """Return the suffix of a small picture, "" where there is none."""
        stem = self._stem(number)
        found = (kind for kind in KINDS.values() if os.path.exists(f"{stem}.{kind}"))  # noqa: PTH110
        return next(found, "")

    def _stem(self, number: int) -> str:
        group, place = divmod(number, EACH)
        return f"{self.path}/{group:03d}/{place:03d}"


@dataclass(frozen=True, slots=True)
class KeepingPreparation(Preparation):
    """A preparation that keeps a small picture of what it prepares, in the process that reads.

    A small picture that cannot be written is missing on the page; the answer is not lost for it.

    Attributes:
        folder: takes the small pictures, by the position of the image in its set.
    """

    folder: ThumbnailFolder | None = None

    def __call__(self, pixels: NDArray[np.uint8], position: int) -> NDArray[np.float32] | RawCrop:
        """Return the network's input; see `Preparation`."""
        prepared = Preparation.__call__(self, pixels, position)
        if self.folder is not None:
            with suppress(OSError):
                self.folder.keep(position, thumbnail_of(pixels).data)
        return prepared

"""WebDataset shards that are listed one by one as they come, where their lengths are known."""

import hashlib
from collections.abc import Sequence
from typing import overload

import numpy as np

from resnext.errors import DataError, DownloadError
from resnext.images.byte_ranges import ByteRanges
from resnext.images.file_set import OneFile
from resnext.images.image_set import ImageSet
from resnext.images.late import LateImageSet
from resnext.images.names import brief
from resnext.images.sources.shards import Shard, is_sharded
from resnext.images.sources.tar import scan
from resnext.stores.arrivals import Arrivals
from resnext.stores.store import StoredFile, named


class LateShards:
    """The reader of such shards; each process lists for itself what it reads.

    Attributes:
        classes: the number of classes that labels must be below; None for any.
        labels: (N,) int64, -1 where the shard of an image was not listed yet.
    """

    def __init__(self, arrivals: Arrivals, lengths: Sequence[int], root: str) -> None:
        """Wait for nothing.

        Args:
            arrivals: the shards.
            lengths: samples of each.
            root: the address that was given.

        Raises:
            DataError: two shards have the same content.
        """
        _refuse_copies(arrivals)
        self.arrivals = arrivals
        names = [path.stem for path in arrivals.paths]
        twice = len(set(names)) < len(names)
        self._names = [f"{n}/{name}" if twice else name for n, name in enumerate(names)]
        self.ends = np.cumsum(np.array(lengths, np.int64))
        self.root = root
        self.classes: int | None = None
        self.labels = np.full(int(self.ends[-1]), -1, np.int64)
        self._images: dict[int, ByteRanges] = {}
        self._keys: dict[int, list[str]] = {}

    @property
    def identity(self) -> str:
        """Return a checksum of the names, sizes and versions of the shards."""
        total = hashlib.sha256()
        for file, end in zip(self.arrivals.files, self.ends.tolist(), strict=True):
            total.update(f"{file.name}\0{file.size}\0{file.version}\0{end}\n".encode())
        return total.hexdigest()

    def stamp(self) -> str:
        """Return the checksum of the stored shards."""
        return self.identity

    def read(self, position: int) -> bytes:
        """Return the bytes of an image, whose shard is waited for."""
        number, place = self._place(position)
        return self._listed(number).read(place)

    def name(self, position: int) -> str:
        """Return the id of an image: its shard and key."""
        number, place = self._place(position)
        self._listed(number)
        return f"{self._names[number]}/{self._keys[number][place]}"

    def passed(self, position: int) -> None:
        """Drop the shards before an image, whose names and labels are kept."""
        number, _ = self._place(position)
        for before in range(number):
            self._listed(before)
        self.arrivals.passed(number)

    def listed(self) -> ImageSet:
        """Return the set when all shards have come and were listed."""
        return ImageSet(
            root=self.root,
            ids=tuple(self.name(position) for position in range(len(self.labels))),
            labels=self.labels,
            classes=None,
            reader=self,
        )

    def images(self, notes: tuple[str, ...]) -> LateImageSet:
        """Return the set as it is known before the shards have come."""
        return LateImageSet(
            root=self.root,
            ids=_LateNames(self),
            labels=self.labels,
            classes=None,
            reader=self,
            notes=notes,
            parts=self,
        )

    def _place(self, position: int) -> tuple[int, int]:
        """Return the number of the shard of an image, and its place in that."""
        number = int(np.searchsorted(self.ends, position, side="right"))
        return number, position - self._first(number)

    def _first(self, number: int) -> int:
        return int(self.ends[number - 1]) if number else 0

    def _listed(self, number: int) -> ByteRanges:
        """Return the images of a shard, which is waited for and listed where it was not yet.

        Raises:
            DownloadError: it does not come, or is not as it was expected; no image of it can be
                read then, and how many it has decided which images come next.
        """
        if number not in self._images:
            try:
                self._list(number)
            except DataError as error:
                raise DownloadError(str(error)) from error
        return self._images[number]

    def _list(self, number: int) -> None:
        path = self.arrivals.wait(number)
        where = named(self.arrivals.store, self.arrivals.files[number])
        index = scan(path)
        if not is_sharded(index):
            raise DataError(f"{where}: samples of an image and a label expected, found none")
        shard = Shard.read(path, index)
        first, end = self._first(number), int(self.ends[number])
        if len(shard.keys) != end - first:
            raise DataError(
                f"{where}: {end - first} samples expected, as the list of the shards says, found "
                f"{len(shard.keys)}; fetch them to a folder, where no list is read"
            )
        highest = max(shard.labels, default=0)
        if self.classes is not None and highest >= self.classes:
            key = shard.keys[shard.labels.index(highest)]
            raise DataError(
                f"{where}: labels from 0 to {self.classes - 1} expected, as the network has "
                f"{self.classes} classes, found {highest} ({brief(key)}); do the labels count from "
                "1, or is it another set?"
            )
        self.labels[first:end] = shard.labels
        self._keys[number] = shard.keys
        self._images[number] = ByteRanges(
            paths=(str(path),),
            totals=shard.images.totals,
            files=shard.images.files,
            offsets=shard.images.offsets,
            sizes=shard.images.sizes,
            held=OneFile(self.arrivals, number),
        )


def _refuse_copies(arrivals: Arrivals) -> None:
    """Refuse two copies of one shard: their samples would be counted twice."""
    first: dict[str, StoredFile] = {}
    for file in arrivals.files:
        content = file.sha256 or file.md5
        other = first.setdefault(content, file) if content else file
        if other is not file:
            raise DataError(
                f"{named(arrivals.store, file)}: other samples than in {other.name} expected, "
                "found the same file; give each shard once"
            )


class _LateNames(Sequence[str]):
    """The ids of the images, each of which may have to be waited for."""

    def __init__(self, shards: LateShards) -> None:
        self._shards = shards

    def __len__(self) -> int:
        return len(self._shards.labels)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...
    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        return self._shards.name(place % len(self))

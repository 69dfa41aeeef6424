"""Images in WebDataset shards: tars in which consecutive files of one name make a sample.

Names are split into key and extension as the webdataset library splits them.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from resnext.errors import DataError
from resnext.images.byte_ranges import ByteRanges
from resnext.images.image_set import ImageSet
from resnext.images.labels import whole_number
from resnext.images.listing import SUFFIXES, ignored_note, reading
from resnext.images.names import Names, brief, few
from resnext.images.sources.tar import Index

IMAGES: Final = frozenset(suffix.removeprefix(".") for suffix in SUFFIXES)
LABELS: Final = ("cls", "json")
MOST: Final = 1 << 20  # bytes that are read of a label, or of the JSON that holds it


@dataclass(frozen=True, slots=True)
class _Sample:
    """The members of one key.

    Attributes:
        key: their common name.
        parts: extension in lower case -> position in the index of the tar.
    """

    key: str
    parts: dict[str, int]


def is_sharded(index: Index) -> bool:
    """Tell whether a tar is a shard, whose samples have members with labels."""
    flat = all("/" not in name for name in index.names)
    return any(name.endswith(".cls") or (flat and name.endswith(".json")) for name in index.names)


def shard_pictures(index: Index) -> list[int]:
    """Return the positions of the images of a shard, in its order, whether or not it has labels."""
    found = []
    for position, name in enumerate(index.names):
        base, _, extension = name.rpartition("/")[2].partition(".")
        if base and extension.lower() in IMAGES:
            found.append(position)
    return found


def shard_images(indexes: Iterable[tuple[Path, Index]], root: str) -> ImageSet:
    """Return the samples of some shards, in the order of the shards and their members.

    Args:
        indexes: path and index of each shard, one or more.
        root: the path, pattern or address that was given.

    Raises:
        DataError: a shard cannot be read, or a sample has not one image and one label.
    """
    shards = []
    for path, index in indexes:  # one at a time: an index takes more memory than a `Shard`
        shards.append(Shard.read(path, index))
    paths = [shard.path for shard in shards]
    keys = [shard.keys for shard in shards]
    if not any(keys):
        raise DataError(f"{root}: samples of an image and a label expected, found none")
    return ImageSet(
        root=root,
        ids=_ids(root, shards),
        labels=np.array([label for shard in shards for label in shard.labels], np.int64),
        classes=None,
        reader=ByteRanges(
            paths=tuple(str(path) for path in paths),
            totals=tuple(shard.images.totals[0] for shard in shards),
            files=np.repeat(np.arange(len(paths), dtype=np.int32), [len(each) for each in keys]),
            offsets=np.concatenate([shard.images.offsets for shard in shards]),
            sizes=np.concatenate([shard.images.sizes for shard in shards]),
        ),
        notes=tuple(ignored_note(root, [name for shard in shards for name in shard.ignored])),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shard:
    """The samples of one shard, in its order.

    Attributes:
        path: of the shard.
        keys: their names.
        labels: class indices.
        images: the bytes of their images.
        ignored: names of members that are no part of a sample.
    """

    path: Path
    keys: list[str]
    labels: list[int]
    images: ByteRanges
    ignored: list[str]

    @classmethod
    def read(cls, path: Path, index: Index) -> "Shard":
        """Read the labels of the samples that are in the index of a tar."""
        samples = list(_samples(index))
        positions = [_image(path, sample) for sample in samples]
        return cls(
            path=path,
            keys=[sample.key for sample in samples],
            labels=list(_labels(path, index, samples)),
            images=index.byte_ranges.chosen(positions),
            ignored=index.ignored,
        )


def _samples(index: Index) -> Iterator[_Sample]:
    """Yield consecutive members of one key as a sample; ignore members without extension."""
    sample: _Sample | None = None
    for position, name in enumerate(index.names):
        folder, slash, file = name.rpartition("/")
        if not folder and file.startswith("__") and file.endswith("__"):  # about the shard itself
            continue
        base, dot, extension = file.partition(".")
        if not (base and dot):
            index.ignored.append(name)
            continue
        key = folder + slash + base
        if sample is None or sample.key != key:
            if sample is not None:
                yield sample
            sample = _Sample(key, {})
        sample.parts[extension.lower()] = position
    if sample is not None:
        yield sample


def _image(path: Path, sample: _Sample) -> int:
    found = [position for extension, position in sample.parts.items() if extension in IMAGES]
    if len(found) != 1 or not any(extension in sample.parts for extension in LABELS):
        raise DataError(
            f"{path}: {brief(sample.key)}: an image ({', '.join(sorted(IMAGES))}) and its label "
            f"({' or '.join(LABELS)}) expected, found {few(sorted(sample.parts))}"
        )
    return found[0]


def _labels(path: Path, index: Index, samples: Sequence[_Sample]) -> Iterator[int]:
    byte_ranges = index.byte_ranges
    with reading(), path.open("rb", buffering=0) as file:
        for sample in samples:
            extension = next(extension for extension in LABELS if extension in sample.parts)
            position = sample.parts[extension]
            size = int(byte_ranges.sizes[position])
            data = os.pread(file.fileno(), min(size, MOST), int(byte_ranges.offsets[position]))
            label = _label(extension, data)
            if label is None:
                raise DataError(
                    f"{path}: {brief(sample.key)}.{extension}: a whole number from 0 expected"
                    f"{' as `label`' * (extension == 'json')}, found {data[:40]!r}"
                )
            yield label


def _label(extension: str, data: bytes) -> int | None:
    if extension == "cls":
        found = re.fullmatch(rb"\s*(\d{1,9})(\.0{0,20})?\s*", data)
        return int(found[1]) if found else None
    try:
        return whole_number(json.loads(data)["label"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _refuse_repeated(shards: Sequence[Shard]) -> None:
    """Refuse shards that have the same samples, such as two copies of one shard.

    The number of samples could be right although another shard is missing. Shards whose keys all
    count from zero have keys in common too, but with other labels and pictures.

    Raises:
        DataError: all samples whose keys two shards have in common are the same.
    """
    places = [dict(zip(shard.keys, range(len(shard.keys)), strict=True)) for shard in shards]
    for second, shard in enumerate(shards):
        for first, other in enumerate(shards[:second]):
            common = [key for key in shard.keys if key in places[first]]
            if common and all(
                _same(other, places[first][key], shard, places[second][key]) for key in common
            ):
                raise DataError(
                    f"{shard.path}: other samples than in {other.path} expected, found "
                    f"{few(common)} in both; give each shard once"
                )


def _same(one: Shard, place: int, other: Shard, there: int) -> bool:
    """Tell whether two samples have the same label and picture, which is read last."""
    return (
        one.labels[place] == other.labels[there]
        and one.images.sizes[place] == other.images.sizes[there]
        and one.images.read(place) == other.images.read(there)
    )


def _ids(root: str, shards: Sequence[Shard]) -> Names:
    """Return unique names of the samples: their keys, or shard and key if shards share keys."""
    plain = [key for shard in shards for key in shard.keys]
    if len(set(plain)) == len(plain):
        return Names(plain)
    _refuse_repeated(shards)
    full = [f"{shard.path.stem}/{key}" for shard in shards for key in shard.keys]
    if len(set(full)) < len(full):
        [(twice, _)] = Counter(full).most_common(1)
        raise DataError(
            f"{root}: one sample of each name expected, found several of {brief(twice)}"
        )
    return Names(full)

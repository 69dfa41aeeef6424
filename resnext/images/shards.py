"""Images in WebDataset shards: tars in which files of one name make a sample; extra [webdataset].

What the patterns of shards and the names of members mean is the library's own say. Its reading is
not used: it has no places to come back to, and runs a shell for some addresses.
"""

import json
import os
import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from resnext.download import without_password
from resnext.errors import DataError
from resnext.images.byte_ranges import Stretches
from resnext.images.image_set import ImageSet
from resnext.images.listing import SUFFIXES, ignored_note, reading
from resnext.images.names import Names, few
from resnext.images.remote import extra
from resnext.images.tar import Index

IMAGES: Final = frozenset(suffix.removeprefix(".") for suffix in SUFFIXES)
LABELS: Final = ("cls", "json")
MOST: Final = 1 << 20  # bytes of a label, or of the JSON that holds it

# Patterns, as the library reads them.
MOST_NAMES: Final = 100_000
LONGEST_NUMBER: Final = 18  # digits
MARK: Final = "\0"
ESCAPED: Final = re.compile(r"\\.")
BRACES: Final = re.compile(r"\{([^{}]*)\}")
RANGE: Final = re.compile(r"(-?\d+)\.\.(-?\d+)(?:\.\.-?(\d+))?")
LETTERS: Final = re.compile(r"([A-Za-z])\.\.([A-Za-z])(?:\.\.-?\d+)?")
ALPHABET: Final = string.ascii_uppercase + string.ascii_lowercase

Split = Callable[[str], tuple[str | None, str | None]]


@dataclass(frozen=True, slots=True)
class _Sample:
    """The members of one name: extension -> position in the index."""

    key: str
    parts: dict[str, int]


def expand(pattern: str) -> list[str]:
    """Return the paths or addresses that a pattern of shards names.

    Raises:
        DataError: the extra is missing, the braces are wrong, or they name too many.
    """
    where = without_password(pattern)
    if _count(pattern) > MOST_NAMES:
        raise DataError(f"{where}: {MOST_NAMES:,} names at most expected, found more; use fewer")
    with extra("webdataset", needs=f"{where}: patterns of shards take webdataset"):
        from webdataset.shardlists import expand_urls
    try:
        return [str(name) for name in expand_urls(pattern)]
    except (ValueError, AssertionError) as error:
        raise DataError(f"{where}: a pattern like {{00..63}} expected: {error}") from error


def _count(pattern: str) -> int:
    """Return how many names the braces of a pattern make: the library makes them all to tell."""
    total = 0
    for part in pattern.split("::"):
        # From the innermost braces outwards, each replaced by its count between two marks.
        text = ESCAPED.sub("", part.replace(MARK, ""))
        while (outer := BRACES.sub(lambda found: f"{MARK}{_size(found[1])}{MARK}", text)) != text:
            text = outer
        total += _product(text)
    return total


def _size(inside: str) -> int:
    if numbers := RANGE.fullmatch(inside):
        first, last, step = numbers.groups(default="1")
        if max(map(len, numbers.groups(default=""))) > LONGEST_NUMBER:
            return MOST_NAMES + 1
        return abs(int(last) - int(first)) // max(int(step), 1) + 1
    if letters := LETTERS.fullmatch(inside):
        return abs(ALPHABET.index(letters[1]) - ALPHABET.index(letters[2])) + 1
    return sum(map(_product, inside.split(",")))


def _product(text: str) -> int:
    """Return the product of the counts that stand in a text, held where it is too much anyhow."""
    total = 1
    for count in text.split(MARK)[1::2]:
        total = min(total * int(count), MOST_NAMES + 1)
    return total


def is_sharded(index: Index) -> bool:
    """Tell whether a tar holds samples with labels of their own, and not images in folders."""
    flat = all("/" not in name for name in index.names)
    return any(name.endswith(".cls") or (flat and name.endswith(".json")) for name in index.names)


def shard_images(indexes: Iterable[tuple[Path, Index]], root: str) -> ImageSet:
    """Return the samples of some shards, in the order of the shards and their members.

    Args:
        indexes: of each shard, one or more, its path and what it holds.
        root: what was asked for.

    Raises:
        DataError: the extra is missing, a shard cannot be read, or a sample has not one image and
            one label.
    """
    with extra("webdataset", needs=f"{root}: reading shards takes webdataset"):
        from webdataset.tariterators import base_plus_ext, meta_prefix, meta_suffix

    shards = []
    for path, index in indexes:  # one at a time: an index takes more memory than what is kept
        samples = list(_samples(index, base_plus_ext, (meta_prefix, meta_suffix)))
        shards.append(_Shard.read(path, index, samples))
    paths = [shard.path for shard in shards]
    keys = [shard.keys for shard in shards]
    if not any(keys):
        raise DataError(f"{root}: samples of an image and a label expected, found none")
    return ImageSet(
        root=root,
        ids=_ids(root, shards),
        labels=np.array([label for shard in shards for label in shard.labels], np.int64),
        classes=None,
        reader=Stretches(
            paths=tuple(str(path) for path in paths),
            totals=tuple(shard.images.totals[0] for shard in shards),
            files=np.repeat(np.arange(len(paths), dtype=np.int32), [len(each) for each in keys]),
            offsets=np.concatenate([shard.images.offsets for shard in shards]),
            sizes=np.concatenate([shard.images.sizes for shard in shards]),
        ),
        notes=tuple(ignored_note(root, [name for shard in shards for name in shard.ignored])),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shard:
    path: Path
    keys: list[str]
    labels: list[int]
    images: Stretches
    ignored: list[str]

    @classmethod
    def read(cls, path: Path, index: Index, samples: Sequence[_Sample]) -> "_Shard":
        positions = [_image(path, sample) for sample in samples]
        return cls(
            path=path,
            keys=[sample.key for sample in samples],
            labels=list(_labels(path, index, samples)),
            images=index.stretches.chosen(positions),
            ignored=index.ignored,
        )


def _samples(index: Index, split: Split, meta: tuple[str, str]) -> Iterator[_Sample]:
    sample: _Sample | None = None
    for position, name in enumerate(index.names):
        if "/" not in name and name.startswith(meta[0]) and name.endswith(meta[1]):
            continue
        key, extension = split(name)
        if key is None or extension is None:
            index.ignored.append(name)
            continue
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
            f"{path}: {sample.key}: an image ({', '.join(sorted(IMAGES))}) and its label "
            f"({' or '.join(LABELS)}) expected, found {few(sorted(sample.parts))}"
        )
    return found[0]


def _labels(path: Path, index: Index, samples: Sequence[_Sample]) -> Iterator[int]:
    stretches = index.stretches
    with reading(), path.open("rb", buffering=0) as file:
        for sample in samples:
            extension = next(extension for extension in LABELS if extension in sample.parts)
            position = sample.parts[extension]
            size = int(stretches.sizes[position])
            data = os.pread(file.fileno(), min(size, MOST), int(stretches.offsets[position]))
            label = _label(extension, data)
            if label is None:
                raise DataError(
                    f"{path}: {sample.key}.{extension}: a whole number from 0 expected"
                    f"{' as `label`' * (extension == 'json')}, found {data[:40]!r}"
                )
            yield label


def _label(extension: str, data: bytes) -> int | None:
    if extension == "cls":
        return int(data) if re.fullmatch(rb"\s*\d{1,9}\s*", data) else None
    try:
        value = json.loads(data)["label"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return value if type(value) is int and 0 <= value < 10**9 else None


def _refuse_repeated(shards: Sequence[_Shard]) -> None:
    """Refuse a shard that is there twice: another would be missing, and the count still right.

    Shards that count from zero each share names too, but not their labels and pictures.

    Raises:
        DataError: names both.
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


def _same(one: _Shard, place: int, other: _Shard, there: int) -> bool:
    """Tell whether two samples have the same label and the same picture; read as late as can be."""
    return (
        one.labels[place] == other.labels[there]
        and one.images.sizes[place] == other.images.sizes[there]
        and one.images.read(place) == other.images.read(there)
    )


def _ids(root: str, shards: Sequence[_Shard]) -> Names:
    """Name the samples by their keys; where shards share some, by shard and key."""
    plain = [key for shard in shards for key in shard.keys]
    if len(set(plain)) == len(plain):
        return Names(plain)
    _refuse_repeated(shards)
    full = [f"{shard.path.stem}/{key}" for shard in shards for key in shard.keys]
    if len(set(full)) < len(full):
        [(twice, _)] = Counter(full).most_common(1)
        raise DataError(f"{root}: one sample of each name expected, found several of {twice}")
    return Names(full)

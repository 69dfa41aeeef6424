"""The one door to labelled images, in whatever form people have them."""

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from resnext.download import without_password
from resnext.errors import DataError
from resnext.images.archives import archive_images
from resnext.images.cifar import CIFARS, cifar_images, downloaded, found_in, unpacked
from resnext.images.folders import class_folders, flat_folder
from resnext.images.image_set import ImageSet
from resnext.images.labels import read_labels
from resnext.images.listing import SPLITS, is_image, of_split, reading
from resnext.images.names import few
from resnext.images.parquet import parquet_images
from resnext.images.remote import Bar, fetch, quiet
from resnext.images.shards import expand, is_sharded, shard_images
from resnext.images.tar import DamagedError, is_tar, packing, scan

FORMS: Final = (
    "class folders, a flat folder of images with --labels, a tar of either, WebDataset shards, "
    "Hugging Face parquet files, cifar10 or cifar100"
)

SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)
PARQUET: Final = b"PAR1"


def open_images(
    data: str,
    *,
    labels: Path | None = None,
    split: str = "val",
    cache: Path | None = None,
    progress: Bar = quiet,
) -> ImageSet:
    """Find labelled images.

    What is there decides how it is read, never a guess; nothing in it is executed or unpickled.

    Args:
        data: a path, a pattern of paths or addresses, or the name of a known set.
        labels: for images without folders for their classes; see `read_labels`.
        split: "val" or "train", where there are both.
        cache: folder of downloads; None is the user's own.
        progress: shows a download.

    Raises:
        DataError: nothing there, or nothing that is understood, or a contradiction in it.
        DownloadError: a file of the network cannot be had.
    """
    assert split in SPLITS
    wanted = _Wanted(data=data, labels=labels, split=split, cache=cache, progress=progress)
    path = Path(data)
    with reading():
        is_folder, is_there = path.is_dir(), bool(data) and path.exists()
    if is_there:
        return _folder(wanted, path) if is_folder else _file(wanted, path)
    if SCHEME.match(data):
        return _remote(wanted)
    if cifar := next((cifar for cifar in CIFARS if cifar.name == data), None):
        wanted.take_no_labels()
        return cifar_images(cifar, downloaded(cifar, cache, progress), split=split)
    if glob.has_magic(data) or "{" in data:
        return _several(wanted, _matching(data))
    raise DataError(f"{data}: no such file or folder; {FORMS} expected")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """The arguments of `open_images`."""

    data: str
    labels: Path | None
    split: str
    cache: Path | None
    progress: Bar

    def take_no_labels(self) -> None:
        """Refuse labels beside those that the images bring."""
        if self.labels is not None:
            raise DataError(
                f"{self.data}: these images bring labels, so {self.labels} cannot apply; leave out "
                "--labels"
            )


def _folder(wanted: _Wanted, path: Path) -> ImageSet:
    with reading():
        with os.scandir(path) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
        folders = {entry.name for entry in visible if entry.is_dir()}
        files = [entry.name for entry in visible if entry.name not in folders]
        cifar = found_in(path)
        # In the repositories of Hugging Face they lie in a folder of this name.
        tables = sorted([*path.glob("*.parquet"), *path.glob("data/*.parquet")])
    if cifar:
        wanted.take_no_labels()
        return cifar_images(*cifar, split=wanted.split)
    if tables and folders <= {"data"}:
        wanted.take_no_labels()
        return parquet_images(of_split(tables, wanted.split, wanted.data), wanted.data)
    tars = sorted(path / name for name in files if name.endswith(".tar"))
    if tars and not folders and not any(map(is_image, files)):
        return _tars(wanted, of_split(tars, wanted.split, wanted.data))
    if wanted.labels is not None:
        return flat_folder(path, read_labels(wanted.labels), split=wanted.split)
    return class_folders(path, split=wanted.split)


def _file(wanted: _Wanted, path: Path) -> ImageSet:
    with reading(), path.open("rb") as file:
        start = file.read(len(PARQUET))
    if start == PARQUET:
        return _several(wanted, [path])
    if is_tar(path):
        return _tars(wanted, [path])
    kind = packing(path)
    if kind is None:
        raise DataError(f"{path}: {FORMS} expected, found a file of another form")
    if kind == "gzip" and (found := unpacked(path, wanted.cache)):
        wanted.take_no_labels()
        return cifar_images(*found, split=wanted.split)
    raise DataError(
        f"{path}: {FORMS} expected, found a file packed with {kind}, whose images cannot be read "
        "one by one; unpack it"
    )


def _several(wanted: _Wanted, paths: Sequence[Path]) -> ImageSet:
    suffixes = {path.suffix for path in paths}
    if suffixes == {".tar"}:
        return _tars(wanted, paths)
    if suffixes == {".parquet"} or len(paths) == 1:
        wanted.take_no_labels()
        return parquet_images(paths, wanted.data)
    raise DataError(
        f"{wanted.data}: tars of shards or Parquet files, not both, expected, found "
        f"{few([str(path) for path in paths])}"
    )


def _tars(wanted: _Wanted, paths: Sequence[Path]) -> ImageSet:
    if len(paths) > 1:
        wanted.take_no_labels()
        return shard_images(((path, scan(path)) for path in paths), wanted.data)
    (path,) = paths
    index = scan(path)
    if is_sharded(index):
        wanted.take_no_labels()
        return shard_images([(path, index)], wanted.data)
    table = None if wanted.labels is None else read_labels(wanted.labels)
    return archive_images(path, index, table, split=wanted.split)


def _remote(wanted: _Wanted) -> ImageSet:
    urls = expand(wanted.data) if "{" in wanted.data else [wanted.data]
    for url in urls:
        if not _names_shard(url):
            raise DataError(
                f"{without_password(url)}: shards at http or https, whose names end in .tar, "
                "expected; bring anything else to this machine first"
            )
    paths = fetch(urls, wanted.cache, wanted.progress)
    try:
        return _tars(replace(wanted, data=without_password(wanted.data)), paths)
    except DamagedError as error:
        # What is in the cache is not asked for again, whatever it holds.
        error.path.unlink(missing_ok=True)
        raise DataError(f"{error}: it was removed, so the same command does") from error


def _names_shard(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets around what is no address
        return False
    # Bytes that are no text come as characters that nobody can print.
    return parts.scheme in ("http", "https") and parts.path.endswith(".tar") and url.isprintable()


def _matching(pattern: str) -> list[Path]:
    """Return the files that a pattern names: all that it spells out, or those that there are."""
    if "{" in pattern:
        paths = [Path(name) for name in expand(pattern)]
        if missing := [str(path) for path in paths if not path.is_file()]:
            raise DataError(f"{pattern}: {len(paths)} files expected, missing {few(missing)}")
        return paths
    names = glob.glob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute one
    paths = sorted(Path(name) for name in names)
    if not paths:
        raise DataError(f"{pattern}: files that match the pattern expected, found none")
    return paths

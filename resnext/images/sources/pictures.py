"""Open pictures without labels, in any of the supported forms and in the order given."""

import glob
import os
import stat
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from resnext.download import Bar, cache_folder, download_all, no_bar, without_password
from resnext.errors import DataError, DownloadError
from resnext.files import open_plain
from resnext.images.file_set import LocalFiles, come
from resnext.images.image_set import ChainedReader, PictureSet
from resnext.images.listing import START, has_suffix, ignored_note, is_image, is_picture, reading
from resnext.images.names import Names, brief, few
from resnext.images.packing import is_tar, packing
from resnext.images.patterns import expand, matching_files
from resnext.images.sources.folders import Files
from resnext.images.sources.opening import PARQUET, SCHEME, WEB
from resnext.images.sources.parquet import parquet_pictures
from resnext.images.sources.shards import is_sharded, shard_pictures
from resnext.images.sources.stored import StoredForm, by_form, whole_files
from resnext.images.sources.tar import removed_if_damaged, scan
from resnext.images.sources.walk import ARCHIVES, walk
from resnext.stores.arrivals import Arrivals
from resnext.stores.opening import find_stored, is_address, local_path

FORMS: Final = "pictures, folders, tars, WebDataset shards, Parquet files or addresses of them"


def open_pictures(
    given: Sequence[str],
    *,
    literal: Container[int] = (),
    cache: Path | None = None,
    progress: Bar = no_bar,
    stream: bool = False,
) -> PictureSet:
    """Return the pictures that a command line or a list names, in its order.

    A folder is walked whole, and the names in it are sorted as bytes; tars and Parquet files in it
    are read where it has no pictures of its own. What is named twice is there twice. A picture is
    called by its path as it was given or found, by "TAR/MEMBER" or by its address.

    A picture that does not exist or cannot be downloaded keeps its place, and cannot be read.

    Args:
        given: paths, patterns of paths, and addresses.
        literal: places in `given` of paths that are no patterns.
        cache: folder of downloads; None for the user's own.
        progress: shows the progress of a download.
        stream: whether files of a store are read once, and not kept in the cache.

    Raises:
        DataError: there is no picture at all, a pattern without a match, a folder that cannot be
            read, or an archive that is damaged or packed.
        DownloadError: a tar or a Parquet file that cannot be downloaded, or a store that cannot be
            listed.
    """
    found = _Found(cache=cache, progress=progress, stream=stream)
    with reading():
        for place, text in enumerate(given):
            found.add(text, literal=place in literal)
    return found.pictures(given)


@dataclass(frozen=True, slots=True)
class Unread:
    """A picture that is known to be out of reach.

    Attributes:
        reason: in one line.
    """

    reason: str

    def read(self, position: int) -> bytes:  # noqa: ARG002 - there is one
        """Raise the reason as a `DataError`."""
        raise DataError(self.reason)

    def stamp(self) -> str:
        """Return the reason."""
        return self.reason


class _ParquetFile(NamedTuple):
    """A Parquet file, and what it is called."""

    path: Path
    name: str


class _PictureFile(NamedTuple):
    """A file of one picture, and what it is called."""

    path: str
    name: str


@dataclass(slots=True, kw_only=True)
class _Found:
    """What was found so far.

    Attributes:
        parts: in order.
        missing: the parts that do not exist.
    """

    cache: Path | None
    progress: Bar
    stream: bool
    parts: list[_PictureFile | _ParquetFile | PictureSet] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, text: str, *, literal: bool) -> None:
        """Add what a text names, which is no pattern if it is literal."""
        if not text.strip():
            raise DataError(
                f"the name of a picture is empty; {FORMS} expected (is a variable of the shell not "
                "set?)"
            )
        is_path = os.path.exists(text)  # noqa: PTH110 - of each path of a long list
        if not is_path and (local := local_path(text)) is not None:
            self.add(local, literal=literal)
        elif not is_path and is_address(text) and not WEB.match(text):
            self._store(text, literal=literal)
        elif not is_path and SCHEME.match(text):
            for url in [text] if literal or "{" not in text else expand(text):
                self._address(url)
        elif not is_path and not literal and (glob.has_magic(text) or "{" in text):
            for path in matching_files(text):
                self._path(str(path), str(path))
        else:
            self._path(text, text)

    def pictures(self, given: Sequence[str]) -> PictureSet:
        """Return all as one set.

        Raises:
            DataError: there are none.
        """
        named = few([without_password(text) for text in given]) if given else "an empty list"
        if self.missing and len(self.missing) == len(self.parts):
            more = f" (and {len(self.missing) - 1} more)" if len(self.missing) > 1 else ""
            raise DataError(
                f"{brief(self.missing[0])}: no such file or folder{more}; {FORMS} expected"
            )
        parts = [*_together(self.parts)]
        if not sum(map(len, parts)):
            said = f"; {'; '.join(self.notes)}" if self.notes else ""
            raise DataError(f"{named}: {FORMS} expected, found no picture{said}")
        whole = parts[0] if len(parts) == 1 else _chained(parts)
        notes = (*self.notes, *(note for part in parts for note in part.notes))
        return replace(whole, root=named, notes=notes)

    def _path(self, path: str, name: str) -> None:
        """Add what lies at a path, and is called by a name."""
        try:
            mode = os.stat(path).st_mode  # noqa: PTH116
        except OSError:  # reading it will say why
            self.missing.append(name)
            self.parts.append(_PictureFile(path, name))
            return
        if stat.S_ISDIR(mode):
            self._folder(path)
        elif stat.S_ISREG(mode) and is_image(os.path.basename(path)):  # noqa: PTH119
            self.parts.append(_PictureFile(path, name))
        else:
            self._file(Path(path), name)

    def _file(self, path: Path, name: str) -> None:
        """Add a file that is no picture by its name: its content decides."""
        with open_plain(path, DataError) as file:
            start = file.read(max(START, len(PARQUET)))
        if start.startswith(PARQUET):
            self.parts.append(_ParquetFile(path, name))
        elif not is_picture(start) and is_tar(path):
            self.parts.append(_tar_pictures(path, name))
        elif (kind := packing(path)) is not None:
            raise DataError(
                f"{name}: {FORMS} expected, found a file packed with {kind}, whose pictures cannot "
                "be read one by one; unpack it"
            )
        else:
            self.parts.append(_PictureFile(str(path), name))

    def _folder(self, root: str) -> None:
        found = walk(Path(root))
        self.notes += ignored_note(root, found.ignored, unnamed=found.unnamed)
        if found.names:
            paths = (os.path.join(root, name) for name in found.names)  # noqa: PTH118
            self.parts += [_PictureFile(path, path) for path in paths]
            if found.archives:
                self.notes.append(
                    f"{root}: {len(found.archives)} tars or Parquet files beside pictures not "
                    f"read: {few(found.archives)}; name them to read them too"
                )
            return
        for name in found.archives:
            path = os.path.join(root, name)  # noqa: PTH118
            self._file(Path(path), path)
        if not found.archives:
            self.notes.append(f"{root}: no picture in this folder")

    def _store(self, text: str, *, literal: bool) -> None:
        """Add the pictures at an address of a store, which are fetched while they are used."""
        cache = cache_folder(self.cache)
        found = find_stored(text, cache, **({} if literal else {"expand": expand}))
        base = found.store.address.rstrip("/")
        for suffix, files in by_form(found.files):
            arrivals = Arrivals(found.store, files, cache, keeps=not self.stream)
            self.notes += arrivals.note(found.address, all_first=suffix == StoredForm.TAR)
            arrivals.start()
            names = [f"{base}/{file.name}" for file in files]
            if suffix == StoredForm.PARQUET:
                self.parts.append(parquet_pictures(arrivals, names=names))
            elif suffix == StoredForm.TAR:
                for number, name in enumerate(names):
                    self.parts.append(_tar_pictures(come(arrivals, number), name))
            else:
                self.parts.append(
                    PictureSet(root="", ids=Names(names), reader=whole_files(arrivals))
                )

    def _address(self, url: str) -> None:
        shown = without_password(url)
        if not url.startswith(("http://", "https://")) or not url.isprintable():
            raise DataError(f"{shown}: a path, or an address of http or https expected")
        try:
            (path,) = download_all([url], self.cache, self.progress)
        except DownloadError as error:
            if url.partition("?")[0].endswith(ARCHIVES):
                raise
            unread = Unread(str(error))
            self.parts.append(PictureSet(root=shown, ids=(shown,), reader=unread))
            return
        with removed_if_damaged():
            self._file(path, shown)


def _tar_pictures(path: Path, name: str) -> PictureSet:
    """Return the pictures of a tar; a shard keeps its order, others are sorted like folders."""
    index = scan(path)
    if is_sharded(index):
        positions = shard_pictures(index)
        ignored: list[str] = []
    else:
        files = [(member.split("/"), place) for place, member in enumerate(index.names)]
        pictures = [(parts, place) for parts, place in files if is_image(parts[-1])]
        pictures.sort(key=lambda each: [os.fsencode(part) for part in each[0]])
        positions = [place for _, place in pictures]
        ignored = [*index.ignored, *("/".join(p) for p, _ in files if not is_image(p[-1]))]
    unnamed = [
        member
        for place, member in enumerate(index.names)
        if not has_suffix(member.rpartition("/")[2])
        and is_picture(index.byte_ranges.start(place, START))
    ]
    return PictureSet(
        root=name,
        ids=Names(f"{name}/{index.names[place]}" for place in positions),
        reader=index.byte_ranges.chosen(positions),
        notes=tuple(ignored_note(name, ignored, unnamed=unnamed)),
    )


def _together(parts: Sequence[_PictureFile | _ParquetFile | PictureSet]) -> Iterator[PictureSet]:
    """Yield the parts as sets: neighbours that are files in one, and so are Parquet files."""
    for kind, group in groupby(parts, key=type):
        neighbours = tuple(group)
        if kind is _PictureFile:
            files = [each for each in neighbours if isinstance(each, _PictureFile)]
            paths = ids = Names(each.path for each in files)
            if any(each.path != each.name for each in files):
                ids = Names(each.name for each in files)
            yield PictureSet(root="", ids=ids, reader=Files(root="", names=paths))
        elif kind is _ParquetFile:
            tables = [each for each in neighbours if isinstance(each, _ParquetFile)]
            paths_of_tables = LocalFiles.of([each.path for each in tables])
            yield parquet_pictures(paths_of_tables, names=[each.name for each in tables])
        else:
            yield from (each for each in neighbours if isinstance(each, PictureSet))


def _chained(parts: Sequence[PictureSet]) -> PictureSet:
    reader = ChainedReader(
        readers=tuple(part.reader for part in parts),
        ends=np.cumsum([len(part) for part in parts], dtype=np.int64),
    )
    return PictureSet(
        root="", ids=Names(name for part in parts for name in part.ids), reader=reader
    )

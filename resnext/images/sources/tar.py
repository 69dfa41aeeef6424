"""Index an uncompressed tar by one pass over its headers, without unpacking anything."""

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from resnext.errors import DataError
from resnext.files import open_plain
from resnext.images.byte_ranges import ByteRanges
from resnext.images.listing import is_image, reading
from resnext.images.names import LONGEST_NAME, brief
from resnext.images.packing import BLOCK, packing
from resnext.images.sources.tar_headers import (
    BROKEN,
    DEEPEST,
    BeyondError,
    is_plain,
    open_tar,
)

END: Final = bytes(BLOCK)
PADDING: Final = 1 << 20  # bytes behind the end that are checked to be zero


class DamagedError(DataError):
    """A tar that is damaged or truncated.

    Attributes:
        path: of the tar.
    """

    def __init__(self, message: str, *, path: Path) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The files in a tar, and the positions of their bytes.

    Attributes:
        names: of the files that are not hidden, such as "a/b.jpg", in the order of the tar.
        byte_ranges: of the files, in the same order.
        folders: names of the folders that have an entry of their own.
        ignored: names of entries that are hidden or no files.
    """

    names: list[str]
    byte_ranges: ByteRanges
    folders: list[str]
    ignored: list[str]


@contextmanager
def removed_if_damaged() -> Iterator[None]:
    """Remove a tar that was downloaded and is damaged: it would not be downloaded again."""
    try:
        yield
    except DamagedError as error:
        error.path.unlink(missing_ok=True)
        raise DataError(f"{error}: it was removed, so the same command does") from error


def scan(path: Path) -> Index:
    """Return the index of a tar.

    Raises:
        DamagedError: it is damaged or truncated.
        DataError: it cannot be read, is compressed, or has an image that is a link, a sparse file,
            has a path outside of the tar, or occurs twice.
    """
    names: list[str] = []
    places: list[tuple[int, int]] = []
    folders: list[str] = []
    ignored: list[str] = []
    with reading(path), open_plain(path, DataError) as file:
        total = file.seek(0, 2)
        for member in _members(path, file, total):
            name = "/".join(part for part in member.name.split("/") if part not in ("", "."))
            if len(name) > LONGEST_NAME or name.count("/") > DEEPEST:
                raise DataError(
                    f"{path}: names of at most {LONGEST_NAME} bytes in at most {DEEPEST} folders "
                    f"expected, found {brief(name)}; pack it with shorter ones"
                )
            if any(part.startswith(".") for part in name.split("/") if part != ".."):
                ignored.append(name)
            elif member.isdir():
                folders.append(name)
            elif is_image(name.rpartition("/")[2]) or is_plain(member):
                _check(path, member)
                names.append(name)
                places.append((member.offset_data, member.size))
            else:
                ignored.append(name)
    _check_unique(path, names)
    offsets, sizes = np.array(places, np.int64).reshape(-1, 2).T
    byte_ranges = ByteRanges(
        paths=(str(path),),
        totals=(total,),
        files=np.zeros(len(names), np.int32),
        offsets=offsets,
        sizes=sizes,
    )
    return Index(names=names, byte_ranges=byte_ranges, folders=folders, ignored=ignored)


def _members(path: Path, file: BinaryIO, total: int) -> Iterator[tarfile.TarInfo]:
    if (kind := packing(path)) is not None:
        raise DataError(
            f"{path}: an uncompressed tar expected, whose members can be read one by one, found "
            f"one packed with {kind}; unpack it first"
        )
    file.seek(0)
    last = "its start"
    try:
        with open_tar(file) as archive:
            while (member := archive.next()) is not None:
                if member.size < 0:
                    raise DataError(
                        f"{path}: {brief(member.name)}: a size >= 0 expected, found {member.size}"
                    )
                yield member
                last = member.name
                archive.members.clear()  # type: ignore[attr-defined]  # a kilobyte each
            end = archive.offset
    except BeyondError as error:
        raise DataError(f"{path}: behind {brief(last)}: {error}; pack it anew") from error
    except BROKEN as error:
        raise _damage(path, total, last, str(error)) from error
    # `tarfile` takes anything that is no header for the end of the tar.
    file.seek(end)
    if file.read(BLOCK) != END:
        raise _damage(path, total, last, f"no header at byte {end}")
    if file.read(PADDING).strip(b"\0"):
        raise DataError(
            f"{path}: one tar expected, found more behind its end (at byte {end}); if several were "
            "put together with cat, give them one by one as shards, or pack them anew"
        )


def _damage(path: Path, total: int, last: str, reason: str) -> DamagedError:
    return DamagedError(
        f"{path}: a whole tar expected, found {total} bytes that are damaged or cut short behind "
        f"{brief(last)} ({brief(reason)}); fetch it again",
        path=path,
    )


def _check(path: Path, member: tarfile.TarInfo) -> None:
    """Refuse a member that has no bytes of its own in the tar, or a path outside of it."""
    where = f"{path}: {brief(member.name)}"
    if member.name.startswith("/") or ".." in member.name.split("/"):
        raise DataError(f"{where}: a name inside the tar expected; pack it with relative names")
    if not is_plain(member):
        kind = "a link" if member.islnk() or member.issym() else "no ordinary file"
        raise DataError(
            f"{where}: a file with bytes of its own expected, found {kind}; pack it "
            "with --dereference --hard-dereference, without --sparse"
        )


def _check_unique(path: Path, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(
                f"{path}: {brief(name)}: one member of this name expected, found several"
            )
        seen.add(name)

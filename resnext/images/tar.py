"""What an uncompressed tar holds and where, from one pass over its headers; nothing is unpacked."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from resnext.errors import DataError
from resnext.images.byte_ranges import ByteRanges
from resnext.images.listing import is_image, reading

BLOCK: Final = 512  # bytes
END: Final = bytes(BLOCK)
PADDING: Final = 1 << 20  # bytes that are looked at behind the end

# How files start that hold a tar, or could, but in which no member has a place of its own.
PACKED: Final = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}

# What `tarfile` raises over damaged headers; its documentation names only the first.
BROKEN: Final = (tarfile.TarError, ValueError, OverflowError, EOFError, LookupError, RecursionError)


class DamagedError(DataError):
    """A tar that is damaged or cut short.

    Attributes:
        path: of the tar.
    """

    def __init__(self, message: str, *, path: Path) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The files in one tar or several, and where they lie.

    Attributes:
        names: of the files without those that are hidden, "a/b.jpg", in the order of the tar.
        byte_ranges: their bytes, in the same order.
        folders: that have an entry of their own.
        ignored: names of what is hidden, or is no file.
    """

    names: list[str]
    byte_ranges: ByteRanges
    folders: list[str]
    ignored: list[str]


def scan(path: Path) -> Index:
    """List what a tar holds.

    Raises:
        DamagedError: it is damaged or cut short.
        DataError: it cannot be read, is compressed, or has an image that is a link, a sparse file,
            outside of the tar, or there twice.
    """
    names: list[str] = []
    places: list[tuple[int, int]] = []
    folders: list[str] = []
    ignored: list[str] = []
    with reading(path), path.open("rb") as file:
        total = file.seek(0, 2)
        for member in _members(path, file, total):
            name = "/".join(part for part in member.name.split("/") if part not in ("", "."))
            if any(part.startswith(".") for part in name.split("/") if part != ".."):
                ignored.append(name)
            elif member.isdir():
                folders.append(name)
            elif is_image(name.rpartition("/")[2]) or _is_plain(member):
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


def packing(path: Path) -> str | None:
    """Return the name of the compression that a file's first bytes tell, or None."""
    with reading(), path.open("rb") as file:
        start = file.read(8)
    return next((name for magic, name in PACKED.items() if start.startswith(magic)), None)


def is_tar(path: Path) -> bool:
    """Tell whether a file is meant to be an uncompressed tar."""
    with reading(), path.open("rb") as file:
        start = file.read(BLOCK)
    if any(start.startswith(magic) for magic in PACKED):
        return False
    return path.suffix == ".tar" or start[257:262] == b"ustar"


def _members(path: Path, file: BinaryIO, total: int) -> Iterator[tarfile.TarInfo]:
    if (kind := packing(path)) is not None:
        raise DataError(
            f"{path}: an uncompressed tar expected, whose members can be read one by one, found "
            f"one packed with {kind}; unpack it first"
        )
    file.seek(0)
    last = "its start"
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            while (member := archive.next()) is not None:
                if member.size < 0:
                    raise DataError(
                        f"{path}: {member.name}: a size >= 0 expected, found {member.size}"
                    )
                yield member
                last = member.name
                archive.members.clear()  # type: ignore[attr-defined]  # a kilobyte each
            end = archive.offset
    except BROKEN as error:
        raise _damage(path, total, last, str(error)) from error
    # `tarfile` takes whatever is no header for the end.
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
        f"{last} ({reason}); fetch it again",
        path=path,
    )


def _is_plain(member: tarfile.TarInfo) -> bool:
    return member.isreg() and not member.issparse()


def _check(path: Path, member: tarfile.TarInfo) -> None:
    """Refuse a file whose bytes do not simply lie in the tar, or that claims to lie elsewhere."""
    if member.name.startswith("/") or ".." in member.name.split("/"):
        raise DataError(
            f"{path}: {member.name}: a name inside the tar expected; pack it with relative names"
        )
    if not _is_plain(member):
        kind = "a link" if member.islnk() or member.issym() else "no ordinary file"
        raise DataError(
            f"{path}: {member.name}: a file with bytes of its own expected, found {kind}; pack it "
            "with --dereference --hard-dereference, without --sparse"
        )


def _check_unique(path: Path, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(f"{path}: {name}: one member of this name expected, found several")
        seen.add(name)

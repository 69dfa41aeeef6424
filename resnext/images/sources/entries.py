"""Entries of folders on disk, in a fixed order: which of them are folders, and which images."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from resnext.images.listing import START, has_suffix, is_image, is_picture


def sorted_entries(folder: Path) -> Iterator["os.DirEntry[str]"]:
    """Yield what lies in a folder, sorted by the names as bytes."""
    # scandir, unlike Path.iterdir, tells files from folders without a system call for each.
    with os.scandir(folder) as entries:
        yield from sorted(entries, key=lambda entry: os.fsencode(entry.name))


def is_folder(entry: "os.DirEntry[str]") -> bool:
    """Tell whether an entry is a folder; a link that leads back to itself is none."""
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return False


def is_shown_folder(entry: "os.DirEntry[str]") -> bool:
    """Tell whether an entry is a folder, and not hidden."""
    return not entry.name.startswith(".") and is_folder(entry)


def is_image_file(entry: "os.DirEntry[str]") -> bool:
    """Tell whether an entry is an image, or a broken link to one, which then cannot be read."""
    return is_image(entry.name) and (_is_broken(entry) or entry.is_file())


def is_unnamed_picture(entry: "os.DirEntry[str]") -> bool:
    """Tell whether an entry is a picture whose name has no suffix."""
    if has_suffix(entry.name):
        return False
    try:
        if not entry.is_file():
            return False
        with open(entry.path, "rb", buffering=0) as file:  # noqa: PTH123
            return is_picture(file.read(START))
    except OSError:  # it is only looked at for a note
        return False


def _is_broken(entry: "os.DirEntry[str]") -> bool:
    return entry.is_symlink() and not os.path.exists(entry.path)  # noqa: PTH110

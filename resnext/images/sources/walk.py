"""What lies in folders on disk, in a fixed order, and all images below a folder.

Those that lie deeper have folders that are no classes.
"""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from resnext.images.listing import START, has_suffix, is_image, is_picture, reading

# Suffixes of files that may hold images.
ARCHIVES: Final = (".tar", ".parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What lies in a folder and in all folders below it, in the order of the names.

    Attributes:
        names: of the images, relative to the folder.
        archives: names of files that may hold images, tars and Parquet files.
        ignored: names of what is hidden or neither of both.
        unnamed: those of them that are pictures, and whose names have no suffix.
    """

    names: list[str] = field(default_factory=list)
    archives: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)


def walk(root: Path) -> Walk:
    """Return what lies in a folder and below it; names in a folder are sorted as bytes.

    A folder that links lead to a second time is not walked again.

    Raises:
        DataError: a folder cannot be read.
    """
    found, seen = Walk(), {os.path.realpath(root)}
    with reading():
        open_folders = [(sorted_entries(root), "")]
        while open_folders:
            entries, above = open_folders[-1]
            entry = next(entries, None)
            if entry is None:
                open_folders.pop()
                continue
            name = f"{above}{entry.name}"
            if is_shown_folder(entry):
                if (place := os.path.realpath(entry.path)) not in seen:
                    seen.add(place)
                    open_folders.append((sorted_entries(Path(entry.path)), f"{name}/"))
            elif is_image_file(entry):
                found.names.append(name)
            elif entry.name.endswith(ARCHIVES) and not entry.name.startswith("."):
                found.archives.append(name)
            else:
                found.ignored.append(name)
                if is_unnamed_picture(entry):
                    found.unnamed.append(name)
    return found


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

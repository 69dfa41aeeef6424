"""All images below a folder, however deep they lie; their folders are no classes."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from resnext.images.listing import reading
from resnext.images.sources.entries import (
    is_image_file,
    is_shown_folder,
    is_unnamed_picture,
    sorted_entries,
)

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

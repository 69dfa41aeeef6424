"""An address, with a pattern or without, to a store and the files in it that are meant."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from resnext.errors import DownloadError
from resnext.stores.hub import open_hub
from resnext.stores.hub_address import HubAddress, is_hub_address
from resnext.stores.object_store import open_store
from resnext.stores.store import Store, StoredFile
from resnext.stores.store_address import check_address, is_store_address, without_pattern

# Schemes of what lies on this machine.
LOCAL: Final = re.compile(r"(?:file|local):(?://(?=/|$))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What an address leads to.

    Attributes:
        store: that holds the files.
        files: that are meant, sorted by name.
        address: with the revision that was found, and what follows it, without secrets.
        below: the folder in the store that the address names; "" for all of it.
        is_exact: whether a pattern or the name of one file says which files are meant.
        listed: all files that were listed for it, those that are not meant too.
    """

    store: Store
    files: tuple[StoredFile, ...]
    address: str
    below: str
    is_exact: bool
    listed: tuple[StoredFile, ...] = ()


def is_address(text: str) -> bool:
    """Tell whether a text is the address of a store: of the Hub, or with any scheme of fsspec."""
    return is_hub_address(text) or is_store_address(text)


def local_path(text: str) -> str | None:
    """Return the path that an address of this machine names, `file:///data`, or None."""
    found = LOCAL.match(text)
    return text[found.end() :] if found and "::" not in text else None


def find_stored(
    text: str, cache: Path, *, expand: Callable[[str], list[str]] = lambda path: [path]
) -> Found:
    """Return what lies at an address.

    Args:
        text: the address; a path in it names a file or a folder, or is a pattern of files.
        cache: the folder of downloads.
        expand: returns the paths that a path with braces spells out.

    Raises:
        DownloadError: there is nothing, or no access, or a package is missing.
        OSError: the cache cannot be written.
    """
    store: Store
    if is_hub_address(text):
        hub = HubAddress.parse(text)
        store, wanted = open_hub(hub, cache), hub.path
    else:
        check_address(text)
        base, wanted = without_pattern(text)
        store = opened = open_store(base)
        wanted = opened.only or wanted
    files = store.files()
    names = {file.name for file in files}
    address = f"{store.address.rstrip('/')}/{wanted}" if wanted else store.address
    given = [wanted] if wanted in names else expand(wanted)
    is_exact = bool(wanted) and (wanted in names or any(map(_is_pattern, given)) or len(given) > 1)
    chosen: dict[str, StoredFile] = {}
    for each in given:
        found = [file for file in files if _is_meant(file.name, each, names)]
        if not found:
            raise DownloadError(f"{address}: {_nothing(each, files, is_hub_address(text))}")
        chosen |= {file.name: file for file in found}
    below = "" if is_exact else wanted
    return Found(
        store=store,
        files=tuple(chosen.values()),
        address=address,
        below=below,
        is_exact=is_exact,
        listed=files,
    )


def _is_pattern(text: str) -> bool:
    return any(letter in text for letter in "*?[")


def _is_meant(name: str, wanted: str, names: set[str]) -> bool:
    if not wanted or name == wanted:
        return True
    if wanted in names:
        return False
    if _is_pattern(wanted):
        from fsspec.utils import glob_translate

        return re.fullmatch(glob_translate(wanted), name, re.DOTALL) is not None
    return name.startswith(f"{wanted.rstrip('/')}/")


def _nothing(wanted: str, files: Sequence[StoredFile], is_hub: bool) -> str:
    folders = sorted({file.name.partition("/")[0] for file in files})
    there = ", ".join(folders[:8]) + (" ..." if len(folders) > 8 else "")
    what = f"no file {wanted!r} in it" if wanted else "files expected there, found none"
    beside = f"; it has {there}" if there else "; it is empty"
    return f"{what}{beside}{'; another @REVISION may' if is_hub and wanted else ''}"

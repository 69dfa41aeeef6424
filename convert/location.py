"""Where the checkpoint that a user names lies: a path, or a published network to download."""

import hashlib
import re
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Final

from convert.errors import DigitsError, SourceError
from convert.mxnet.names import graph_name
from convert.pytorch.hub import CONFIG, WEIGHTS, weights_in
from resnext.download import cache_folder, download
from resnext.fields import shown
from resnext.published import Row, published
from resnext.stores.opening import is_address, local_path

if TYPE_CHECKING:
    from resnext.download import Bar
    from resnext.stores.arrivals import Arrivals

# Published networks that a message names: those of the original release, which come first.
MOST_NAMES: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a checkpoint lies.

    Attributes:
        path: of the file, which may not be there yet.
        output: the default output is this path with another suffix.
        row: the published network to download to `path`; None for a file of the user.
        stored: the files of a store to fetch, the checkpoint first and what belongs beside it.
        address: of the checkpoint in the store, with the revision that was found.
    """

    path: Path
    output: Path
    row: Row | None = None
    stored: "Arrivals | None" = None
    address: str | None = None

    @property
    def is_remote(self) -> bool:
        """Tell whether the file has to be fetched before it can be read."""
        return self.row is not None or self.stored is not None


def find_location(text: str, *, cache: Path | None) -> Location:
    """Return what a user means: an existing path first, else a published network's name.

    Of an address of a store, `hf://OWNER/MODEL` say, the files are listed.

    Args:
        text: as it was given.
        cache: folder of downloads; None is the user's own.

    Raises:
        SourceError: neither, or a network of which no weights were published.
        DownloadError: an address with no such file, or with several that may be meant.
        OSError: the folder of downloads cannot be created.
    """
    local = local_path(text)
    text = text if local is None else local
    if not text:
        raise SourceError("a file or the name of a published network expected, found an empty word")
    if is_address(text) and not Path(text).exists():
        from convert.stored import find_checkpoint  # because few sources lie in a store

        found = find_checkpoint(text, cache=cache_folder(cache))
        return Location(
            path=found.arrivals.paths[0],
            output=found.output,
            stored=found.arrivals,
            address=found.address,
        )
    path = weights_of(Path(text))
    names = {row.name: row for row in published()}
    if path.is_file() or text not in names:
        require_file(path)
        if path.is_symlink() and not path.exists():
            raise SourceError(f"{text}: a file expected, found a link that leads to none")
        if not path.exists():
            raise SourceError(f"{text}: no such file{_published(text, names)}")
        if path != Path(text):  # in a folder of the hub, beside which the output lies
            return Location(path=path, output=_named_as(Path(text)))
        return Location(path=path, output=path)
    row = names[text]
    if row.file is None:
        raise SourceError(f"{text}: no weights of it were published; a path always works")
    return Location(path=cache_folder(cache) / row.file, output=Path(f"{text}.t7"), row=row)


def named_row(name: str) -> Row:
    """Return the published network that `--as` names.

    Raises:
        SourceError: there is none, or its architecture is not known.
    """
    names = {row.name: row for row in published()}
    if name not in names:
        raise SourceError(
            f"--as: the name of a published network expected, found {shown(name)}"
            f"{_published(name, names)}"
        )
    if names[name].spec is None:
        raise SourceError(f"--as {name}: the architecture of it is not known, so nothing is stated")
    return names[name]


def weights_of(path: Path) -> Path:
    """Return the weights in a folder of the Hugging Face hub; any other path as it is."""
    return (weights_in(path) if path.is_dir() else None) or path


def _named_as(folder: Path) -> Path:
    """Return a path beside a folder whose stem is the folder's name, without timm's suffix."""
    folder = folder.absolute()
    return folder if folder.suffix == ".timm" else folder.with_name(f"{folder.name}.safetensors")


# The first digits of a file's sha256 in its name, as PyTorch's hub has them.
DIGITS: Final = re.compile(
    r".*-(?P<digits>[0-9a-f]{8,64})\.(pth|pt|bin|pytorch|tar|pth\.tar|safetensors)"
)


def check_digits(path: Path, sha256: Callable[[], str]) -> None:
    """Check that a file is the one whose sha256 its name states.

    Args:
        path: of the file.
        sha256: returns the file's; called only if the name has digits.

    Raises:
        DigitsError: it begins with others.
        OSError: it cannot be read.
    """
    named = DIGITS.fullmatch(path.name)
    if named and not sha256().startswith(named["digits"]):
        raise DigitsError(sha256(), named["digits"])


def require_file(path: Path) -> None:
    """Check that what is at a path, if anything, is a file: a device or a pipe may never end.

    Raises:
        SourceError: it is something else.
    """
    if path.exists() and not path.is_file():
        found = "a folder" if path.is_dir() else "a device or socket"
        if path.is_fifo():
            found = "a pipe; save what it gives to a file first"
        if (path / CONFIG).is_file():
            found += f" with {CONFIG}, but without {' or '.join(WEIGHTS)}"
        raise SourceError(f"{path}: a file expected, found {found}")


def _published(text: str, names: Mapping[str, Row]) -> str:
    """Return a hint at published names if the text may mean one; timm spells some differently."""
    for name in names:
        if _letters(name) == _letters(text):
            return f"; did you mean {name}?"
    if Path(text).suffix or Path(text).name != text:
        return ""
    there = [name for name, row in names.items() if row.url]
    others = len(there) - MOST_NAMES
    more = f" and {others} of other sources (docs/published.md)" if others > 0 else ""
    return f"; published networks are {', '.join(there[:MOST_NAMES])}{more}"


def _letters(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def fetch_file(location: Location, bar: "Bar") -> Path:
    """Return the path of a checkpoint's file, downloaded first if need be; see `convert.fetch`."""
    if location.stored is not None:
        from convert.stored import fetch_stored

        return fetch_stored(location.stored, bar)
    row = location.row
    if row and row.url:
        folder, _, name = row.url.rpartition("/")
        if beside := graph_name(name):
            with bar(beside) as progress:
                graph = location.path.with_name(beside)
                download(f"{folder}/{beside}", graph, size=None, progress=progress)
        with bar(location.path.name) as progress:
            download(row.url, location.path, size=row.bytes, sha256=row.sha256, progress=progress)
    return location.path


def start_sha256(path: Path) -> Future[str]:
    """Start to compute a file's sha256 in a thread; its result is 64 hexadecimal digits.

    For a large file this takes longer than the rest of the conversion, which runs meanwhile. The
    thread is a daemon: a command that has failed ends at once.

    The result raises:
        OSError: the file cannot be read.
    """
    future: Future[str] = Future()
    Thread(target=_compute, args=(path, future), daemon=True).start()
    return future


def _compute(path: Path, future: Future[str]) -> None:
    try:
        with path.open("rb") as file:
            future.set_result(hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        future.set_exception(error)

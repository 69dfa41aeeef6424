"""Downloads: a file appears whole or not at all, and an interrupted download is resumed."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from resnext.download.pace import Pace
from resnext.download.partial import Partial, partial_of
from resnext.download.retries import PATIENCE, Patience, patiently
from resnext.download.transfer import (
    HINT,
    Order,
    Progress,
    check,
    kept,
    resume_at,
    sha256_of,
    transfer,
)
from resnext.errors import DownloadError

# Takes the name of a file; the block in which it is downloaded gets a function for its progress.
Bar = Callable[[str], AbstractContextManager[Progress]]

REDIRECTS: Final = 10
POLL: Final = 0.2  # seconds


def download(
    url: str,
    target: Path,
    *,
    size: int | None,
    sha256: str | None = None,
    progress: Progress = lambda _done, _total: None,
    patience: Patience = PATIENCE,
) -> Path:
    """Download the file at an address to a target, and return the target.

    The network is not used if the target exists with this size and checksum. When a download is
    interrupted, the bytes that have arrived stay beside the target for the next call to resume.

    Args:
        url: http or https.
        target: in a folder that exists; takes its name only when it is complete and checked.
        size: bytes, if known.
        sha256: hexadecimal, if known; its first digits, if only these are.
        progress: called once before the network is used, and then whenever bytes have arrived.
        patience: timeouts and retries.

    Raises:
        DownloadError: the address cannot be reached, answers with an error, or has another file
            than expected.
        OSError: the target cannot be written; what had arrived is removed.
    """
    order = Order(url=url, size=size, sha256=sha256, progress=progress, patience=patience)

    def wait(done: int) -> None:
        progress(done, size)
        patience.sleep(POLL)

    with _naming(target):
        if _has_arrived(target, order):
            return target
        with partial_of(target, wait=wait) as part:
            # Another process may have completed it meanwhile.
            if not _has_arrived(target, order):
                with _dropped_on(OSError, part):
                    _fetch(order, part)
                with _dropped_on((DownloadError, OSError), part):
                    check(order, part.path)
                    part.finish(target)
    return target


def cache_folder(override: Path | None) -> Path:
    """Return the folder of downloaded files, created if it is missing.

    Args:
        override: the user's choice; None for the system's place for caches.

    Raises:
        OSError: it cannot be created.
    """
    if override is None:
        from platformdirs import user_cache_path

        override = user_cache_path("resnext", appauthor=False)
    override.mkdir(parents=True, exist_ok=True)
    return override


def no_bar(_name: str) -> AbstractContextManager[Progress]:
    """Show no progress of a download."""
    return nullcontext(lambda _done, _total: None)


def download_all(urls: Sequence[str], cache: Path | None, progress: Bar) -> list[Path]:
    """Download files into the cache, those that are not there yet; return their paths.

    Args:
        urls: addresses, http or https.
        cache: folder of downloads; None for the user's own.
        progress: shows the progress of each file.

    Raises:
        DownloadError: a file cannot be downloaded; those before it are kept.
        OSError: the cache cannot be written.
    """
    return [_into_cache(url, cache_folder(cache) / "shards", progress) for url in urls]


def _into_cache(url: str, folder: Path, progress: Bar) -> Path:
    name = urlsplit(url).path.rpartition("/")[2] or "index"
    # Files of the same name at different addresses are kept apart.
    folder = folder / hashlib.sha256(url.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with progress(name) as advance:
        return download(url, folder / name, size=None, progress=advance)


@contextmanager
def _naming(target: Path) -> Iterator[None]:
    """Let an OSError name the target, which the user knows, in place of the hidden file."""
    try:
        yield
    except OSError as error:
        error.filename = os.fspath(target)
        raise


@contextmanager
def _dropped_on(
    errors: type[Exception] | tuple[type[Exception], ...], part: Partial
) -> Iterator[None]:
    try:
        yield
    except errors:
        part.drop()
        raise


def _has_arrived(target: Path, order: Order) -> bool:
    """Tell whether the target exists with the size and checksum, as far as these are known."""
    if not target.is_file() or order.size not in (None, target.stat().st_size):
        return False
    return order.sha256 is None or sha256_of(target).startswith(order.sha256.lower())


def _fetch(order: Order, part: Partial) -> None:
    """Complete a partial file.

    Raises:
        DownloadError: it cannot be completed; another call may resume it.
    """
    import requests

    start = resume_at(order, part)
    order.progress(start, order.size)
    if part.version and start == part.version.total:
        return  # An earlier run ended after the last byte, before it renamed the file.
    pace = Pace(clock=order.patience.clock)
    with requests.Session() as client:
        client.max_redirects = REDIRECTS
        patiently(
            lambda: transfer(client, order, part, pace),
            patience=order.patience,
            done=lambda: part.done,
            last_words=lambda: f"; {kept(order, part)}{HINT}",
        )

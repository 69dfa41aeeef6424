"""Downloads: a file appears whole or not at all, and an interrupted download is resumed."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from urllib.parse import urlsplit

from resnext.download.address import Address
from resnext.download.completion import Progress, complete
from resnext.download.retries import PATIENCE, Patience
from resnext.download.wanted import Wanted
from resnext.download.web import without_password

# Takes the name of a file; the block in which it is downloaded gets a function for its progress.
Bar = Callable[[str], AbstractContextManager[Progress]]


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
    wanted = Wanted(name=without_password(url), size=size, sha256=sha256)
    request = Address(url, wanted, patience).request
    complete(wanted, request, target, progress=progress, patience=patience)
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

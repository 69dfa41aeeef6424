"""Image files at http addresses, downloaded into the cache once and then read from there."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from urllib.parse import urlsplit

from resnext.download import Progress, cache_folder, download

# Takes the name of a file; the block in which it is downloaded gets a function for its progress.
Bar = Callable[[str], AbstractContextManager[Progress]]


def quiet(_name: str) -> AbstractContextManager[Progress]:
    """Show no progress of a download."""
    return nullcontext(lambda _done, _total: None)


def fetch(urls: Sequence[str], cache: Path | None, progress: Bar) -> list[Path]:
    """Download files into the cache, those that are not there yet; return their paths.

    Args:
        urls: addresses, http or https.
        cache: folder of downloads; None for the user's own.
        progress: shows the progress of each file.

    Raises:
        DownloadError: a file cannot be downloaded; those before it are kept.
        OSError: the cache cannot be written.
    """
    return [_fetch(url, cache_folder(cache) / "shards", progress) for url in urls]


def _fetch(url: str, folder: Path, progress: Bar) -> Path:
    name = urlsplit(url).path.rpartition("/")[2] or "index"
    # Files of the same name at different addresses are kept apart.
    folder = folder / hashlib.sha256(url.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with progress(name) as advance:
        return download(url, folder / name, size=None, progress=advance)

"""Image files that lie elsewhere: brought into the cache once, then read like any others."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from urllib.parse import urlsplit

from resnext.download import Progress, cache_folder, download

# Takes the name of a file that is downloaded while its block runs.
Bar = Callable[[str], AbstractContextManager[Progress]]


def quiet(_name: str) -> AbstractContextManager[Progress]:
    """Show nothing of a download."""
    return nullcontext(lambda _done, _total: None)


def fetch(urls: Sequence[str], cache: Path | None, progress: Bar) -> list[Path]:
    """Return where the files of some addresses lie in the cache, once all of them do.

    Args:
        urls: http or https.
        cache: folder of downloads; None is the user's own.
        progress: shows each.

    Raises:
        DownloadError: one cannot be had; those before it are kept.
        OSError: the cache cannot be written.
    """
    return [_fetch(url, cache_folder(cache) / "shards", progress) for url in urls]


def _fetch(url: str, folder: Path, progress: Bar) -> Path:
    name = urlsplit(url).path.rpartition("/")[2] or "index"
    # Files of one name at several addresses are several files.
    folder = folder / hashlib.sha256(url.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with progress(name) as advance:
        return download(url, folder / name, size=None, progress=advance)

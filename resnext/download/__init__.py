"""Downloads: a file appears whole or not at all, and an interrupted download is resumed."""

from resnext.download.completion import Progress
from resnext.download.fetch import Bar, cache_folder, download, download_all, no_bar
from resnext.download.retries import Patience
from resnext.download.web import without_password

__all__ = [
    "Bar",
    "Patience",
    "Progress",
    "cache_folder",
    "download",
    "download_all",
    "no_bar",
    "without_password",
]

"""Downloads: a file appears whole or not at all, and an interrupted download is resumed."""

from resnext.download.fetch import cache_folder, download
from resnext.download.transfer import Patience, Progress
from resnext.download.web import without_password

__all__ = ["Patience", "Progress", "cache_folder", "download", "without_password"]

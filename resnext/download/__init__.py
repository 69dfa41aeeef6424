"""Files from the network: whole or not at all, and a broken download goes on where it ended."""

from resnext.download.fetch import cache_folder, download
from resnext.download.transfer import Patience, Progress
from resnext.download.web import without_password

__all__ = ["Patience", "Progress", "cache_folder", "download", "without_password"]

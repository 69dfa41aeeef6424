"""What is known of a file before it comes, and whether what came is it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from resnext.download import web
from resnext.errors import DownloadError

HEAD: Final = 1 << 16  # bytes that tell a web page
HINT: Final = "a path to a copy on disk always works"


class WrongFileError(DownloadError):
    """What came is not the file that is expected: another try does not go on with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file, or one version of it, as far as it is known before all of it came.

    Attributes:
        name: its address, without secrets.
        size: in bytes, None if it is not known.
        sha256: hexadecimal, if known; its first digits, if only these are.
        validator: what names its version, such as a strong ETag; without one, what has arrived
            cannot be continued, as the file may have changed meanwhile.
    """

    name: str
    size: int | None = None
    sha256: str | None = None
    validator: str | None = None

    def is_at(self, path: Path) -> bool:
        """Tell whether a file has the size and checksum, as far as these are known."""
        if not path.is_file() or self.size not in (None, path.stat().st_size):
            return False
        return self.sha256 is None or digest(path, "sha256").startswith(self.sha256.lower())

    def check(self, path: Path) -> None:
        """Raise a WrongFileError for a complete file that is not the expected one."""
        with path.open("rb") as file:
            if web.is_page(file.read(HEAD)):
                raise WrongFileError(self.found_page())
        size = path.stat().st_size
        if self.size is None and size == 0:
            raise WrongFileError(f"{self.name}: a file expected, found an empty one; {HINT}")
        if self.size not in (None, size):
            raise WrongFileError(self.found_size(self.size, f"{size} came"))
        if self.sha256 and not (found := digest(path, "sha256")).startswith(self.sha256.lower()):
            raise WrongFileError(self.found_digest("sha256", self.sha256.lower(), found))

    def found_page(self) -> str:
        """Return the message on a web page in place of the file."""
        return (
            f"{self.name}: a web page came instead of the file: the login page of this network, or"
            f" the file has moved; {HINT}"
        )

    def found_size(self, expected: int | None, found: str) -> str:
        """Return the message on a file of another size."""
        return f"{self.name}: {expected} bytes expected, {found}; it is another file; {HINT}"

    def found_digest(self, kind: str, expected: str, found: str) -> str:
        """Return the message on a file with another checksum."""
        more = "" if len(expected) == len(found) else "..."
        return (
            f"{self.name}: {kind} {expected}{more} expected, found {found};"
            f" it is another file, or it was damaged on the way; {HINT}"
        )


def digest(path: Path, kind: str) -> str:
    """Return the checksum of a file, hexadecimal."""
    with path.open("rb") as file:
        new = hashlib.new(kind, usedforsecurity=False)
        return hashlib.file_digest(file, lambda: new).hexdigest()

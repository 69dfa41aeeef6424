"""A plain address, http or https: one request for a file or the rest of it, and its answer."""

import hashlib
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from resnext.download import web
from resnext.download.completion import CHUNK, HINT, broken_off, wrong_size
from resnext.download.partial import Partial, Version
from resnext.download.retries import Patience, TryAgainError
from resnext.errors import DownloadError

if TYPE_CHECKING:
    from requests import Response

REDIRECTS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A file at an address, which nobody lists: its version is what the answers say; a `Source`.

    Attributes:
        url: http or https.
        size: bytes, None if it is not known.
        sha256: hexadecimal, if known; its first digits, if only these are.
        patience: timeouts.
    """

    url: str
    size: int | None
    sha256: str | None
    patience: Patience

    @property
    def name(self) -> str:
        """Return the address for messages and notes."""
        return web.without_password(self.url)

    def is_at(self, path: Path) -> bool:
        """Tell whether a file has the size and checksum, as far as these are known."""
        if not path.is_file() or self.size not in (None, path.stat().st_size):
            return False
        return self.sha256 is None or _sha256_of(path).startswith(self.sha256.lower())

    def resumes_at(self, part: Partial) -> int:
        """Return how many bytes need not be asked for again: those of a version with a name."""
        version = part.version
        if version is None or version.validator is None or version.url != self.name:
            return 0
        if self.size is not None and version.total not in (None, self.size):
            return 0
        done = part.done
        return done if version.total is None or done <= version.total else 0

    def pieces(self, part: Partial) -> Generator[bytes]:
        """Yield what one request brings; see `Source.pieces`."""
        import requests
        import urllib3

        done = self.resumes_at(part)
        try:
            with requests.Session() as client:
                client.max_redirects = REDIRECTS
                with client.get(
                    self.url,
                    headers=_asked(part, done),
                    stream=True,
                    timeout=(self.patience.connect, self.patience.read),
                ) as response:
                    done = self._accepted(response, part, start=done)
                    # Not decoded: an archive sent with the encoding "gzip" must stay compressed.
                    while piece := response.raw.read1(CHUNK, decode_content=False):
                        done += len(piece)
                        yield piece
        except (requests.ConnectionError, requests.Timeout) as error:
            reason = f"{self.name}: cannot be reached ({_reason(error)}; offline?)"
            raise TryAgainError(reason) from error
        except urllib3.exceptions.HTTPError as error:
            total = part.version.total if part.version else None
            raise broken_off(self.name, done, total, _reason(error)) from error
        # Python raises ValueError for a malformed address that a redirect leads to.
        except (requests.RequestException, ValueError) as error:
            raise DownloadError(f"{self.name}: {_reason(error)}; {HINT}") from error

    def check(self, path: Path) -> None:
        """Raise a DownloadError for a complete file that is not the expected one."""
        with path.open("rb") as file:
            if web.is_page(file.read(CHUNK)):
                raise self._page()
        size = path.stat().st_size
        if self.size is None and size == 0:
            raise DownloadError(f"{self.name}: a file expected, found an empty one; {HINT}")
        if self.size not in (None, size):
            raise wrong_size(self.name, self.size, f"{size} came")
        expected = (self.sha256 or "").lower()
        if expected and not (found := _sha256_of(path)).startswith(expected):
            more = "" if len(expected) == len(found) else "..."
            raise DownloadError(
                f"{self.name}: sha256 {expected}{more} expected, found {found};"
                f" it is another file, or it was damaged on the way; {HINT}"
            )

    def _accepted(self, response: "Response", part: Partial, *, start: int) -> int:
        """Prepare the partial file for the body of an answer, or refuse the answer.

        Args:
            response: the answer.
            part: to be continued or begun anew.
            start: the first byte that was asked for.

        Returns:
            The place of the first byte of the body.
        """
        status = response.status_code
        if web.is_busy(status):
            pause = web.retry_after(response.headers)
            said = f"{self.name}: the server answers {web.status_text(status)}"
            raise TryAgainError(said, pause=pause)
        if start and status in (
            HTTPStatus.PARTIAL_CONTENT,
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        ):
            if status == HTTPStatus.PARTIAL_CONTENT and _continues(response, part, start=start):
                return start
            part.drop()
            raise TryAgainError(
                f"{self.name}: nothing can be added to the {start} bytes that arrived", pause=0
            )
        if status != HTTPStatus.OK:
            raise DownloadError(
                f"{self.name}: the server answers {web.status_text(status)}; {HINT}"
            )
        if web.is_page_type(response.headers):
            raise self._page()
        part.begin(self._version(response))
        return 0

    def _version(self, response: "Response") -> Version:
        """Return the version of a whole body, or refuse a body that cannot be the expected file."""
        total = web.content_length(response.headers)
        if total is None and not web.is_chunked(response.headers):
            if self.size is None and self.sha256 is None:
                raise DownloadError(
                    f"{self.name}: the server does not say how long the file is, so nobody could "
                    f"tell when it is complete; {HINT}"
                )
            total = self.size
        elif None not in (total, self.size) and total != self.size:
            if web.is_page(response.raw.read(CHUNK, decode_content=False)):
                raise self._page()
            raise wrong_size(self.name, self.size, f"{total} are offered")
        return Version(url=self.name, validator=web.validator(response.headers), total=total)

    def _page(self) -> DownloadError:
        return DownloadError(
            f"{self.name}: a web page came instead of the file: the login page of this network, or"
            f" the file has moved; {HINT}"
        )


def _asked(part: Partial, start: int) -> Mapping[str, str]:
    """Return the headers of a request for a file, or for the rest of this version of it."""
    # The lengths and ranges of a compressed body would not be those of the file.
    headers = {"Accept-Encoding": "identity"}
    if start and part.version and part.version.validator:
        headers |= {"Range": f"bytes={start}-", "If-Range": part.version.validator}
    return headers


def _continues(response: "Response", part: Partial, *, start: int) -> bool:
    """Tell whether a body is the missing rest of the version that the partial file belongs to."""
    version, sent = part.version, web.content_range(response.headers)
    if version is None or sent is None:
        return False
    first, total = sent
    if first != start or version.total not in (None, total):
        return False
    if web.validator(response.headers) not in (None, version.validator):
        return False
    part.describe(replace(version, total=total))
    return True


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: BaseException) -> str:
    """Return the message of the innermost cause: requests and urllib3 wrap it up to four times."""
    # Not __context__, which may lead to an error that the caller was handling.
    while deeper := error.__cause__ or next(
        (argument for argument in error.args if isinstance(argument, BaseException)), None
    ):
        error = deeper
    words = error.strerror if isinstance(error, OSError) else None
    return web.without_password(words or str(error)) or type(error).__name__

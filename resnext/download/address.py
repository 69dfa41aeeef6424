"""A plain address, http or https: one request for a file or the rest of it, and its answer."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from resnext.download import web
from resnext.download.completion import CHUNK, broken_off
from resnext.download.partial import Partial
from resnext.download.retries import Patience, TryAgainError
from resnext.download.wanted import HINT, Wanted
from resnext.errors import DownloadError

if TYPE_CHECKING:
    from requests import Response

REDIRECTS: Final = 10


@dataclass(frozen=True, slots=True)
class Address:
    """A file at an address; nobody lists its version, which is what the answers say.

    Attributes:
        url: http or https.
        wanted: what is known of the file.
        patience: timeouts.
    """

    url: str
    wanted: Wanted
    patience: Patience

    def request(self, part: Partial, start: int) -> Generator[bytes]:
        """Ask for the file, or the rest of it; see `completion.Request`.

        Raises:
            TryAgainError: a retry may complete it.
            DownloadError: a retry would not help.
        """
        import requests
        import urllib3

        name, timeout = self.wanted.name, (self.patience.connect, self.patience.read)
        done = start
        try:
            with requests.Session() as client:
                client.max_redirects = REDIRECTS
                headers = _asked(part, start)
                with client.get(self.url, headers=headers, stream=True, timeout=timeout) as answer:
                    done = self._accepted(answer, part, start)
                    # Not decoded: an archive sent with the encoding "gzip" must stay compressed.
                    while piece := answer.raw.read1(CHUNK, decode_content=False):
                        done += len(piece)
                        yield piece
        except (requests.ConnectionError, requests.Timeout) as error:
            reason = f"{name}: cannot be reached ({_reason(error)}; offline?)"
            raise TryAgainError(reason) from error
        except urllib3.exceptions.HTTPError as error:
            raise broken_off(name, part, done, _reason(error)) from error
        # Python raises ValueError for a malformed address that a redirect leads to.
        except (requests.RequestException, ValueError) as error:
            raise DownloadError(f"{name}: {_reason(error)}; {HINT}") from error

    def _accepted(self, answer: "Response", part: Partial, start: int) -> int:
        """Prepare the partial file for the body of an answer, or refuse the answer.

        Returns:
            The place of the body's first byte: the one that was asked for, or 0.
        """
        status, name = answer.status_code, self.wanted.name
        said = f"{name}: the server answers {web.status_text(status)}"
        if web.is_busy(status):
            raise TryAgainError(said, pause=web.retry_after(answer.headers))
        if start and status == HTTPStatus.PARTIAL_CONTENT and _continues(answer, part, start):
            return start
        if start and status in (
            HTTPStatus.PARTIAL_CONTENT,
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        ):
            part.drop()
            raise TryAgainError(
                f"{name}: nothing can be added to the {start} bytes that arrived", pause=0
            )
        if status != HTTPStatus.OK:
            raise DownloadError(f"{said}; {HINT}")
        if web.is_page_type(answer.headers):
            raise DownloadError(self.wanted.found_page())
        part.begin(self._version(answer))
        return 0

    def _version(self, answer: "Response") -> Wanted:
        """Return the version of a whole body, or refuse a body that cannot be the expected file."""
        wanted, total = self.wanted, web.content_length(answer.headers)
        if total is None and not web.is_chunked(answer.headers):
            if wanted.size is None and wanted.sha256 is None:
                raise DownloadError(
                    f"{wanted.name}: the server does not say how long the file is, so nobody could "
                    f"tell when it is complete; {HINT}"
                )
            total = wanted.size
        elif None not in (total, wanted.size) and total != wanted.size:
            if web.is_page(answer.raw.read(CHUNK, decode_content=False)):
                raise DownloadError(wanted.found_page())
            raise DownloadError(wanted.found_size(wanted.size, f"{total} are offered"))
        return Wanted(name=wanted.name, validator=web.validator(answer.headers), size=total)


def _asked(part: Partial, start: int) -> Mapping[str, str]:
    """Return the headers of a request for a file, or for the rest of this version of it."""
    # The lengths and ranges of a compressed body would not be those of the file.
    headers = {"Accept-Encoding": "identity"}
    if start and part.version and part.version.validator:
        headers |= {"Range": f"bytes={start}-", "If-Range": part.version.validator}
    return headers


def _continues(answer: "Response", part: Partial, start: int) -> bool:
    """Tell whether a body is the missing rest of the version that the partial file belongs to."""
    version, sent = part.version, web.content_range(answer.headers)
    if version is None or sent is None:
        return False
    first, total = sent
    if first != start or version.size not in (None, total):
        return False
    if web.validator(answer.headers) not in (None, version.validator):
        return False
    part.describe(replace(version, size=total))
    return True


def _reason(error: BaseException) -> str:
    """Return the message of the innermost cause: requests and urllib3 wrap it up to four times."""
    # Not __context__, which may lead to an error that the caller was handling.
    while deeper := error.__cause__ or next(
        (argument for argument in error.args if isinstance(argument, BaseException)), None
    ):
        error = deeper
    words = error.strerror if isinstance(error, OSError) else None
    return web.without_password(words or str(error)) or type(error).__name__

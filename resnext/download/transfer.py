"""One HTTP request for a file or the rest of it: the answer is checked, its body stored."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from resnext.download import web
from resnext.download.pace import Pace, TooSlowError
from resnext.download.partial import Partial, Version
from resnext.download.retries import Patience, TryAgainError
from resnext.errors import DownloadError

if TYPE_CHECKING:
    from requests import Response, Session

# Called with the bytes that have arrived and the size of the file, None where that is not known.
Progress = Callable[[int, int | None], None]

CHUNK: Final = 1 << 16  # bytes; at most this much is lost when the process is killed
HINT: Final = "a path to a copy on disk always works"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be downloaded: the arguments of `download`."""

    url: str
    size: int | None
    sha256: str | None
    progress: Progress
    patience: Patience

    @property
    def name(self) -> str:
        """Return the address for messages and notes."""
        return web.without_password(self.url)


def resume_at(order: Order, part: Partial) -> int:
    """Return how many bytes have arrived that need not be requested again."""
    version = part.version
    if version is None or version.validator is None or version.url != order.name:
        return 0
    if order.size is not None and version.total not in (None, order.size):
        return 0
    done = part.done
    return done if version.total is None or done <= version.total else 0


def transfer(client: "Session", order: Order, part: Partial, pace: Pace) -> None:
    """Request what is missing once, and store what arrives.

    Args:
        client: makes the request.
        order: what is wanted.
        part: takes it.
        pace: of all requests for it.

    Raises:
        TryAgainError: the file is not complete, and a retry may complete it.
        DownloadError: a retry would not help.
    """
    import requests
    import urllib3

    start = resume_at(order, part)
    # The lengths and ranges of a compressed body would not be those of the file.
    ask = {"Accept-Encoding": "identity"}
    if start and part.version and part.version.validator:
        ask |= {"Range": f"bytes={start}-", "If-Range": part.version.validator}
    timeout = (order.patience.connect, order.patience.read)
    try:
        with client.get(order.url, headers=ask, stream=True, timeout=timeout) as response:
            _accept(response, order, part, start=start)
            _store(response, order, part, pace)
    except (requests.ConnectionError, requests.Timeout) as error:
        reason = f"{order.name}: cannot be reached ({_reason(error)}; offline?)"
        raise TryAgainError(reason) from error
    except TooSlowError as error:
        raise DownloadError(f"{order.name}: {error}; {kept(order, part)}{HINT}") from error
    except urllib3.exceptions.HTTPError as error:
        raise TryAgainError(_broken_off(order, part, _reason(error))) from error
    # Python raises ValueError for a malformed address that a redirect leads to.
    except (requests.RequestException, ValueError) as error:
        raise DownloadError(f"{order.name}: {_reason(error)}; {HINT}") from error


def _accept(response: "Response", order: Order, part: Partial, *, start: int) -> None:
    """Prepare the partial file for the body of this answer, or refuse the answer.

    Args:
        start: the first byte that was requested.
    """
    status, url = response.status_code, order.name
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        pause = web.retry_after(response.headers)
        raise TryAgainError(f"{url}: the server answers {_status(status)}", pause=pause)
    if start and status in (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
        if status == HTTPStatus.PARTIAL_CONTENT and _continues(response, part, start=start):
            return
        part.drop()
        raise TryAgainError(
            f"{url}: nothing can be added to the {start} bytes that arrived", pause=0
        )
    if status != HTTPStatus.OK:
        raise DownloadError(f"{url}: the server answers {_status(status)}; {HINT}")
    if web.is_page_type(response.headers):
        raise DownloadError(_page(order))
    part.begin(_version(response, order))


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


def _version(response: "Response", order: Order) -> Version:
    """Return the version of a whole body, or refuse a body that cannot be the expected file."""
    total = web.content_length(response.headers)
    if total is None and not web.is_chunked(response.headers):
        if order.size is None and order.sha256 is None:
            raise DownloadError(
                f"{order.name}: the server does not say how long the file is, so nobody could tell"
                f" when it is complete; {HINT}"
            )
        total = order.size
    elif None not in (total, order.size) and total != order.size:
        if web.is_page(response.raw.read(CHUNK, decode_content=False)):
            raise DownloadError(_page(order))
        raise DownloadError(_wrong_size(order, order.size, f"{total} are offered"))
    validator = web.validator(response.headers)
    return Version(url=order.name, validator=validator, total=total)


def _store(response: "Response", order: Order, part: Partial, pace: Pace) -> None:
    """Append a body to the partial file."""
    total = part.version.total if part.version else None
    limit = total if total is not None else order.size
    done = part.done
    with part.path.open("ab") as file:
        for chunk in _chunks(response, pace, sized=limit is not None):
            file.write(chunk)
            done += len(chunk)
            if limit is not None and done > limit:
                break
            if limit is None and done > order.patience.most:
                part.drop()
                raise DownloadError(
                    f"{order.name}: a file of at most {order.patience.most} bytes expected where "
                    f"its length is not said, found no end; {HINT}"
                )
            order.progress(done, limit)
    if limit is not None and done > limit:
        part.drop()
        raise DownloadError(_wrong_size(order, limit, "more are sent"))
    if total is not None and done < total:
        raise TryAgainError(_broken_off(order, part, "the connection was closed"))


def _chunks(response: "Response", pace: Pace, *, sized: bool) -> Iterator[bytes]:
    """Yield a body in parts of `CHUNK` bytes, the last one shorter.

    What has arrived is taken as it comes: waiting for a whole chunk might take months.
    """
    import urllib3

    held = bytearray()
    try:
        # Not decoded: an archive that is sent with the encoding "gzip" must stay compressed.
        while part := response.raw.read1(CHUNK - len(held), decode_content=False):
            held += part
            pace.add(len(part), sized=sized)
            if len(held) == CHUNK:
                yield bytes(held)
                held.clear()
    except (urllib3.exceptions.HTTPError, TooSlowError):
        yield bytes(held)
        raise
    if held:
        yield bytes(held)


def kept(order: Order, part: Partial) -> str:
    """Return "the N bytes that arrived are kept for another try; ", or "" if none are kept."""
    count = resume_at(order, part) if part.lasts else 0
    return f"the {count} bytes that arrived are kept for another try; " if count else ""


def check(order: Order, path: Path) -> None:
    """Raise a DownloadError for a complete file that is not the expected one."""
    with path.open("rb") as file:
        if web.is_page(file.read(CHUNK)):
            raise DownloadError(_page(order))
    size = path.stat().st_size
    if order.size is None and size == 0:
        raise DownloadError(f"{order.name}: a file expected, found an empty one; {HINT}")
    if order.size not in (None, size):
        raise DownloadError(_wrong_size(order, order.size, f"{size} came"))
    expected = (order.sha256 or "").lower()
    if expected and not (found := sha256_of(path)).startswith(expected):
        more = "" if len(expected) == len(found) else "..."
        raise DownloadError(
            f"{order.name}: sha256 {expected}{more} expected, found {found};"
            f" it is another file, or it was damaged on the way; {HINT}"
        )


def sha256_of(path: Path) -> str:
    """Return the checksum of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _wrong_size(order: Order, expected: int | None, found: str) -> str:
    return f"{order.name}: {expected} bytes expected, {found}; it is another file; {HINT}"


def _broken_off(order: Order, part: Partial, reason: str) -> str:
    total = part.version.total if part.version else None
    of = "" if total is None else f" of {total}"
    return f"{order.name}: the download broke off at byte {part.done}{of} ({reason})"


def _page(order: Order) -> str:
    return (
        f"{order.name}: a web page came instead of the file: the login page of this network, or"
        f" the file has moved; {HINT}"
    )


def _status(code: int) -> str:
    """Return a status with its standard meaning; the server's own text is not trusted."""
    from http.client import responses

    return f"{code} {responses.get(code, '')}".rstrip()


def _reason(error: BaseException) -> str:
    """Return the message of the innermost cause: requests and urllib3 wrap it up to four times."""
    # Not __context__, which may lead to an error that the caller was handling.
    while deeper := error.__cause__ or next(
        (argument for argument in error.args if isinstance(argument, BaseException)), None
    ):
        error = deeper
    words = error.strerror if isinstance(error, OSError) else None
    return web.without_password(words or str(error)) or type(error).__name__

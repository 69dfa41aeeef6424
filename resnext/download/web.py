"""HTTP: what the header of an answer says about the file behind it, and addresses in messages."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

Headers = Mapping[str, str]

_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_PASSWORD: Final = re.compile(r"([a-z][a-z0-9+.-]*://[^/?#:@]*):[^/?#]*@", re.IGNORECASE)
# Of a signed address, which opens the file to anyone: the values of such fields in its query.
_SIGNED: Final = re.compile(
    r"([?&][^=&#\s]*(?:sig|token|key|secret|password|credential|policy|auth)[^=&#\s]*=)[^&#\s]+",
    re.IGNORECASE,
)
_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")


def content_length(headers: Headers) -> int | None:
    """Return the length of the body in bytes, None if the header does not state it."""
    return None if is_chunked(headers) else _number(headers.get("Content-Length"))


def is_chunked(headers: Headers) -> bool:
    """Tell whether the body is sent in chunks, so that its end is marked in the body."""
    return "chunked" in headers.get("Transfer-Encoding", "").lower()


def content_range(headers: Headers) -> tuple[int, int] | None:
    """Return the position of the first byte sent and the length of the file, or None."""
    match = _RANGE.fullmatch(headers.get("Content-Range", ""))
    return (int(match[1]), int(match[2])) if match else None


def validator(headers: Headers) -> str | None:
    """Return the validator of this version of the file, to be sent as If-Range; None without one.

    This is a strong ETag, or a Last-Modified at least a second before the answer: within that
    second the file may have changed again (RFC 9110, 8.8.2.2).
    """
    tag = headers.get("ETag", "")
    if tag.startswith('"'):
        return tag
    modified = headers.get("Last-Modified")
    return modified if headers.get("Date") not in (None, modified) else None


def retry_after(headers: Headers) -> float | None:
    """Return the seconds that the server asks to wait before a retry, None if it does not."""
    text = headers.get("Retry-After")
    if (seconds := _number(text)) is not None:
        return seconds
    from email.utils import parsedate_to_datetime

    try:
        # Both times are by the server's clock: this machine's may be wrong.
        until, now = (parsedate_to_datetime(headers[name]) for name in ("Retry-After", "Date"))
        return max(0.0, (until - now).total_seconds())
    except (KeyError, TypeError, ValueError):
        return None


def is_page_type(headers: Headers) -> bool:
    """Tell whether the header declares the body to be a web page."""
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return kind in ("text/html", "application/xhtml+xml")


def is_page(head: bytes) -> bool:
    """Tell by its first bytes whether a body is a web page, whatever type is declared."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head"))


def is_busy(status: int) -> bool:
    """Tell whether another try may have another answer than this status."""
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def status_text(status: int) -> str:
    """Return a status with its standard meaning; the server's own text is not trusted."""
    from http.client import responses

    return f"{status} {responses.get(status, '')}".rstrip()


def without_password(text: str) -> str:
    """Return a text without the secrets of the addresses in it: `http://user@host/x.tar?sig=...`.

    These are passwords, and what signs an address that opens a file to anyone.
    """
    return _SIGNED.sub(r"\1...", _PASSWORD.sub(r"\1@", text))


def _number(text: str | None) -> int | None:
    return int(text) if text and _NUMBER.fullmatch(text) else None

"""Addresses of stores that fsspec reads: what they say, without asking it."""

import glob
import re
from typing import Final

from resnext.download import web
from resnext.errors import DownloadError
from resnext.fields import cut

SCHEME: Final = re.compile(r"([a-z][a-z0-9+._-]*)(?:::|://)", re.IGNORECASE)
CHAIN: Final = re.compile(r"::(?=[a-z])", re.IGNORECASE)
PATTERN: Final = re.compile(r"[*?{]")
# What stands first in an address of a scheme, where nothing is read without it.
FIRST: Final = {
    **dict.fromkeys(("s3", "s3a", "gs", "gcs", "oss"), "bucket"),
    **dict.fromkeys(("az", "abfs", "abfss", "adl"), "container"),
    **dict.fromkeys(("http", "https", "ftp", "sftp", "ssh", "smb"), "host"),
}


def is_store_address(text: str) -> bool:
    """Tell whether a text is meant as an address: `s3://bucket/x`, `zip::s3://...`, `s3:x`."""
    scheme, colon, _ = text.partition(":")
    return bool(SCHEME.match(text) and "://" in text) or bool(colon and scheme in FIRST)


def check_address(text: str) -> None:
    """Raise a DownloadError for an address that does not say which bucket or host is meant."""
    for part in CHAIN.split(text):
        scheme, colon, rest = part.partition(":")
        what = FIRST.get(scheme.lower())
        first = rest.removeprefix("//").partition("/")[0]
        before, at, name = first.rpartition("@")
        if at and what == "container":
            name = before  # and the account behind it
        expected, found = f"{scheme}://{(what or '').upper()}/FOLDER", None
        if scheme != scheme.lower() and rest.startswith("//"):
            expected, found = f"{scheme.lower()}:// in small letters", f"{scheme}://"
        elif colon and what and not rest.startswith("//"):
            found = f"no // behind {scheme}:"
        elif colon and what and not name:
            found = f"no {what}"
        elif what and PATTERN.search(name):
            found = f"a pattern for the {what}"
        elif what == "bucket" and before:
            found = "credentials in it; the store's own package takes them from variables and files"
        if found:
            shown = cut(web.without_password(text))
            raise DownloadError(f"{shown}: {expected} expected, found {found}")


def without_pattern(address: str) -> tuple[str, str]:
    """Return the part of an address before its first wildcard or brace, and the rest.

    The parts of a chained address, `zip://*.jpg::s3://bucket/x.zip`, stay behind the first one.
    """
    first, chained, rest = address.partition("::")
    if SCHEME.match(address) and "://" not in first:  # zip::s3://...: no path of its own
        return address, ""
    scheme, _, path = first.partition("://")
    kept: list[str] = []
    parts = path.split("/")
    while parts and not (glob.has_magic(parts[0]) or "{" in parts[0]):
        kept.append(parts.pop(0))
    return f"{scheme}://{'/'.join(kept)}{chained}{rest}", "/".join(parts)

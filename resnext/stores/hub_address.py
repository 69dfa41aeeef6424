"""Addresses of the Hugging Face Hub: what they say, without asking it."""

import os
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from resnext.download import web
from resnext.errors import DownloadError
from resnext.fields import cut, shown

# A path turns `hf://` into `hf:/`.
ADDRESS: Final = re.compile(
    r"hf:/{1,2}(?:(?P<kind>datasets|models)/)?(?P<repo>[\w.-]+/[\w.-]+)"
    r"(?:@(?P<revision>refs/(?:convert/[\w.-]+|pr/\d+)|[^/@]+))?(?:/(?P<path>.*))?",
    re.ASCII,
)
PAGE: Final = "https://huggingface.co"


def is_hub_address(text: str) -> bool:
    """Tell whether a text is meant as an address on the Hub."""
    return text.startswith("hf:")


def hub_endpoint() -> str | None:
    """Return the address of another Hub, which HF_ENDPOINT names; None for the usual one.

    Raises:
        DownloadError: it is no address.
    """
    text = os.environ.get("HF_ENDPOINT") or None
    try:
        parts = urlsplit(text or PAGE)
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, or brackets around what is no IPv6 address
        is_address = False
    if text is not None and not (is_address and text.isprintable()):
        raise DownloadError(
            f"HF_ENDPOINT: http:// or https:// and a host expected, found "
            f"{shown(web.without_password(text))}; unset it for {PAGE}"
        )
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class HubAddress:
    """What `hf://[datasets/]OWNER/NAME[@REVISION][/PATH]` says.

    Attributes:
        kind: "dataset" or "model".
        repo: OWNER/NAME.
        revision: a branch, tag or commit; None for the default one.
        path: of a file or folder, or a pattern; "" for all.
    """

    kind: str
    repo: str
    revision: str | None
    path: str

    @classmethod
    def parse(cls, text: str) -> "HubAddress":
        """Read an address.

        Raises:
            DownloadError: it is none.
        """
        found = ADDRESS.fullmatch(text)
        owner = found["repo"].partition("/")[0] if found else ""
        if (
            found is None
            or not text.isprintable()
            or owner in ("datasets", "models", "spaces", "buckets")
        ):
            raise DownloadError(
                f"{cut(text)}: hf://OWNER/MODEL or hf://datasets/OWNER/NAME expected, with "
                "@REVISION and /PATH where they are needed"
            )
        kind = (found["kind"] or "models").removesuffix("s")
        path = (found["path"] or "").strip("/")
        revision = (found["revision"] or "").replace("%2F", "/") or None
        return cls(kind=kind, repo=found["repo"], revision=revision, path=path)

    @property
    def name(self) -> str:
        """Return the address of the repository."""
        return f"hf://{'datasets/' * (self.kind == 'dataset')}{self.repo}"

    @property
    def page(self) -> str:
        """Return the address of its page."""
        return f"{PAGE}/{'datasets/' * (self.kind == 'dataset')}{self.repo}"

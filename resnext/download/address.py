"""Addresses as people may see them."""

import re
from typing import Final

_PASSWORD: Final = re.compile(r"(https?://[^/?#:@]*):[^/?#]*@", re.IGNORECASE)


def shown(text: str) -> str:
    """Return an address, or what names one, without its password: `http://user@host/x.tar`."""
    return _PASSWORD.sub(r"\1@", text)

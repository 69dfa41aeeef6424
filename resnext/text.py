"""Text from files, and the names of files, as a terminal or a page may show them."""

import re
from typing import Final

# Control characters, which would end a line or colour a terminal, marks that turn the direction of
# what follows, and what XML cannot hold.
UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff]"
)


def printable(text: str) -> str:
    """Return a text from a file, or the name of one, as one line that UTF-8 and XML can hold."""
    shown = UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)
    return shown.encode("utf-8", "backslashreplace").decode()

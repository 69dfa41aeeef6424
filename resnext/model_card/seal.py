"""The last line of a card that a program wrote: whether a person has changed it since."""

import hashlib
import re
from typing import Final

SEAL: Final = re.compile(
    r"<!-- Written by resnext [^ ]*; while nobody changes it, the sha256 above this line is "
    r"(?P<sha256>[0-9a-f]{64}) -->\s*\Z"
)


def sealed(text: str, version: str) -> str:
    """Return a card with a last line that states its checksum, in place of the one it has.

    Args:
        text: of a card, whose lines end with \\n or \\r\\n.
        version: of this project.
    """
    text = SEAL.sub("", text)
    return (
        f"{text}<!-- Written by resnext {version}; while nobody changes it, the sha256 above this "
        f"line is {_sha256(text)} -->{chr(13) if text.endswith(chr(13) + chr(10)) else ''}\n"
    )


def is_sealed(text: str) -> bool:
    """Tell whether a card is as it was written, with a last line that states its checksum."""
    found = SEAL.search(text)
    return found is not None and found["sha256"] == _sha256(text[: found.start()])


def _sha256(text: str) -> str:
    # Git and editors may change the ends of lines alone.
    return hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()

"""Patterns of paths or addresses: braces that spell out each name, and wildcards.

Braces mean what they mean in bash and in the webdataset library: `{a,b}` lists texts, which may
hold braces themselves, `{00..63}` and `{a..e..2}` count, a backslash takes a character as it is.
`::` stands between several patterns.
"""

import glob
import re
import string
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from resnext.download import without_password
from resnext.errors import DataError
from resnext.images.names import few

MOST_NAMES: Final = 100_000
LONGEST_NUMBER: Final = 18  # digits

TOKEN: Final = re.compile(r"\\.|[^\\{},]+|.", re.DOTALL)
NUMBERS: Final = re.compile(r"(-?\d+)\.\.(-?\d+)(?:\.\.-?(\d+))?", re.ASCII)
LETTERS: Final = re.compile(r"([A-Za-z])\.\.([A-Za-z])(?:\.\.-?(\d+))?", re.ASCII)
PADDED: Final = re.compile(r"-?0\d+", re.ASCII)
ALPHABET: Final = string.ascii_uppercase + string.ascii_lowercase


class _TooManyError(Exception):
    """A pattern that names more than `MOST_NAMES`."""


def expand(pattern: str) -> list[str]:
    """Return the paths or addresses that a pattern with braces names, in its order.

    Raises:
        DataError: a brace has no partner, or the pattern names too many.
    """
    where = without_password(pattern)
    try:
        names: list[str] = []
        for part in pattern.split("::"):
            names = _bounded(names, _expand_braces(part))
    except _TooManyError as error:
        raise DataError(
            f"{where}: {MOST_NAMES:,} names at most expected, found more; use fewer"
        ) from error
    except ValueError as error:
        raise DataError(f"{where}: a pattern like {{00..63}} expected: {error}") from error
    return names


def matching_files(pattern: str) -> list[Path]:
    """Return the files that a pattern names: all that its braces spell out, or those that exist.

    Raises:
        DataError: one that is spelled out does not exist, or none matches.
    """
    if "{" in pattern:
        paths = [Path(name) for name in expand(pattern)]
        if missing := [str(path) for path in paths if not path.is_file()]:
            raise DataError(f"{pattern}: {len(paths)} files expected, missing {few(missing)}")
        return paths
    names = glob.glob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute one
    paths = sorted(Path(name) for name in names)
    if not paths:
        raise DataError(f"{pattern}: files that match the pattern expected, found none")
    return paths


def _expand_braces(text: str) -> list[str]:
    # For each open brace: alternatives and names before it, and where the text inside starts.
    outer: list[tuple[list[str], list[str], int]] = []
    alternatives: list[str] = []  # of the innermost open brace, up to the last comma
    names = [""]  # behind that comma
    for token in TOKEN.finditer(text):
        match token[0]:
            case "{":
                outer.append((alternatives, names, token.end()))
                alternatives, names = [], [""]
            case "}":
                if not outer:
                    raise ValueError(f"Unbalanced braces: {text!r}")
                listed = _bounded(alternatives, names) if alternatives else None
                before = names
                alternatives, names, start = outer.pop()
                inside = listed or _counted(text[start : token.start()])
                names = _joined(names, inside or [f"{{{name}}}" for name in before])
            case "," if outer:
                alternatives, names = _bounded(alternatives, names), [""]
            case other:
                literal = other[1:] if len(other) == 2 and other[0] == "\\" else other
                names = [name + literal for name in names]
    if outer:
        raise ValueError(f"Unbalanced braces: {text!r}")
    return names


def _counted(inside: str) -> list[str] | None:
    """Return the numbers or letters of a range such as "08..10" or "a..e"; None if it is none."""
    found = NUMBERS.fullmatch(inside) or LETTERS.fullmatch(inside)
    if found is None:
        return None
    first, last, step = found.groups(default="1")
    if max(map(len, (first, last, step))) > LONGEST_NUMBER:
        raise _TooManyError
    if first.isalpha():
        places = _steps(ALPHABET.index(first), ALPHABET.index(last), int(step))
        return [ALPHABET[place] for place in places]
    padded = any(PADDED.fullmatch(end) for end in (first, last))
    width = max(len(first), len(last)) if padded else 0
    return [f"{number:0{width}d}" for number in _steps(int(first), int(last), int(step))]


def _steps(first: int, last: int, step: int) -> range:
    step = max(step, 1)
    if abs(last - first) // step >= MOST_NAMES:
        raise _TooManyError
    return range(first, last + 1, step) if first <= last else range(first, last - 1, -step)


def _joined(left: list[str], right: list[str]) -> list[str]:
    """Return each text of the left followed by each of the right."""
    if len(left) * len(right) > MOST_NAMES:
        raise _TooManyError
    return [before + behind for before in left for behind in right]


def _bounded(names: list[str], more: list[str]) -> list[str]:
    if len(names) + len(more) > MOST_NAMES:
        raise _TooManyError
    return names + more


def names_shard(url: str) -> bool:
    """Tell whether an address of the web names a tar."""
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets around what is no IPv6 address
        return False
    # Bytes that are no UTF-8 are escaped as characters that are not printable.
    return parts.scheme in ("http", "https") and parts.path.endswith(".tar") and url.isprintable()

"""Where two descriptions differ, as a message says it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile, zip_longest
from typing import Final

WIDTH: Final = 40  # characters of a value that are shown
BEFORE: Final = 10  # of them, in front of the first that differs


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field that two descriptions do not share.

    Attributes:
        name: the names and, from 1, the numbers that lead to it: "runs 2 crops".
        one, other: what stands there as JSON, cut where it is long; "null" where nothing does.
    """

    name: str
    one: str
    other: str


def first_difference(one: object, other: object, name: str = "") -> Difference | None:
    """Return the first field in which two descriptions differ; None if there is none.

    Args:
        one, other: what JSON can hold; the fields of the former come first.
        name: of the descriptions.
    """
    pairs: list[tuple[object, object, object]]
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        pairs = [(key, one.get(key), other.get(key)) for key in dict.fromkeys([*one, *other])]
    elif isinstance(one, list) and isinstance(other, list):
        pairs = [(n, *pair) for n, pair in enumerate(zip_longest(one, other), 1)]
    elif one == other:
        return None
    else:
        mine, theirs = _text(one), _text(other)
        same = takewhile(lambda pair: pair[0] == pair[1], zip_longest(mine, theirs))
        start = len(list(same)) - BEFORE
        return Difference(name=name, one=_cut(mine, start), other=_cut(theirs, start))
    found = (first_difference(a, b, f"{name} {key}".strip()) for key, a, b in pairs)
    return next((each for each in found if each), None)


def _text(value: object) -> str:
    try:
        return json.dumps(value)
    except RecursionError:  # of a file that is hostile
        return "more"


def _cut(text: str, start: int) -> str:
    """Return a text that is not too long, or what stands in it from a place on."""
    if len(text) <= WIDTH:
        return text
    if start > WIDTH // 2:
        text = f"...{text[start:]}"
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}..."

"""The first difference between two descriptions, for a message."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile, zip_longest
from typing import Final

from resnext.fields import cut

WIDTH: Final = 40  # characters of a value that a message shows at most
BEFORE: Final = 10  # of these, how many precede the first one that differs


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field in which two descriptions differ.

    Attributes:
        name: the keys and 1-based list positions that lead to the field: "runs 2 crops".
        one, other: its two values as JSON, shortened; "null" where a description lacks the field.
    """

    name: str
    one: str
    other: str


def first_difference(one: object, other: object, name: str = "") -> Difference | None:
    """Return the first field in which two descriptions differ; None if there is none.

    Args:
        one, other: values that JSON can hold; the fields of the first are compared first.
        name: of the place of the two values, for the recursion.
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
    found = (first_difference(a, b, cut(f"{name} {key}".strip())) for key, a, b in pairs)
    return next((each for each in found if each), None)


def _text(value: object) -> str:
    try:
        return json.dumps(value)
    except RecursionError:  # a hostile file can nest values too deeply
        return "more"


def _cut(text: str, start: int) -> str:
    """Shorten a text to `WIDTH` characters; one that starts late is shown from `start` on."""
    if len(text) <= WIDTH:
        return text
    if start > WIDTH // 2:
        text = f"...{text[start:]}"
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}..."

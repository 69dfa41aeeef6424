"""A compact sequence of very many names, and lists of names shortened for messages."""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final, overload

import numpy as np

FEW: Final = 3
MOST_CLASSES: Final = 10  # that are all named where a message states the classes of a network
# Letters of a name that is read from a file; systems allow that many bytes of a path.
LONGEST_NAME: Final = 4096
LONGEST: Final = 200  # letters of a name in a message


class Names(Sequence[str]):
    """Texts stored in one block of bytes; a string is created when it is accessed.

    A million strings would take a hundred bytes each. As every access to a string changes its
    reference count, each worker process would also end up with its own copy of all of them.
    """

    __slots__ = ("_ends", "_text")

    def __init__(self, names: Iterable[str]) -> None:
        """Store the names, which may hold bytes that are no UTF-8, escaped as by `os.fsdecode`."""
        parts = [name.encode("utf-8", "surrogateescape") for name in names]
        self._text = b"".join(parts)
        self._ends = np.cumsum([0, *map(len, parts)], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        if isinstance(index, slice):
            return tuple(self[each] for each in range(*index.indices(len(self))))
        place = range(len(self))[index]
        begin, end = self._ends[place : place + 2]
        return self._text[begin:end].decode("utf-8", "surrogateescape")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Names | tuple | list) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]  # equal to a tuple, which hashes otherwise

    def __repr__(self) -> str:
        return f"Names({few(self)})"


def few(names: Sequence[str], limit: int = FEW) -> str:
    """Return the first of one or more names, and the number of the others: "a, b, c and 7 more"."""
    more = len(names) - limit
    return ", ".join(map(brief, names[:limit])) + (f" and {more} more" if more > 0 else "")


def class_list(names: Sequence[str]) -> str:
    """Return the names of a network's classes: all of up to ten, else the first ten of them."""
    return few(names, MOST_CLASSES)


def brief(name: str) -> str:
    """Return a name for a message, shortened in its middle if it is very long."""
    half = LONGEST // 2 - 2
    return name if len(name) <= LONGEST else f"{name[:half]}...{name[-half:]}"


def normal(name: str) -> str:
    """Return a name with its accents composed (NFC); other systems store them apart."""
    return unicodedata.normalize("NFC", name)


def difference(name: str, others: Iterable[str]) -> str:
    """Return what tells a name from another one that looks the same, for a message; or ""."""
    looks = _looks(name)
    twin = next((other for other in others if other != name and _looks(other) == looks), None)
    return f"; {brief(name)!a} is not {brief(twin)!a}" if twin is not None else ""


def _looks(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())

"""The Lua values of a .t7 file, and short, bounded words for them.

Strings are read as bytes, numbers as floats, nil as None.
"""

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from convert.torch7.cursor import Array
from resnext.fields import SHOWN, cut
from resnext.terminal.text import printable


class BooleanKey(Enum):
    """A Lua boolean as the key of a table: as a key of a dict, True would be the same as 1."""

    FALSE = False
    TRUE = True


class Table(MutableMapping[Any, Any]):
    """A Lua table: keys are bytes (strings), floats (numbers) or objects; equal only to itself.

    Python's hash of a number is no secret, so that a file could choose numbers that all collide in
    a dict: a few megabytes took minutes. As in Lua, the keys 1, 2, 3 ... that are set in this order
    are an array, in which none collides. All other numbers are kept as text, whose hash is secret.
    """

    __slots__ = ("_items", "_length")

    def __init__(self) -> None:
        self._items: dict[Any, Any] = {}
        self._length = 0  # of the array

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def __setitem__(self, key: object, value: object) -> None:
        if isinstance(key, bool):
            key = BooleanKey(key)
        elif isinstance(written := self._kept(key), str):
            if key == self._length + 1 and written not in self._items:
                self._length += 1
            else:
                key = written
        self._items[key] = value

    def __getitem__(self, key: object) -> Any:
        return self._items[self._kept(key)]

    def __contains__(self, key: object) -> bool:
        return self._kept(key) in self._items

    def __delitem__(self, key: object) -> None:
        raise TypeError("what was read from a file is not changed")

    def __iter__(self) -> Iterator[Any]:
        for key in self._items:
            yield float(key) if isinstance(key, str) else key

    def __len__(self) -> int:
        return len(self._items)

    def _kept(self, key: object) -> object:
        """Return what stands for a key in the dict."""
        if not isinstance(key, float | int) or (1 <= key <= self._length and key == int(key)):
            return key
        return repr(float(key) + 0.0)  # -0.0 is the key 0 as well

    def array(self) -> list[Any]:
        """Return the values of keys 1, 2, 3 ... up to the first that is missing."""
        values: list[Any] = []
        while (key := float(len(values) + 1)) in self:
            values.append(self[key])
        return values


@dataclass(frozen=True, slots=True, eq=False)
class Storage:
    """A flat array, e.g. `torch.FloatStorage`; (n,), a read-only view of the file."""

    type: str
    array: Array


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A strided view of a storage, e.g. `torch.CudaTensor`; read-only, any number of axes."""

    type: str
    array: Array
    storage: Storage | None


class Object:
    """Any other torch object, mostly an nn module.

    Attributes:
        type: the class name in the file, e.g. `nn.Sequential`.
        version: of the class; 0 for files older than versions.
        offset: byte at which the object starts.
    """

    __slots__ = ("_obj", "offset", "type", "version")

    def __init__(self, typename: bytes, version_number: int = 0) -> None:
        self.type, self.version, self.offset = typename.decode("ascii"), version_number, -1
        self._obj: Any = None  # torchfile fills it

    def fill(self, fields: object) -> None:
        """Set what the object holds."""
        self._obj = fields

    @property
    def fields(self) -> Any:
        """Return what the object holds, usually a `Table`."""
        return self._obj


@dataclass(slots=True, eq=False)
class Function:
    """A Lua function: bytecode and upvalues, which are never run."""

    dumped: bytes = field(default=b"", repr=False)
    upvalues: Any = field(default=None, repr=False)


def text(value: object) -> str:
    """Return a Lua value as one line: its text or number, or what it is, never its content."""
    match value:
        case bytes():
            return cut(printable(value[: SHOWN + 1].decode("utf-8", "backslashreplace")))
        case None:
            return "nil"
        case BooleanKey():
            return str(value.value).lower()
        case bool():
            return str(value).lower()
        case int() | float():
            return number(value)
        case tuple():
            return cut(f"({', '.join(text(item) for item in value[:16])})")
        case Table():
            return "a table"
        case Object():
            return f"an object of class {value.type}"
        case Tensor() | Storage():
            return f"a {value.type}"
        case Function():
            return "a function"
        case _:
            return f"a {type(value).__name__}"


def number(value: float) -> str:
    """Return a number, a whole one with all of its digits."""
    whole = abs(value) < 2**53 and value == int(value)
    return str(int(value)) if whole else f"{value:.15g}"


def place(path: str, key: object) -> str:
    """Return the place of a table's value in Lua's notation: a string key is not a number key."""
    if not isinstance(key, bytes):
        return f"{path}[{text(key)}]"
    name = text(key)
    return f"{path}.{name}" if name.isidentifier() else f'{path}["{name}"]'

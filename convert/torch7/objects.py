"""The Lua values of a .t7 file. Strings are read as bytes, numbers as floats, nil as None."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from convert.torch7.cursor import Array


class BooleanKey(Enum):
    """A Lua boolean as the key of a table: as a key of a dict, True would be the same as 1."""

    FALSE = False
    TRUE = True


class Table(dict[Any, Any]):
    """A Lua table: keys are bytes (strings), floats (numbers) or objects; equal only to itself."""

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def __setitem__(self, key: object, value: object) -> None:
        super().__setitem__(BooleanKey(key) if isinstance(key, bool) else key, value)

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

    @property
    def fields(self) -> Any:
        """Return what the object holds, usually a `Table`."""
        return self._obj


@dataclass(slots=True, eq=False)
class Function:
    """A Lua function: bytecode and upvalues, which are never run."""

    dumped: bytes = field(default=b"", repr=False)
    upvalues: Any = field(default=None, repr=False)

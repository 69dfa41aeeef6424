"""Reads the Lua objects of a .t7 file within limits, its arrays as views of the file.

torchfile walks the objects and their references. Its unsafe parts are replaced here: the primitive
reads (torchfile ignores a short read), tensors and storages (unchecked strides, missing types),
functions (one that refers to itself breaks its walk) and both of its heuristics.
"""

import importlib.util
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import currentframe
from math import nan
from threading import Lock
from types import ModuleType
from typing import Any, Final

from convert.torch7.cursor import Cursor, Limits
from convert.torch7.errors import (
    BoundsError,
    EncodingError,
    LimitError,
    T7Error,
    TrailingBytesError,
    UnknownLayoutError,
    UnknownTagError,
)
from convert.torch7.objects import Function, Object, Table
from convert.torch7.raw_classes import handlers


def _private_torchfile() -> ModuleType:
    """Load a private copy of torchfile, whose module globals can be replaced.

    Its walk finds the handlers and the table class among them. Other users of torchfile in the same
    process are not affected.
    """
    spec = importlib.util.find_spec("torchfile")
    if spec is None or spec.loader is None:  # a broken installation, not a user's file
        raise ModuleNotFoundError("torchfile", name="torchfile")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


torchfile: Any = _private_torchfile()
torchfile.hashable_uniq_dict = Table
torchfile.TorchObject = Object

LAST_TAG: Final = torchfile.TYPE_RECUR_FUNCTION
_CLASS_NAME: Final = re.compile(rb"[!-~]{1,128}")
_VERSION: Final = re.compile(rb"V \d{1,9}")


def read_root(cursor: Cursor, limits: Limits) -> Any:
    """Read the one value that a file holds.

    Raises:
        T7Error: it is damaged, or something follows it.
    """
    reader = ObjectReader(cursor, limits)
    root = reader.read_value()
    if cursor.offset != len(cursor.data):
        raise reader.blame(
            TrailingBytesError(len(cursor.data) - cursor.offset, offset=cursor.offset)
        )
    return root


def read_first(cursor: Cursor, limits: Limits) -> tuple[Any, int]:
    """Read a file of several values; return the first, and the number of the others.

    Raises:
        T7Error: what follows the first value is not one or more whole values.
    """
    reader = ObjectReader(cursor, limits)
    root, start, known = reader.read_value(), cursor.offset, reader.objects
    try:
        return root, reader.count_values(anew=True)
    except T7Error:
        cursor.offset, reader.objects, reader.depth = start, known, 0
        return root, reader.count_values(anew=False)


# Packages whose classes are tables with a name, apart from torch7's own; as all Lua classes, unless
# they write themselves.
PLAIN_PACKAGES: Final = frozenset({"nn", "cudnn", "fbnn", "inn", "nngraph", "graph", "optim"})

_RECURSION: Final = Lock()


@contextmanager
def _deep_recursion(levels: int) -> Iterator[None]:
    """Let Python call as many functions inside each other as a value of so many levels takes."""
    frame, used = currentframe(), 0
    while frame:
        frame, used = frame.f_back, used + 1
    with _RECURSION:  # the limit is that of all threads
        before = sys.getrecursionlimit()
        sys.setrecursionlimit(max(before, used + 5 * levels + 200))
        try:
            yield
        finally:
            sys.setrecursionlimit(before)


class ObjectReader(torchfile.T7Reader):  # type: ignore[misc]
    """torchfile's walk over a checked cursor."""

    def __init__(self, cursor: Cursor, limits: Limits) -> None:
        super().__init__(None, use_list_heuristic=False, use_int_heuristic=False)
        self.cursor, self.limits, self.caps = cursor, limits, limits
        self.depth = self.values = self.earlier = 0
        # Its indices come from the file too: in a dict they could all collide.
        self.objects = Table()
        self.read_int = cursor.read_int
        self.read_double = cursor.read_double

    def read_string(self, disable_utf8: bool = False) -> bytes:
        """Read a length and that many bytes; torchfile sets the flag for versions and classes."""
        start = self.cursor.offset
        value = self.cursor.read_bytes(self.cursor.read_int())
        if disable_utf8 and not (_VERSION.fullmatch(value) or _CLASS_NAME.fullmatch(value)):
            raise EncodingError(f"a class name expected, found {value[:16]!r}", offset=start)
        return value

    def read_value(self) -> Any:
        """Read one value with its whole content.

        Raises:
            T7Error: it is damaged, or of a class whose layout is not known.
        """
        with _deep_recursion(self.limits.depth):
            try:
                return self.read_obj()
            except T7Error as error:
                raise self.blame(error) from None

    def count_values(self, *, anew: bool) -> int:
        """Read all values to the end of the file; return how many these are.

        Args:
            anew: each was written by a call of torch.save of its own, whose indices start anew.

        Raises:
            T7Error: these are other bytes.
        """
        count = 0
        while self.cursor.offset != len(self.cursor.data):
            start = self.cursor.offset
            if anew:
                self.earlier += len(self.objects)
                self.objects = Table()
            if self.read_value() is None:  # nobody saves nil: these are zeros behind the end
                raise TrailingBytesError(len(self.cursor.data) - start, offset=start)
            count += 1
        return count

    def blame(self, error: T7Error) -> T7Error:
        """Return the error to raise: that of an unknown class, if one stands before it."""
        for value in reversed(tuple(self.objects.values())):
            if isinstance(value, Object) and value.type.split(".")[0] not in PLAIN_PACKAGES:
                return UnknownLayoutError(error, value.type)
        return error

    def read_obj(self) -> Any:
        """Read one value, or what is inside one, with its whole content."""
        start = self.cursor.offset
        if self.depth == self.caps.depth:
            raise LimitError("values inside each other", offset=start, limit=self.caps.depth)
        if self.earlier + len(self.objects) > self.caps.objects:
            raise LimitError("objects", offset=start, limit=self.caps.objects)
        if self.values == self.caps.values:
            raise LimitError("values", offset=start, limit=self.caps.values)
        self.depth += 1
        self.values += 1
        tag = self.read_int()
        match tag:
            case torchfile.TYPE_FUNCTION:
                value = self._read_function(Function())
            case torchfile.TYPE_RECUR_FUNCTION | torchfile.LEGACY_TYPE_RECUR_FUNCTION:
                value = self._read_shared_function()
            case _ if 0 <= tag <= LAST_TAG:
                if tag == torchfile.TYPE_TABLE:
                    self._check_table()
                self.cursor.offset = start
                value = super().read_obj()
                # The tag is not reliable: a known index returns its object, whatever its type is.
                if isinstance(value, Table) and (None in value or nan in value):
                    # Lua has no such table, but longs read with the wrong width can look like one.
                    key = "nil" if None in value else "nan"
                    raise BoundsError(f"a table with the key {key}", offset=start)
                if value is None and tag != torchfile.TYPE_NIL:
                    raise BoundsError("a reference to what is not yet read", offset=start)
            case _:
                raise UnknownTagError(tag, offset=start)
        if isinstance(value, Object) and not 0 <= value.offset <= start:
            value.offset = start  # the object itself precedes every reference to it
        self.depth -= 1
        return value

    def read_part(self) -> Any:
        """Read a value for a handler: it counts as ten levels, as it takes more of the stack."""
        self.depth += 9
        value = self.read_obj()
        self.depth -= 9
        return value

    def _check_table(self) -> None:
        """Read ahead to check a table's size: torchfile treats a negative one as empty."""
        index, start = self.read_int(), self.cursor.offset
        if index not in self.objects and (size := self.read_int()) < 0:
            raise BoundsError(f"a table of {size} entries", offset=start)

    def _read_shared_function(self) -> Any:
        index = self.read_int()
        if index in self.objects:
            return self.objects[index]
        function = self.objects[index] = Function()  # before its upvalues: one may be itself
        return self._read_function(function)

    def _read_function(self, function: Function) -> Function:
        function.dumped = self.cursor.read_bytes(self.read_int())
        function.upvalues = self.read_obj()
        return function


torchfile.type_handlers = handlers()

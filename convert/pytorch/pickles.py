"""The pickles of a file of PyTorch, looked through before PyTorch's reader unpickles them.

Nothing here builds a value: the opcodes tell which names a pickle needs, and how large tuples are.
"""

import io
import pickletools
import re
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, cast

import numpy as np

from convert.pytorch.archive import MOST_PICKLED, FileKind, is_pickle, whole_archive
from convert.pytorch.errors import InflatedFileError

# In the old format: a number, the version, the machine, the values, the names of the storages.
OLD_PICKLES: Final = 5
# Keys that are no texts, of all dicts together; an optimiser has one for each parameter. Python
# hashes texts with a secret, but all else as anyone can: such keys may be made to collide.
MOST_KEYS: Final = 10_000
# What looking through a damaged pickle raises; PyTorch's reader meets the same fault there.
_FAULTS: Final = (ValueError, EOFError, LookupError)
# The names that a pickle of plain tensors has.
_PLAIN_NAME: Final = re.compile(
    r"torch\._utils\._rebuild_\w+|torch\.(\w*Storage|Size|device|[a-z]+\d*\w*)"
    r"|torch\.storage\.\w+|torch\.nn\.parameter\.Parameter|torch\._tensor\._rebuild_from_type_v2"
    r"|torch\.serialization\._get_layout|collections\.(OrderedDict|Counter)|_codecs\.encode"
    r"|(builtins|__builtin__)\.(bytearray|set|complex)"
)


@dataclass(slots=True)
class BoundedReader:
    """A file of the old format, read in bounds.

    Attributes:
        file: to read.
        left: bytes that may be read for pickles yet.
        filled: the memory that storages were read into, (address, bytes).
    """

    file: IO[bytes]
    left: int = MOST_PICKLED
    filled: list[tuple[int, int]] = field(default_factory=list)

    def read(self, count: int = -1) -> bytes:
        """Return the next bytes of a pickle."""
        return self._counted(self.file.read(min(count, self.left + 1) if count >= 0 else self.left))

    def readline(self) -> bytes:
        """Return the rest of a line of a pickle."""
        return self._counted(self.file.readline(self.left + 1))

    def readinto(self, buffer: Any) -> int:
        """Fill memory with the next bytes of a storage."""
        count = int(self.file.readinto(buffer) or 0)  # type: ignore[attr-defined]
        memory = np.frombuffer(buffer, np.uint8)
        self.filled.append((memory.ctypes.data, count))
        return count

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a byte of the file."""
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        """Return the byte of the file that is read next."""
        return self.file.tell()

    def _counted(self, data: bytes) -> bytes:
        self.left -= len(data)
        if self.left < 0:
            raise InflatedFileError(
                f"pickles of more than {MOST_PICKLED} bytes beside the tensors; save the network's "
                "state_dict() alone"
            )
        return data


def check_pickles(path: Path, kind: FileKind) -> None:
    """Check that what the pickles hash takes no more than what is written of it.

    Forty tuples of two, each of them twice the one before, take a line to write, and years to be
    hashed as the key of a dict.

    Raises:
        InflatedFileError: they are.
        DamagedFileError: the pickle of an archive cannot be found in it.
        OSError: the file cannot be read.
    """
    with suppress(*_FAULTS):
        for reader in _pickles(path, kind):
            _check_hashed(reader)


def foreign_names(path: Path, kind: FileKind) -> list[str]:
    """Return the names of classes and functions that a file's pickles need beyond plain tensors."""
    found: set[str] = set()
    with suppress(InflatedFileError):
        for reader in _pickles(path, kind):
            found |= _globals(reader)
    return sorted(name for name in found if not _PLAIN_NAME.fullmatch(name))


def _pickles(path: Path, kind: FileKind) -> Iterator[BoundedReader]:
    """Yield a reader at the beginning of each pickle, which has to be read to its end."""
    with path.open("rb") as file:
        if kind is FileKind.ZIP:
            with whole_archive(), zipfile.ZipFile(file) as archive:
                [entry] = [each for each in archive.infolist() if is_pickle(each.filename)]
                if not entry.CRC:
                    del entry.CRC  # none was computed, so none is to be compared
                data = archive.read(entry)
            yield BoundedReader(io.BytesIO(data))
        else:
            reader = BoundedReader(file)
            for _ in range(OLD_PICKLES):
                yield reader


def _check_hashed(file: BoundedReader) -> None:
    """Follow the stack of a pickle by sizes: of a tuple, the values in it and in those within.

    A text has the size 0, so that keys of dicts, and values of lists where sets are made of them,
    are told from texts.
    """
    stack: list[int] = []
    marks: list[int] = []
    memo: dict[int, int] = {}
    repeated = keys = 0
    has_sets = False
    for opcode, argument, _ in pickletools.genops(cast("IO[bytes]", file)):
        name = opcode.name
        if name == "MARK":
            marks.append(len(stack))
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name.endswith("PUT"):
            memo[cast("int", argument)] = stack[-1]
        elif name.endswith("GET"):
            stack.append(memo[cast("int", argument)])
            repeated += stack[-1]
            if repeated > MOST_PICKLED:
                raise InflatedFileError(
                    f"tuples that repeat others, of more than {MOST_PICKLED} values together; "
                    "save the network's state_dict() alone"
                )
        else:
            has_sets |= name == "GLOBAL" and str(argument).endswith(" set")
            taken = _apply(opcode, stack, marks)
            if name in ("SETITEM", "SETITEMS"):
                keys += sum(size > 0 for size in taken[1::2])
            elif has_sets and name in ("APPEND", "APPENDS"):
                keys += sum(size > 0 for size in taken[1:])
            if keys > MOST_KEYS:
                raise InflatedFileError(
                    f"more than {MOST_KEYS} keys of dicts that are no texts; save the network's "
                    "state_dict() alone"
                )


def _apply(opcode: pickletools.OpcodeInfo, stack: list[int], marks: list[int]) -> list[int]:
    """Take from the stack what an opcode takes, and put back the sizes of what it makes.

    Returns:
        the sizes of what it took.
    """
    start = len(stack) - len(opcode.stack_before)
    if pickletools.markobject in opcode.stack_before:
        start = marks.pop() - opcode.stack_before.index(pickletools.markobject)
    if start < 0:
        raise IndexError
    size = 0 if "UNICODE" in opcode.name else 1
    taken = stack[start:]
    if "TUPLE" in opcode.name or opcode.name in ("REDUCE", "NEWOBJ"):
        size += sum(taken)
    stack[start:] = [size] * len(opcode.stack_after)
    return taken


def _globals(file: BoundedReader) -> set[str]:
    """Return the dotted names of the globals in the pickle at a file's position."""
    found: set[str] = set()
    texts: list[str] = []
    with suppress(*_FAULTS):  # of a damaged one, those before the fault
        for opcode, argument, _ in pickletools.genops(cast("IO[bytes]", file)):
            if opcode.name in ("GLOBAL", "INST"):
                found.add(str(argument).replace(" ", ".", 1))
            elif opcode.name == "STACK_GLOBAL" and len(texts) > 1:
                found.add(".".join(texts))
            elif "UNICODE" in opcode.name:
                texts = [*texts[-1:], str(argument)]
    return found

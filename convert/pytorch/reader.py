"""The values of a file of PyTorch, read by its own reader of plain values: nothing is executed.

Files of the old format are read through `BoundedReader`, which keeps what is unpickled small and
notes which memory was filled from the file: PyTorch takes memory for a storage before it reads it.
"""

import io
import os
import pickle
import pickletools
import re
import struct
import warnings
import zipfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, cast

import numpy as np

from convert.pytorch.archive import MOST_PICKLED, FileKind, check_zip, is_pickle
from convert.pytorch.errors import (
    DamagedFileError,
    InflatedFileError,
    PickledCodeError,
    UnreadPickleError,
)
from resnext.fields import cut

# What PyTorch's reader raises for bytes that are no pickle of plain values; found by fuzzing.
_FAULTS: Final = (
    *(RuntimeError, EOFError, LookupError, TypeError, ValueError, AttributeError, AssertionError),
    *(ArithmeticError, ImportError, struct.error, MemoryError, NotImplementedError),
)
# The names that a pickle of plain tensors has.
_PLAIN_NAME: Final = re.compile(
    r"torch\._utils\._rebuild_\w+|torch\.(\w*Storage|Size|device|[a-z]+\d*\w*)"
    r"|torch\.storage\.\w+|torch\.nn\.parameter\.Parameter|torch\._tensor\._rebuild_from_type_v2"
    r"|torch\.serialization\._get_layout|collections\.(OrderedDict|Counter)|_codecs\.encode"
    r"|(builtins|__builtin__)\.(bytearray|set|complex)"
)


@dataclass(frozen=True, slots=True)
class Values:
    """What a file holds.

    Attributes:
        root: the value that was saved.
        filled: the memory that was filled from the file, (address, bytes) in ascending order;
            None if all tensors are views of the mapped file.
    """

    root: object
    filled: tuple[tuple[int, int], ...] | None = None


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


def read_values(path: Path, kind: FileKind) -> Values:
    """Return what torch.save wrote to a file.

    Args:
        path: of the file; tensors of an archive are views of it, mapped into memory.
        kind: of the file.

    Raises:
        PyTorchError: it is damaged, or needs more than tensors and plain values.
        OSError: it cannot be read.
    """
    if kind is FileKind.ZIP:
        check_zip(path)
    try:
        with warnings.catch_warnings():  # of PyTorch, over pickles of other protocols
            warnings.simplefilter("ignore")
            return _read_zip(path) if kind is FileKind.ZIP else _read_old(path)
    except pickle.UnpicklingError as fault:
        if names := foreign_names(path, kind):
            raise PickledCodeError(names) from fault
        raise UnreadPickleError(_reason(fault)) from fault
    except _FAULTS as fault:
        raise DamagedFileError(f"not a whole file of PyTorch ({_reason(fault)})") from fault


def _read_zip(path: Path) -> Values:
    import torch

    name = os.fspath(path)
    try:
        name.encode()
    except UnicodeEncodeError:  # PyTorch maps files with names in UTF-8 only
        mapped = False
    else:
        mapped = path.suffix != ".safetensors"  # PyTorch takes that suffix for the format
    if mapped:
        return Values(torch.load(name, map_location="cpu", weights_only=True, mmap=True))
    with path.open("rb") as file:
        return Values(torch.load(file, map_location="cpu", weights_only=True))


def _read_old(path: Path) -> Values:
    import torch

    with path.open("rb") as file:
        reader = BoundedReader(file)
        root = torch.load(reader, map_location="cpu", weights_only=True)  # type: ignore[arg-type]
    return Values(root, tuple(sorted(reader.filled)))


def _reason(fault: BaseException) -> str:
    """Return the line of PyTorch's message that states the fault; others are advice."""
    lines = [line.strip() for line in str(fault).splitlines() if line.strip()]
    for line in lines:
        if "Unsupported" in line or "Unpickler error: " in line:
            return cut(line.rpartition("Unpickler error: ")[2])
    name = type(fault).__name__
    return cut(f"{name}: {lines[0]}" if lines else name)


def foreign_names(path: Path, kind: FileKind) -> list[str]:
    """Return the names of classes and functions that a file's pickles need beyond plain tensors."""
    found: set[str] = set()
    with path.open("rb") as file:
        if kind is FileKind.ZIP:
            with zipfile.ZipFile(file) as archive:
                [name] = [each for each in archive.namelist() if is_pickle(each)]
                found |= _globals(BoundedReader(io.BytesIO(archive.read(name))))
        else:
            reader = BoundedReader(file)
            for _ in ("number", "version", "machine", "values"):
                found |= _globals(reader)
    return sorted(name for name in found if not _PLAIN_NAME.fullmatch(name))


def _globals(file: BoundedReader) -> set[str]:
    """Return the dotted names of the globals in the pickle at a file's position."""
    found: set[str] = set()
    texts: list[str] = []
    # Of a damaged one, those before the fault.
    with suppress(ValueError, EOFError, IndexError, InflatedFileError):
        for opcode, argument, _ in pickletools.genops(cast("IO[bytes]", file)):
            if opcode.name in ("GLOBAL", "INST"):
                found.add(str(argument).replace(" ", ".", 1))
            elif opcode.name == "STACK_GLOBAL" and len(texts) > 1:
                found.add(".".join(texts))
            elif "UNICODE" in opcode.name:
                texts = [*texts[-1:], str(argument)]
    return found

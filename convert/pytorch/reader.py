"""The values of a file of PyTorch, read by its own reader of plain values: nothing is executed.

Files of the old format are read through `BoundedReader`, which keeps what is unpickled small and
notes which memory was filled from the file: PyTorch takes memory for a storage before it reads it.
"""

import os
import pickle
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from convert.pytorch.archive import FileKind, check_zip
from convert.pytorch.errors import DamagedFileError, PickledCodeError, UnreadPickleError
from convert.pytorch.pickles import BoundedReader, check_pickles, foreign_names
from resnext.fields import cut

# What PyTorch's reader raises for bytes that are no pickle of plain values; found by fuzzing.
_FAULTS: Final = (
    *(RuntimeError, EOFError, LookupError, TypeError, ValueError, AttributeError, AssertionError),
    *(ArithmeticError, ImportError, struct.error, MemoryError, NotImplementedError),
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
    check_pickles(path, kind)
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

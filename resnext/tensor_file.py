"""Arrays and texts as a safetensors file, written without a copy of the arrays in memory.

The format is a length, a JSON header and the raw arrays; safetensors' own writer copies them all.
"""

import json
import re
from collections.abc import Mapping
from struct import Struct
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]

LENGTH: Final = Struct("<Q")
# NumPy's name -> the format's name, of every element type that is written.
DTYPES: Final = {
    "float16": "F16",
    "float32": "F32",
    "float64": "F64",
    "int32": "I32",
    "int64": "I64",
}

# Pattern of the first bytes -> what a checkpoint of PyTorch's own, which is a pickle, is.
_PICKLES: Final = (
    # The first entry of the archive; its name starts at byte 30.
    (rb"PK\x03\x04.{26}[^/]+/data\.pkl", "a PyTorch checkpoint (.pth, .pt, .bin: a zip archive)"),
    (rb"\x80[\x02-\x05]", "a Python pickle, such as PyTorch's older checkpoints are"),
)


def pickle_kind(head: bytes) -> str | None:
    """Return what a file is that starts with `head`, and what is read, if it is a pickle.

    Args:
        head: its first 512 bytes, or more.

    Returns:
        None if it is another kind of file.
    """
    for pattern, kind in _PICKLES:
        if re.match(pattern, head, re.DOTALL):
            return f"{kind}; resnext-convert reads those of the family that torch.save wrote"
    return None


def write_tensors(file: IO[bytes], arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> int:
    """Write all of the format at the position of `file`; return the length of the header."""
    header = tensor_header(arrays, metadata)
    file.write(LENGTH.pack(len(header)) + header)
    for name in _order(arrays):
        file.write(np.ascontiguousarray(arrays[name]).data.cast("B"))
    return len(header)


def tensor_header(arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> bytes:
    """Return the header that follows the length, padded to a multiple of eight bytes."""
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    end = 0
    for name in _order(arrays):
        array = arrays[name]
        start, end = end, end + array.nbytes
        dtype, shape = DTYPES[array.dtype.name], list(array.shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)


def _order(arrays: Mapping[str, Array]) -> list[str]:
    """Order the names by descending element size, so that every array is aligned to its own."""
    return sorted(arrays, key=lambda name: -arrays[name].itemsize)

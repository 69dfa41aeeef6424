"""Features as arrays in a file, (N, F) float32, written as they come.

N is known at the end only, where Ctrl-C may have ended the work early, and stands at the start of
both formats: their headers are written with all pictures first, and again with those that are done.
A picture that cannot be read is a row of NaN, so that row n is always that of picture n.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

from predict.errors import DestinationError
from predict.prediction import Prediction
from predict.text_rows import Add
from resnext.tensor_file import LENGTH

MAGIC: Final = b"\x93NUMPY\x01\x00"
NPY_HEADER: Final = 128  # bytes in all, which the longest shape fits into
MOST_HEADER: Final = 100_000_000  # bytes of a header that safetensors' readers take


def row_of(prediction: Prediction, width: int) -> NDArray[np.float32]:
    """Return the features (width,) of a picture, NaN for one that could not be read."""
    if prediction.features is None:
        return np.full(width, np.nan, np.float32)
    return np.ascontiguousarray(prediction.features, "<f4")


@contextmanager
def npy_rows(
    file: IO[bytes],
    names: Sequence[str],
    *,
    width: int,
    layer: str,  # noqa: ARG001 - as of the others
) -> Iterator[Add]:
    """Yield a function that writes the features of a picture to an .npy file.

    Args:
        file: at its start.
        names: of all pictures.
        width: number of features.
        layer: that they are of.
    """
    file.write(_npy_header(len(names), width))
    done = 0

    def add(prediction: Prediction) -> None:
        nonlocal done
        file.write(row_of(prediction, width).tobytes())
        done += 1

    yield add
    file.seek(0)
    file.write(_npy_header(done, width))


@contextmanager
def tensor_rows(file: IO[bytes], names: Sequence[str], *, width: int, layer: str) -> Iterator[Add]:
    """Yield a function that writes the features of a picture to a safetensors file.

    The tensor is called `features`. The header's metadata has the names of the pictures in the
    order of its rows as `images`, a JSON list, and the layer as `layer`.

    Args:
        file, names, width, layer: as for `npy_rows`.

    Raises:
        DestinationError: the names take more room than the format has.
    """
    room = len(_tensor_header(names, width, layer))
    if room > MOST_HEADER:
        raise DestinationError(
            f"the names of {len(names):,} pictures take {room:,} bytes, a header of safetensors "
            f"{MOST_HEADER:,} at most; write .npy or .parquet"
        )
    file.write(LENGTH.pack(room) + bytes(room))
    done = 0

    def add(prediction: Prediction) -> None:
        nonlocal done
        file.write(row_of(prediction, width).tobytes())
        done += 1

    yield add
    file.seek(LENGTH.size)
    file.write(_tensor_header(names[:done], width, layer).ljust(room))


def _npy_header(count: int, width: int) -> bytes:
    facts = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({count}, {width}), }}"
    padded = facts.ljust(NPY_HEADER - len(MAGIC) - 2 - 1) + "\n"
    return MAGIC + len(padded).to_bytes(2, "little") + padded.encode("ascii")


def _tensor_header(names: Sequence[str], width: int, layer: str) -> bytes:
    end = len(names) * width * 4
    header = {
        "__metadata__": {"format": "pt", "layer": layer, "images": json.dumps(list(names))},
        "features": {"dtype": "F32", "shape": [len(names), width], "data_offsets": [0, end]},
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)

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
from resnext.tensor_file import LENGTH, tensor_header

MOST_HEADER: Final = 100_000_000  # bytes of a header that safetensors' readers take


def row_of(prediction: Prediction, width: int) -> NDArray[np.float32]:
    """Return the features (width,) of a picture, NaN for one that could not be read."""
    if prediction.features is None:
        return np.full(width, np.nan, np.float32)
    return np.ascontiguousarray(prediction.features, "<f4")


class FeatureRows:
    """The rows of a file, behind each other, and their number."""

    def __init__(self, file: IO[bytes], width: int) -> None:
        self.file, self.width, self.done = file, width, 0

    def add(self, prediction: Prediction) -> None:
        """Write the features of a picture."""
        self.file.write(row_of(prediction, self.width).tobytes())
        self.done += 1


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

    def header(count: int) -> None:
        facts = {"descr": "<f4", "fortran_order": False, "shape": (count, width)}
        np.lib.format.write_array_header_1_0(file, facts)  # with room for a larger count

    header(len(names))
    rows = FeatureRows(file, width)
    yield rows.add
    file.seek(0)
    header(rows.done)


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
    rows = FeatureRows(file, width)
    yield rows.add
    file.seek(LENGTH.size)
    file.write(_tensor_header(names[: rows.done], width, layer).ljust(room))


def _tensor_header(names: Sequence[str], width: int, layer: str) -> bytes:
    metadata = {"format": "pt", "layer": layer, "images": json.dumps(list(names))}
    shape = np.broadcast_to(np.float32(0), (len(names), width))  # holds a single number
    return tensor_header({"features": shape}, metadata)

"""The compiled bicubic, where the installation could build it.

It is a plain C library, loaded with ctypes, and no extension module of Python: building it needs a
C compiler, but no headers of Python.
"""

import ctypes
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resnext.pixels.bicubic import Levels, Taps

LIBRARY = "resnext.pixels._bicubic"
# Renamed whenever the arguments change: a library of an earlier version may still be installed.
SYMBOL = "resnext_bicubic"


class _Picture(ctypes.Structure):
    _fields_ = (
        ("pixels", ctypes.c_void_p),
        *((side, ctypes.c_ssize_t) for side in ("height", "width", "channels")),
        *((step, ctypes.c_ssize_t) for step in ("row_step", "column_step", "channel_step")),
    )


class _Taps(ctypes.Structure):
    _fields_ = (
        ("count", ctypes.c_ssize_t),
        ("first", ctypes.c_void_p),
        ("fraction", ctypes.c_void_p),
    )


class _Levels(ctypes.Structure):
    _fields_ = (
        ("unit", ctypes.c_float),
        ("shift", ctypes.c_void_p),
        ("divisor", ctypes.c_void_p),
    )


class Kernel:
    """A library compiled from `_bicubic.c`; a call returns the same as `scale_with_numpy`."""

    def __init__(self, path: str) -> None:
        """Load a library.

        Raises:
            OSError: the file is no library, or one for another system.
            AttributeError: it is a library without the kernel's function.
        """
        self._scale = getattr(ctypes.CDLL(path), SYMBOL)
        structures = (_Picture, _Taps, _Taps, _Levels)
        room = (ctypes.c_void_p,) * 3
        self._scale.argtypes = (*map(ctypes.POINTER, structures), *room)
        self._scale.restype = None

    @classmethod
    def installed(cls) -> Self | None:
        """Return the kernel that the installation built, or None if none can be loaded."""
        spec = find_spec(LIBRARY)
        if spec is None or spec.origin is None:
            return None
        try:
            return cls(spec.origin)
        except (OSError, AttributeError):
            return None

    def __call__(
        self, source: "NDArray[np.uint8]", rows: "Taps", columns: "Taps", levels: "Levels"
    ) -> "NDArray[np.float32]":
        """Scale and normalise the part of a picture that the taps read; see `scale_with_numpy`."""
        # The C function checks nothing, so shapes and types are checked here.
        assert source.dtype == np.uint8
        assert source.shape[:2] == (rows.stop - rows.start, columns.stop - columns.start)
        height, width, channels = source.shape
        lines = np.empty((4, channels, len(columns.first)), np.float32)
        wide = np.empty(width + 3, np.float32)
        out = np.empty((channels, len(rows.first), len(columns.first)), np.float32)
        self._scale(
            _Picture(source.ctypes.data, *source.shape, *source.strides),
            _taps(rows, height),
            _taps(columns, width),
            _levels(levels, channels),
            wide.ctypes.data,
            lines.ctypes.data,
            out.ctypes.data,
        )
        return out


def _taps(taps: "Taps", pixels: int) -> _Taps:
    count = len(taps.first)
    assert taps.first[0] >= 0
    assert taps.first[-1] < pixels  # the fourth tap may lie two pixels beyond the last one
    return _Taps(count, _address(taps.first, np.int32, count), _floats(taps.fractions, count))


def _levels(levels: "Levels", channels: int) -> _Levels:
    return _Levels(levels.unit, _floats(levels.shift, channels), _floats(levels.divisor, channels))


def _floats(array: "NDArray[np.float32]", count: int) -> int:
    return _address(array, np.float32, count)


def _address(array: "NDArray[Any]", dtype: type[np.generic], count: int) -> int:
    assert array.dtype == dtype
    assert array.shape == (count,)
    assert array.flags.c_contiguous
    return array.ctypes.data

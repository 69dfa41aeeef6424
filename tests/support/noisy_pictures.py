"""Pictures about which the libraries that decode them print warnings, though they decode them."""

import io
import struct
from pathlib import Path

import numpy as np
from PIL import Image

PILLOW_LINE = "UserWarning: Metadata Warning, tag 284 had too many entries: 2, expected 1"
PLANES = 284  # the tag PlanarConfiguration


def write_noisy(path: Path, *, side: int) -> None:
    """Write a TIFF of fax data with errors, about which libtiff prints to descriptor 2."""
    pixels = np.random.default_rng(0).integers(0, 2, (side, side), dtype=np.uint8) * 255
    file = io.BytesIO()
    Image.fromarray(pixels).convert("1").save(file, "TIFF", compression="group4")
    data = bytearray(file.getvalue())
    for place in range(20, len(data) - 300, 37):
        data[place] ^= 0x55
    path.write_bytes(data)


def write_odd(path: Path) -> None:
    """Write a TIFF with a tag of two values in place of one, of which Pillow warns."""
    file = io.BytesIO()
    Image.new("RGB", (40, 40), (9, 8, 7)).save(file, "TIFF")
    data = bytearray(file.getvalue())
    start = struct.unpack_from("<I", data, 4)[0] + 2
    (count,) = struct.unpack_from("<H", data, start - 2)
    for entry in range(start, start + 12 * count, 12):
        if struct.unpack_from("<H", data, entry) == (PLANES,):
            struct.pack_into("<I", data, entry + 4, 2)
    path.write_bytes(data)

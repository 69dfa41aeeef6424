"""How often a JPEG draws its picture: a file of a few kilobytes must not take minutes."""

import re
import sys

import numpy as np

from resnext.errors import ImageError

JPEG_START = b"\xff\xd8"

# A file of a few kilobytes can declare gigabytes of pixels. This is Pillow's own default limit
# (256 MiB of RGB pixels).
MAX_PIXELS = 1024 * 1024 * 1024 // 4 // 3

# A JPEG may repeat its scans, each of which takes as long as a whole picture. Programs write ten or
# so; a large picture may have as many as take as long as `MOST_PASSES` over the largest one.
MOST_SCANS = 100
MOST_PASSES = 16
SCAN = b"\xff\xda"
# A marker that ends the compressed data of a scan: none of a zero byte, a restart or a filling.
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
END = 0xD9


def check_scans(data: bytes, pixels: int) -> None:
    """Check that a JPEG does not repeat its scans until decoding takes minutes.

    Args:
        data: the whole file.
        pixels: of the picture, height times width.

    Raises:
        ImageError: it has more scans than programs write.
    """
    limit = min(MOST_SCANS, max(MOST_PASSES, MOST_PASSES * MAX_PIXELS // max(pixels, 1)))
    # Counted in all of the file first, which is fast; a film behind the picture has such bytes too.
    if _count(data, SCAN) > limit and (scans := _scans(data)) > limit:
        raise ImageError(
            f"a JPEG of at most {limit} scans expected, found {scans}, each of which takes as long "
            "as a picture; save it anew"
        )


def _count(data: bytes, pair: bytes) -> int:
    """Count a pair of two unlike bytes, in a fifth of the time of `bytes.count`."""
    word = int.from_bytes(pair, sys.byteorder)
    words = (np.frombuffer(data, np.uint16, (len(data) - at) // 2, at) for at in (0, 1))
    return sum(int(np.count_nonzero(each == word)) for each in words)


def _scans(data: bytes) -> int:
    """Count the scans of a JPEG up to its end."""
    scans, place = 0, len(JPEG_START)
    while marker := MARKER.search(data, place):
        place = marker.end()
        if data[place - 1] == END:
            break
        scans += marker[0] == SCAN
        place += max(int.from_bytes(data[place : place + 2]), 2)
    return scans

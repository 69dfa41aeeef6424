"""A list of paths on stdin."""

import os
import sys
from codecs import BOM_UTF8
from typing import Final

from predict.errors import PredictionError

MOST: Final = 1 << 28  # bytes: two million long paths
CHUNK: Final = 1 << 20


def read_list(*, null: bool) -> list[str]:
    """Return the paths of the list on stdin, in its order.

    Args:
        null: a NUL ends each path, as in the output of `find -print0`; else the end of the line.

    Raises:
        PredictionError: it is empty, too long, or has NUL where lines are expected.
    """
    data = bytearray()
    if sys.stdin is not None:  # None if the command was started with it closed
        while part := sys.stdin.buffer.read(CHUNK):
            data += part
            if len(data) > MOST:
                raise PredictionError(f"stdin: a list of at most {MOST} bytes expected, found more")
            if b"\0" in part and not null:
                raise PredictionError(
                    "stdin: a path on each line expected, found NUL; -0 takes a list of -print0"
                )
    if null:
        paths = data.split(b"\0")
    else:  # as Windows writes lines too, with a mark in front of the first
        paths = [line.rstrip(b"\r") for line in data.removeprefix(BOM_UTF8).split(b"\n")]
    found = [os.fsdecode(bytes(path)) for path in paths if path.strip()]
    if not found:
        raise PredictionError("stdin: a list of paths expected, found none")
    return found

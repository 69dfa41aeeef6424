"""What a file that is no .t7 is, told from its first bytes, and what to do with it."""

import re
from typing import Final

# (pattern of the first bytes, what it is and the next step); the first that matches names the file.
SIGNATURES: Final = (
    # The first entry of what torch.save writes; its name stands behind 30 bytes.
    (
        rb"PK\x03\x04.{26}[^/]+/data\.pkl",
        "a zip archive, as PyTorch writes it: it needs no conversion",
    ),
    (rb"PK\x03\x04", "a zip archive: if a .t7 file is in it, unpack it first (unzip)"),
    (
        rb"\x80[\x02-\x05]",
        "a Python pickle, such as old PyTorch wrote: it needs no conversion",
    ),
    (rb".{7}\x00\{", "a safetensors file: it needs no conversion"),
    (rb"\x1f\x8b", "a gzip archive: unpack it first (gunzip)"),
    (rb"\xfd7zXZ", "an xz archive: unpack it first (unxz)"),
    (rb"BZh", "a bzip2 archive: unpack it first (bunzip2)"),
    (rb"\x89HDF\r\n", "an HDF5 file"),
    (rb"version https://git-lfs", "a Git LFS pointer: fetch the file itself (git lfs pull)"),
    (rb"(?i)\s*<(!doctype|html|\?xml)", "a web page: the download failed, try the address again"),
    (rb"[\t\n\r -~]+\Z", "a text file"),
)


def describe(head: bytes) -> str:
    """Name the kind of file that starts with `head`, with the next step.

    Args:
        head: the first bytes, 512 are plenty.
    """
    for pattern, description in SIGNATURES:
        if re.match(pattern, head, re.DOTALL):
            return description
    return f"unknown bytes {head[:8].hex(' ')}"

"""Files that appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Final

# Letters of a file's name in the name of its temporary file. A name has at most 255 bytes, which
# may be only 63 letters.
MOST_LETTERS: Final = 48


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes the name `path` only when the block ends without an error.

    It is written beside `path` under a hidden name, `.NAME.` and eight letters and `.part`, and
    removed on any error, Ctrl-C included. The data is not synchronised to the disk: a power cut may
    lose the file.

    Raises:
        OSError: the folder is missing or read-only, or the disk is full; names `path`. An error
            over another file, raised in the block, keeps its name.
    """
    hidden = None
    try:
        prefix = f".{path.name[:MOST_LETTERS]}."
        with NamedTemporaryFile(
            dir=path.parent, prefix=prefix, suffix=".part", delete=False
        ) as file:
            hidden = file.name
            try:
                yield file
                file.close()
                umask = os.umask(0)
                os.umask(umask)
                Path(hidden).chmod(0o666 & ~umask)
                Path(hidden).replace(path)
            except BaseException:
                Path(hidden).unlink(missing_ok=True)
                raise
    except OSError as error:
        # The user does not know the hidden name, and the error of a full disk has no name.
        ours = hidden is None or error.filename in (None, hidden)
        if ours and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise

"""Files that appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Final

# Of a name, in the name of what becomes it: 255 bytes may be 63 letters.
MOST_LETTERS: Final = 48


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes the name `path` only when the block ends without an error.

    It is written beside `path` under a hidden name, `.NAME.` and eight letters and `.part`, and
    removed on any error, Ctrl-C included. Nothing waits for the disk: after a power cut the work
    has to be done again.

    Raises:
        OSError: the folder is missing or read-only, or the disk is full; names `path`. An error
            over another file, raised in the block, keeps its name.
    """
    hidden = None
    try:
        # Cut, for a name that is as long as a name may be.
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
        # The hidden name says nothing to a user, and a full disk gives none.
        ours = hidden is None or error.filename in (None, hidden)
        if ours and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise

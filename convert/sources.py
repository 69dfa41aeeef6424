"""What a user names as a source: a path, or a published network that is fetched first."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from convert.errors import SourceError
from resnext.published import Row, published


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One source.

    Attributes:
        path: of the file, which may not be there yet.
        output: where an output goes by default: this path with another suffix.
        row: the published network to fetch into `path`; None for a file of the user's own.
    """

    path: Path
    output: Path
    row: Row | None = None


def find_source(text: str, *, cache: Callable[[], Path]) -> Source:
    """Return what a user means: an existing path first, else a published network's name.

    Args:
        text: as it was given.
        cache: returns the folder of downloads.

    Raises:
        SourceError: neither, or a network of which no weights were published.
    """
    path = Path(text)
    names = {row.name: row for row in published()}
    if path.is_file() or text not in names:
        if path.exists() and not path.is_file():
            found = "a folder" if path.is_dir() else "something else"
            raise SourceError(f"{text}: a file expected, found {found}")
        if not path.exists():
            known = ", ".join(name for name, row in names.items() if row.url)
            also = "" if path.suffix or path.name != text else f"; published networks are {known}"
            raise SourceError(f"{text}: no such file{also}")
        return Source(path=path, output=path)
    row = names[text]
    if row.file is None:
        raise SourceError(f"{text}: no weights of it were published; a path always works")
    return Source(path=cache() / row.file, output=Path(f"{text}.t7"), row=row)

"""Which claims are about a network: by its names, and by the file that its weights come from.

A measurement asks it of a checkpoint, and whoever judges a ledger of what that says of one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from resnext.fields import cut
from resnext.published import Row
from resnext.spec import Spec

# Suffixes of files in which weights are published again: they have another sha256, whatever is
# in them.
REPACKED: Final = (".safetensors", ".bin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What is known of a network and of the file that its weights come from; None where it is not.

    Attributes:
        names: by which rows of claims are looked up: the published name in its header, if any,
            before the name of its file.
        published_name: in its header.
        stated: that name was stated by somebody, and not shown by the file.
        spec: its architecture.
        file, sha256, bytes: of the original file.
    """

    names: tuple[str, ...]
    published_name: str | None = None
    stated: bool = False
    spec: Spec | None = None
    file: str | None = None
    sha256: str | None = None
    bytes: int | None = None

    @property
    def original(self) -> str | None:
        """Return the name of the original file without its folder."""
        return None if self.file is None else self.file.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenRow:
    """The row that a network is judged by.

    Attributes:
        row: None where no claims are about it.
        is_own: it is of the user's own table.
        note: why it was chosen, a clause, where that is not obvious.
    """

    row: Row | None = None
    is_own: bool = False
    note: str | None = None


def choose_row(identity: Identity, *, own: Sequence[Row], published: Sequence[Row]) -> ChosenRow:
    """Return the row of claims about a network.

    A row of the user's own table comes first, by any of its names; then the published one of the
    name in its header. Where the header has none, the name of the file counts only for a network
    of the row's architecture, and it is said: a fine-tuned network may well keep the name of the
    file it came from.
    """
    if mine := next(filter(None, (row_named(own, name) for name in identity.names)), None):
        return ChosenRow(row=mine, is_own=True, note=_stated(identity, mine))
    header = identity.published_name
    if row := row_named(published, header):
        return ChosenRow(row=row, note=_stated(identity, row))
    namesakes = filter(None, (row_named(published, name) for name in identity.names))
    if header is None and (namesake := next(namesakes, None)):
        if identity.spec is not None and identity.spec == namesake.spec:
            return ChosenRow(
                row=namesake,
                note=f"judged as the published {namesake.name} by its file's name alone; its "
                "header does not say that it is that file",
            )
        if identity.spec is None:  # of a ledger that does not say it
            return ChosenRow(row=namesake)
    return ChosenRow()


def _stated(identity: Identity, row: Row) -> str | None:
    if identity.stated and row.name == identity.published_name:
        return f"it is {row.name} as stated at its conversion, not as shown"
    return None


def origin_doubts(identity: Identity, row: Row, *, of: str) -> Iterator[str]:
    """Yield why the file that weights come from is not the one that a row's claims are about.

    Of a name that was stated at a conversion nothing is doubted: it is stated where the file does
    not show it.

    Args:
        identity: of the network.
        row: with its claims.
        of: what has the weights, for the phrases.
    """
    if _stated(identity, row):
        return
    original = identity.original
    repacked = original is not None and row.file is not None and _is_repacked(original, row.file)
    found = None if repacked else identity.sha256
    if row.sha256 and found and not found.startswith(row.sha256):
        yield (
            f"the claims are about {row.file or 'a file'} of a sha256 that begins with "
            f"{row.sha256}, the original of {of} has {cut(found[:12])}..."
        )
    if row.bytes and row.file in (None, original) and identity.bytes not in (None, row.bytes):
        yield (
            f"the published {row.file or 'file'} has {row.bytes:,} bytes, the original of "
            f"{of} {identity.bytes:,}"
        )


def _is_repacked(original: str, published: str) -> bool:
    """Tell whether a file is of a form in which the weights of another are published again."""
    one, other = (PurePosixPath(name).suffix.lower() for name in (original, published))
    return one in REPACKED and one != other


def row_named(rows: Sequence[Row], name: str | None) -> Row | None:
    """Return the row of a name; None where there is none, or no name."""
    return {row.name: row for row in rows}.get(name) if name else None

"""Under which preprocessing, and by which claims, a checkpoint is measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resnext.checkpoint import Checkpoint, Origin
from resnext.errors import PreprocessingError
from resnext.preprocessing import Preprocessing
from resnext.published import Claim, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How one checkpoint is measured.

    Attributes:
        name: of the network: the published name in the checkpoint's header, else the name of the
            row or the file.
        preprocessing: what the images go through.
        claims: by which it is judged.
        note: what the user should know about this choice; None if it is the obvious one.
        weights_sha256: of the only weights that the claims are about, where their row says so.
    """

    name: str
    preprocessing: Preprocessing
    claims: tuple[Claim, ...] = ()
    note: str | None = None
    weights_sha256: str | None = None


def choose(
    checkpoint: Checkpoint,
    path: Path,
    *,
    own: Sequence[Row],
    published: Sequence[Row],
    stated: Preprocessing | None = None,
) -> Protocol:
    """Return the protocol of a checkpoint.

    A row of the user's own table comes first: one of the published name in the checkpoint's
    header, else one of its file's name; then the published table in the same order. There the
    file's name counts only for a network of the row's architecture, and it is said: a fine-tuned
    network may well keep the name of the file it came from. Without a row, the checkpoint's own
    preprocessing is used, and nothing is judged.

    Args:
        checkpoint: what is measured.
        path: its file.
        own: the user's table.
        published: the built-in one.
        stated: what the user will measure with in any case; then no note is about the choice of a
            preprocessing.

    Raises:
        PreprocessingError: there is no row, and the checkpoint's own preprocessing is not known.
    """
    header = checkpoint.provenance.published_name
    if row := _named(own, header) or _named(own, path.stem) or _named(published, header):
        return Protocol(
            name=row.name,
            preprocessing=row.preprocessing,
            claims=row.claims,
            note=None if stated else _override(checkpoint, path, row),
            weights_sha256=row.weights_sha256,
        )
    namesake = _named(published, path.stem)
    if header is None and namesake and namesake.spec == checkpoint.spec:
        return Protocol(
            name=namesake.name,
            preprocessing=namesake.preprocessing,
            claims=namesake.claims,
            note=f"{path}: judged as the published {namesake.name} by its file's name alone; its "
            "header does not say that it is that file",
        )
    name = header or path.stem
    usual = checkpoint.preprocessing or stated
    if usual is None:
        raise PreprocessingError(
            f"{path}: no preprocessing is known for this network; add a row named {name!r} "
            "to --claims, state it with --preprocessing, or store it with resnext-convert "
            "--preprocessing"
        )
    note = None
    if checkpoint.origin is Origin.ASSUMED and stated is None:
        note = (
            f"{path}: preprocessing assumed from the network's shape, {usual.describe()}; "
            f"--preprocessing, or a row named {name!r} in --claims, states another"
        )
    return Protocol(name=name, preprocessing=usual, note=note)


def unused(rows: Sequence[Row], protocols: Sequence[Protocol]) -> tuple[str, ...]:
    """Return the names of the rows that apply to none of the measured networks."""
    names = {protocol.name for protocol in protocols}
    return tuple(row.name for row in rows if row.name not in names)


def _named(rows: Sequence[Row], name: str | None) -> Row | None:
    return {row.name: row for row in rows}.get(name) if name else None


def _override(checkpoint: Checkpoint, path: Path, row: Row) -> str | None:
    """Return a note if a row replaces a stored preprocessing that was not merely assumed."""
    replaced = checkpoint.preprocessing
    if replaced is None or replaced == row.preprocessing or checkpoint.origin is Origin.ASSUMED:
        return None
    return (
        f"{path}: the row {row.name!r} sets the preprocessing, {row.preprocessing.describe()}; "
        f"the checkpoint's own, {checkpoint.origin}, is not used: {replaced.describe()}"
    )

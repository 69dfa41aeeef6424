"""Under which preprocessing, and by which claims, a checkpoint is measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from resnext.checkpoint import Checkpoint, Origin
from resnext.errors import PreprocessingError
from resnext.preprocessing import Preprocessing
from resnext.published import Claim, Row
from validate.verdicts.identity import Identity, choose_row, origin_doubts

# What of a preprocessing is only assumed, by where it comes from.
ASSUMED: Final = {
    Origin.ASSUMED: "preprocessing assumed from the network's shape",
    Origin.GRAPH: "scale and crop are assumed, as the file's graph states mean and std alone",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How one checkpoint is measured.

    Attributes:
        name: of the network: the published name in the checkpoint's header, else the name of the
            row or the file.
        preprocessing: that goes with the claims; the options may measure with another.
        claims: by which it is judged.
        replaced: the checkpoint's own preprocessing, in whose place the claims have another; None
            where they do not, or it was only assumed.
        classes: names of the outputs in their order, where the claims' row has them.
        note: what the user should know about this choice; None if it is the obvious one.
        weights_sha256: of the only weights that the claims are about, where their row says so.
        identity: by what the claims were chosen; None where that is not to be kept.
        doubts: why they cannot be judged by these weights, a phrase each.
    """

    name: str
    preprocessing: Preprocessing
    claims: tuple[Claim, ...] = ()
    replaced: Preprocessing | None = None
    classes: tuple[str, ...] | None = None
    note: str | None = None
    weights_sha256: str | None = None
    identity: Identity | None = None
    doubts: tuple[str, ...] = ()


def choose(
    checkpoint: Checkpoint,
    path: Path,
    *,
    own: Sequence[Row],
    published: Sequence[Row],
    stated: Preprocessing | None = None,
) -> Protocol:
    """Return the protocol of a checkpoint.

    Its claims are those of the row that `choose_row` returns, where the file that its weights come
    from does not contradict. The preprocessing is the row's, or else the checkpoint's own. Without
    a row, nothing is judged.

    Args:
        checkpoint: what is measured.
        path: its file.
        own: the user's table.
        published: the built-in one.
        stated: what the user will measure with in any case; then no note is about the choice of a
            preprocessing.

    Raises:
        PreprocessingError: neither the row nor the checkpoint has a preprocessing.
    """
    identity = identity_of(checkpoint, path)
    choice = choose_row(identity, own=own, published=published)
    row = choice.row
    if row is None:
        name = identity.names[0]
        cure = f"add a row named {name!r} to --claims"
        return Protocol(
            name=name,
            preprocessing=_own(checkpoint, path, cure=cure, stated=stated),
            note=None if stated else _assumed_note(checkpoint, path, name),
            identity=identity,
        )
    replaced = None if stated else _replaced(checkpoint, row)
    notes = [f"{path}: {choice.note}"] if choice.note else []
    if replaced and row.preprocessing:
        notes.append(
            f"{path}: the row {row.name!r} sets the preprocessing, "
            f"{row.preprocessing.describe()}; the checkpoint's own, {checkpoint.origin}, is "
            f"not used: {replaced.describe()}"
        )
    if row.preprocessing is None and not stated:
        notes += filter(None, [_assumed_note(checkpoint, path, row.name)])
    doubts = tuple(origin_doubts(identity, row, of="the checkpoint's weights"))
    return Protocol(
        name=row.name,
        preprocessing=row.preprocessing
        or _own(
            checkpoint,
            path,
            cure=f"add one to the row {row.name!r} of the claims",
            stated=stated,
        ),
        claims=row.claims,
        replaced=replaced,
        classes=row.classes,
        note="; ".join(notes) or None,
        weights_sha256=row.weights_sha256,
        identity=identity,
        doubts=doubts,
    )


def identity_of(checkpoint: Checkpoint, path: Path) -> Identity:
    """Return by what rows of claims are chosen for a checkpoint.

    Args:
        checkpoint: what is measured.
        path: its file.
    """
    source = checkpoint.provenance
    # All files of weights on the Hugging Face hub are called alike: their folder's name tells.
    folder, _, file = (source.source_file or "").rpartition("/")
    stem = folder if folder and file == path.name else path.stem
    header = source.published_name
    return Identity(
        names=(header, stem) if header else (stem,),
        published_name=header,
        stated=source.stated,
        spec=checkpoint.spec,
        file=source.source_file,
        sha256=source.source_sha256,
        bytes=source.source_bytes,
    )


def unused(rows: Sequence[Row], protocols: Sequence[Protocol]) -> tuple[str, ...]:
    """Return the names of the rows that apply to none of the measured networks."""
    names = {protocol.name for protocol in protocols}
    return tuple(row.name for row in rows if row.name not in names)


def _own(
    checkpoint: Checkpoint, path: Path, *, cure: str, stated: Preprocessing | None
) -> Preprocessing:
    """Return the checkpoint's own preprocessing, or the stated one where it has none or a guess.

    Args:
        checkpoint: that is measured.
        path: of it.
        cure: how to give one, for the message.
        stated: by the user; or None.
    """
    if stated is not None and checkpoint.origin is Origin.ASSUMED:
        return stated
    usual = checkpoint.preprocessing or stated
    if usual is None:
        raise PreprocessingError(
            f"{path}: no preprocessing is known for this network; {cure}, state it with "
            "--preprocessing, or store it with resnext-convert --preprocessing"
        )
    return usual


def _assumed_note(checkpoint: Checkpoint, path: Path, name: str) -> str | None:
    what = ASSUMED.get(checkpoint.origin) if checkpoint.origin else None
    if what is None or checkpoint.preprocessing is None:
        return None
    return (
        f"{path}: {what}, {checkpoint.preprocessing.describe()}; "
        f"--preprocessing, or a row named {name!r} in --claims, states another"
    )


def _replaced(checkpoint: Checkpoint, row: Row) -> Preprocessing | None:
    """Return the stored preprocessing that a row replaces, if it was not merely assumed."""
    own = checkpoint.preprocessing
    if row.preprocessing in (None, own) or checkpoint.origin is Origin.ASSUMED:
        return None
    return own

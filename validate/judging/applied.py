"""The claims that a run of a ledger is judged by, and why they may not be about it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from resnext.fields import cut
from resnext.images.imagenet import WNIDS
from resnext.images.names import normal
from resnext.preprocessing import IMAGENET, INTERPOLATIONS, Interpolation, Pipeline, Preprocessing
from resnext.published import Row, published
from validate.judging.evidence import Evidence
from validate.ledger.origin import LedgerRun
from validate.ledger.predictions import UNKNOWN
from validate.verdicts.identity import ChosenRow, choose_row, origin_doubts
from validate.verdicts.pictures import UNCHECKED
from validate.verdicts.protocols import Protocol
from validate.verdicts.results import MeasuredRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A run with the claims that are made of its network.

    Attributes:
        run: as reports name it.
        protocol: name, claims, and the preprocessing that goes with them.
        doubts: why the claims cannot be judged by it, a phrase each.
        notes: what was taken for granted, a sentence each.
    """

    run: MeasuredRun
    protocol: Protocol
    doubts: tuple[str, ...]
    notes: tuple[str, ...]


def applied(evidence: Evidence, run: LedgerRun, own: Sequence[Row]) -> Applied:
    """Return the claims about a run's network, by the row that a measurement would take too.

    Args:
        evidence: the ledger.
        run: of it.
        own: the user's table.
    """
    choice = choose_row(run.identity, own=own, published=published())
    row = choice.row
    usual = (row and row.preprocessing) or run.usual or run.preprocessing or IMAGENET
    doubts = list(evidence.doubts)
    if row is not None:
        doubts += _doubts(evidence, run, row, built_in=not choice.is_own)
    measured = MeasuredRun(
        checkpoint=str(evidence.path),
        network=run.network,
        weights_sha256=run.weights_sha256 or UNKNOWN,
        preprocessing=run.preprocessing or _as_if(run, usual),
        crops=run.crops or 1,
        precision=run.precision,
        compiled=run.compiled,
    )
    return Applied(
        run=measured,
        protocol=Protocol(
            name=row.name if row else run.network,
            preprocessing=usual,
            claims=row.claims if row else (),
        ),
        doubts=tuple(doubts),
        notes=tuple(_notes(evidence, run, choice)),
    )


def _doubts(evidence: Evidence, run: LedgerRun, row: Row, *, built_in: bool) -> Iterator[str]:
    """Yield why a row's claims are not about a run."""
    wanted, found = row.weights_sha256, run.weights_sha256
    if wanted is not None and wanted != found:
        yield (
            f"the claims are about weights of sha256 {wanted[:12]}..., the ledger about "
            f"{found[:12] + '...' if found else 'weights that it does not name'}"
        )
    yield from origin_doubts(run.identity, row, of="the ledger's weights")
    classes = len(row.classes) if row.classes else row.spec.classes if row.spec else None
    if classes not in (None, evidence.classes):
        yield f"the claims are about {classes} classes, the ledger about {evidence.classes}"
    elif built_in and classes == len(WNIDS) and not evidence.published:
        yield UNCHECKED
    names = evidence.origin.names
    for place, (one, other) in enumerate(zip(row.classes or (), names or (), strict=False)):
        if normal(one) != normal(other):
            yield f"output {place} is {cut(one)!r} in the claims and {cut(other)!r} in the ledger"
            break
    if run.pipeline == UNKNOWN:
        yield "the file does not say by which weights, pixels and arithmetic it was made"


def _notes(evidence: Evidence, run: LedgerRun, choice: ChosenRow) -> Iterator[str]:
    path, name, row = evidence.path, cut(run.network), choice.row
    if row is None or run.pipeline == UNKNOWN:
        return
    if choice.note:
        yield f"{path}: {choice.note}"
    stated = {
        "weights": run.weights_sha256,
        "preprocessing": run.preprocessing,
        "original file": run.sha256 if row.sha256 else "",
    }
    if missing := [word for word, value in stated.items() if value is None]:
        cure = "; a report.json beside the file states the weights" if "weights" in missing else ""
        yield (
            f"{path}: {name}: not stated, and taken for what the claims are about: "
            f"{' and '.join(missing)}{cure}"
        )
    told = run.identity.spec is not None  # then the choice says by what it was made
    if not told and row.file and run.file is not None and run.identity.original != row.file:
        yield f"{path}: {name} is {row.file} by its name; its weights come from {cut(run.file)}"
    if row.preprocessing is None and run.usual is None:
        yield (
            f"{path}: {name}: which preprocessing goes with its claims is not stated, and taken "
            "for that of the ledger"
        )


def _as_if(run: LedgerRun, usual: Preprocessing) -> Preprocessing:
    """Return the preprocessing of a run that states its pipeline only, the rest as usual."""
    if run.pipeline not in list(Pipeline):
        return usual
    row = usual.with_pipeline(Pipeline(run.pipeline))
    known = INTERPOLATIONS[row.pipeline]
    stated = run.interpolation
    return replace(row, interpolation=Interpolation(stated)) if stated in known else row

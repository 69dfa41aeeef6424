"""What can be compared or judged: ledgers, compressed or not, and files of predictions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from resnext.fields import cut
from resnext.files import read_once
from validate.ledger.packing import LARGEST, unpacked
from validate.ledger.pairing import picture
from validate.ledger.predictions import parse_predictions, starts_predictions
from validate.ledger.stored import LedgerError, Stored, naming_file, parse

# Fields of a run's description that distinguish runs, and their types.
RUN_FIELDS: Final[Mapping[str, type]] = {
    "network": str,
    "weights_sha256": str,
    "preprocessing": dict,
    "pipeline": str,
    "crops": int,
    "precision": str,
}


def read_decisions(path: Path) -> Stored:
    """Return a file of decisions, each of every run; a picture may stand in it more than once.

    Raises:
        LedgerError: it is neither a ledger nor a file of predictions, holds nothing yet, is
            damaged, or was changed since it was finished.
        PackingError: it is compressed, and cannot be unpacked.
        OSError: it cannot be read.
    """
    with naming_file(path):
        data = unpacked(read_once(path, LedgerError, most=LARGEST), path)
    if starts_predictions(data):
        stored: Stored | None = parse_predictions(data, path)
    else:
        stored = parse(data, path)
    if stored is None or not stored.entries:
        raise LedgerError(f"{path}: a ledger with decisions expected, found none in it yet")
    runs = stored.identity.get("runs")
    if not isinstance(runs, list) or not all(map(_describes_run, runs)):
        raise LedgerError(f"{path}: line 1: a description of each run expected, found another")
    for number, entry in enumerate(stored.entries, 2):
        decided = entry.failure is not None or (
            len(entry.top_five) == len(runs) and all(entry.top_five)
        )
        if not decided:
            rows = f"those of {len(entry.top_five)}" if all(entry.top_five) else "a run without any"
            raise LedgerError(_damaged(path, number, len(runs), rows))
    stored.check_seal()
    return stored


def read_decided(path: Path) -> Stored:
    """Return a file of decisions that can be compared: every picture stands in it once.

    Raises:
        LedgerError, PackingError, OSError: as `read_decisions`; or a picture stands there twice.
    """
    stored = read_decisions(path)
    lines: dict[str, int] = {}
    for number, entry in enumerate(stored.entries, 2):
        if (first := lines.setdefault(picture(entry.image), number)) != number:
            found = f"{cut(entry.image)} again, which stands in line {first}"
            raise LedgerError(_damaged(path, number, len(stored.identity["runs"]), found))
    return stored


def _damaged(path: Path, number: int, runs: int, found: str) -> str:
    return (
        f"{path}: line {number}: the classes of {runs} runs for an image, once, expected, found "
        f"{found}; the file was damaged"
    )


def _describes_run(run: object) -> bool:
    return isinstance(run, dict) and all(
        type(run.get(name)) is kind for name, kind in RUN_FIELDS.items()
    )

"""A model card on disk: what was measured goes into it, and all else stays as it is."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from resnext.files import whole_file
from resnext.model_card.measured import (
    MeasuredRow,
    check_marks,
    is_measured,
    rows_of,
    with_table,
)
from resnext.model_card.model_index import results_of, with_results
from resnext.model_card.readme import Readme
from resnext.model_card.seal import SEAL, is_sealed, sealed


def check_card(path: Path, name: str) -> None:
    """Check that measurements can be written into a card, without writing.

    Args:
        path: of the README.
        name: of the model.

    Raises:
        CardError, OSError: as `write_measured`.
    """
    measured_text(Readme.read(path), name, ())


def write_measured(path: Path, name: str, rows: Sequence[MeasuredRow]) -> int:
    """Write measurements into a card; each replaces an earlier one of the same kind.

    Earlier ones of other kinds stay, while they are about the same weights.

    Args:
        path: of the README, which is replaced whole or not at all.
        name: of the model.
        rows: of one checkpoint, at least one.

    Returns:
        How many measurements the card holds now.

    Raises:
        CardError: no README with front matter in YAML, a `model-index` of another form, or a text
            in which our lines are not a pair.
        OSError: it cannot be read or written.
    """
    text, count = measured_text(Readme.read(path), name, rows)
    with whole_file(path) as file:
        file.write(text.encode())
    return count


def measured_text(readme: Readme, name: str, rows: Sequence[MeasuredRow]) -> tuple[str, int]:
    """Return a card with measurements, and how many they are; see `write_measured`."""
    check_marks(readme)
    weights = {row.made["weights_sha256"] for row in rows}
    found = {
        row.key: row
        for row in rows_of(results_of(readme, name))
        if not rows or row.made.get("weights_sha256") in weights
    }
    found |= {row.key: row for row in rows}
    results = [row.to_result() for row in found.values()]
    changed = with_results(readme, name, results, is_ours=is_measured)
    seal = SEAL.search(readme.rest)
    rest = readme.rest[: seal.start()] if seal else readme.rest
    changed = replace(changed, rest=with_table(rest, [*found.values()], readme.line_break))
    if is_sealed(readme.text):
        return sealed(changed.text, version("resnext")), len(found)
    return changed.text + (seal[0] if seal else ""), len(found)

"""The tables of docs/why-ports-lost-accuracy.md, made from what `benchmarks.ports` measured."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.markdown import table
from benchmarks.runs import read_result

Counts = Mapping[str, Any]


def pixels_table() -> str:
    """Return by how many grey levels the pipelines differ from Torch7's."""
    facts = read_result("ports")
    rows = {"photographs, 224": facts["photographs"]}
    rows |= {_name(row): row["grey_levels"] for row in facts["sets"].values()}
    ways = list(facts["photographs"])
    lines = [(name, *(f"{levels[way]:.1f}" for way in ways)) for name, levels in rows.items()]
    return table(("pictures, side of the input", *(f"`{way}`" for way in ways)), lines)


def moved_table() -> str:
    """Return what other pixels than those of the training do to a network."""
    header = (
        *("digits, side of the input", "trained on", "error on these, %", "measured on"),
        *("logits moved by", "decisions changed, %", "error changed, points (95 %)", "McNemar's p"),
    )
    return table(header, _moved_lines(read_result("ports")["sets"]))


def _moved_lines(sets: Mapping[str, Counts]) -> Iterator[Sequence[str]]:
    for row in sets.values():
        for trained, ways in row["trained"].items():
            for measured, found in ways.items():
                if measured == trained:
                    continue
                yield (
                    _name(row),
                    f"`{trained}`",
                    _percent(ways[trained], "wrong"),
                    f"`{measured}`",
                    f"{found['logits']:.3f}",
                    _percent(found, "changed"),
                    _points(found),
                    ", ".join(f"{p:.2g}" for p in found["mcnemar"]),
                )


def own_table() -> str:
    """Return how networks that are trained and measured on one pipeline's pixels compare."""
    lines = [
        (
            _name(row),
            _percent(row["trained"]["torch7"]["torch7"], "wrong"),
            _percent(row["trained"]["pil"]["pil"], "wrong"),
            _percent(row["own"], "changed"),
            _points(row["own"]),
        )
        for row in read_result("ports")["sets"].values()
    ]
    header = (
        *("digits, side of the input", "`torch7` throughout, error %", "`pil` throughout, error %"),
        *("decisions that differ, %", "difference, points (95 %)"),
    )
    return table(header, lines)


def _name(row: Counts) -> str:
    """Return the side of the input, and the digit's share where that is not the whole picture."""
    small = f", small: 1/{1 / row['share']:.0f} of the side" if row["share"] < 1 else ""
    return f"{row['crop']}{small}"


def _percent(counts: Counts, kind: str) -> str:
    return f"{100 * counts[kind] / counts['decisions']:.2f}"


def _points(counts: Counts) -> str:
    mean, low, high = counts["points"]
    return f"{mean:+.2f} ({low:+.2f} to {high:+.2f})"

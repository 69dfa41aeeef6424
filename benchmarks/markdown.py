"""Tables of Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.runs import read_result


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A table that one benchmark measured; called, it is the text.

    Attributes:
        name: of what the rows are.
        result: the file in `results`, without its suffix.
        within: where the rows are in that file, from the outside in.
        columns: header -> how it shows the values of a row, by their names.
        texts: names of the rows that are shown -> what they are called; None shows all by name.
    """

    name: str
    result: str
    within: tuple[str, ...] = ("rows",)
    columns: Mapping[str, str]
    texts: Mapping[str, str] | None = None

    def __call__(self) -> str:
        """Return the table in Markdown."""
        rows = read_result(self.result)
        for field in self.within:
            rows = rows[field]
        return measured_table(self.name, self.columns, rows, self.texts)


def measured_table(
    name: str,
    columns: Mapping[str, str],
    rows: Mapping[str, Mapping[str, float]],
    texts: Mapping[str, str] | None = None,
) -> str:
    """Return a table of measured values.

    Args:
        name: of what the rows are.
        columns: header -> how it shows the values of a row, by their names.
        rows: name -> values.
        texts: names of the rows that are shown -> what they are called; None shows all by name.
    """
    lines = [
        (text, *(form.format(**rows[key]) for form in columns.values()))
        for key, text in (texts or {key: key for key in rows}).items()
    ]
    return table((name, *columns), lines)


def table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table of texts."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)

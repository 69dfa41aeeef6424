"""A measurement as an entry of a card's `model-index`, and the entries as a table of its text."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from resnext.errors import CardError, ResnextError
from resnext.fields import WrittenFloat
from resnext.model_card.hub_names import ACCURACIES, TASK
from resnext.model_card.readme import LINE_BREAK, Readme
from resnext.pages.markdown import literal, table
from resnext.preprocessing import Pipeline, Preprocessing
from resnext.published import Metric
from resnext.terminal.text import number

# The lines between which the text is ours.
BEGIN: Final = "<!-- resnext-validate --card writes from here -->"
END: Final = "<!-- resnext-validate --card writes to here -->"
MARK: Final = re.compile(r"<!-- *resnext-validate +--card +writes +(from|to) +here *-->")

TOOL: Final = "resnext-validate"
FIRST: Final = ACCURACIES[Metric.TOP1_ERROR][0]  # whose entry holds all facts
COLUMNS: Final = ("images", "pixels", "top-1 error %", "top-5 error %", "claims", "measured")
NOTHING: Final = "Nothing has been measured yet: `resnext-validate --data IMAGES --card .` does."


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRow:
    """One way to measure the network of a card, and what came out.

    Attributes:
        dataset: of the images, as the Hub has it: `type` and `name`; `split` and `revision` where
            they are known.
        images: that were measured.
        of: that the set has.
        correct: the Hub's name of an accuracy -> images that were right; `FIRST` at least.
        protocol: what the images went through, and with which arithmetic, as plain values.
        verdicts: on the claims that were judged, a sentence each.
        made: `date`, `resnext` (its version), `versions` (of the libraries), `device`, and
            checksums, whose names end with `_sha256`.
    """

    dataset: Mapping[str, str]
    images: int
    of: int
    correct: Mapping[str, int]
    protocol: Mapping[str, object]
    verdicts: Sequence[str]
    made: Mapping[str, Any]

    @property
    def key(self) -> tuple[object, ...]:
        """Return what tells a measurement from its repetition."""
        return (
            *(self.dataset.get(name) for name in ("type", "name", "split")),
            self.images,
            repr(sorted(self.protocol.items())),
        )

    def to_result(self) -> dict[str, object]:
        """Return the row as a result of a `model-index`.

        A metric is the accuracy, as the Hub compares it, with the digits that one image changes.
        `verified` is left out: that is for the Hub's own measurements.
        """
        facts: dict[str, object] = {
            "measured_by": f"{TOOL} {self.made['resnext']}",
            **{name: value for name, value in self.made.items() if name != "resnext"},
            "images": self.images,
            "images_of_the_set": self.of,
            "protocol": dict(self.protocol),
            "verdicts": list(self.verdicts),
        }
        metrics = [
            {
                "type": kind,
                "name": f"{best} accuracy",
                "value": WrittenFloat(percent(self.correct[kind], self.images)),
                "args": {
                    "correct": self.correct[kind],
                    **(facts if kind == FIRST else {"measured_by": TOOL}),
                },
            }
            for kind, best in ACCURACIES.values()
            if kind in self.correct
        ]
        return {"task": dict(TASK), "dataset": dict(self.dataset), "metrics": metrics}


def is_measured(result: object) -> bool:
    """Tell whether a result of a `model-index` is one that `MeasuredRow.to_result` made."""
    return bool(_rows(result))


def rows_of(results: Iterable[object]) -> Iterator[MeasuredRow]:
    """Yield the rows among the results of a `model-index`."""
    for result in results:
        yield from _rows(result)


def _rows(result: Any) -> tuple[MeasuredRow, ...]:
    """Return the rows of a result; none if it is not ours, or somebody has changed its form.

    The Hub's own client puts the metrics of several rows into one result where their images are the
    same: each entry with all facts begins a row.
    """
    try:
        rows: list[list[Any]] = []
        for metric in result["metrics"]:
            if metric["type"] == FIRST:
                rows.append([])
            rows[-1].append(metric)
        return tuple(_row(result["dataset"], metrics) for metrics in rows)
    except (TypeError, KeyError, IndexError, ValueError, AttributeError, ZeroDivisionError):
        return ()
    except ResnextError:  # a protocol that is none
        return ()


def _row(dataset: Any, metrics: Sequence[Any]) -> MeasuredRow:
    """Return the row of its metrics, or raise whatever another form of them leads to."""
    facts = dict(metrics[0]["args"])
    tool, version = facts.pop("measured_by").split(" ")
    if {tool, *(each["args"]["measured_by"] for each in metrics[1:])} != {TOOL}:
        raise ValueError
    facts.pop("correct")
    row = MeasuredRow(
        dataset={str(name): str(value) for name, value in dataset.items()},
        images=int(facts.pop("images")),
        of=int(facts.pop("images_of_the_set")),
        correct={str(each["type"]): int(each["args"]["correct"]) for each in metrics},
        protocol=dict(facts.pop("protocol")),
        verdicts=[str(each) for each in facts.pop("verdicts")],
        made={"resnext": version, **facts},
    )
    _table_row(row), tuple(_details(row))
    return row


def percent(part: int, whole: int) -> str:
    """Return a share in percent, with the digits that one image changes, and at least two."""
    digits = max(2, len(str(whole - 1)) - 2)
    return f"{float(round(Fraction(100 * part, whole), digits)):.{digits}f}"


def check_marks(readme: Readme) -> None:
    """Check that the lines between which the text is ours are there once, or not at all.

    Raises:
        CardError: one is missing, or is there twice, or they are in the wrong order.
    """
    found = [mark[1] for mark in MARK.finditer(readme.rest)]
    if found and found != ["from", "to"]:
        raise CardError(
            f"{readme.where}: {BEGIN} and {END} expected once each and in this order, or not at "
            f"all, found {number(len(found), 'such line')}; restore or remove them"
        )


def with_table(rest: str, rows: Sequence[MeasuredRow], line_break: str) -> str:
    """Return the text of a card with the rows between our two lines, or at its end.

    Args:
        rest: of a README, checked by `check_marks`.
        rows: that are told.
        line_break: ends lines.
    """
    block = line_break.join([BEGIN, "", *_block(rows), "", END])
    places = list(MARK.finditer(rest))
    if places:
        return rest[: places[0].start()] + block + rest[places[1].end() :]
    gap = "" if not rest else line_break if LINE_BREAK.search(rest[-1]) else 2 * line_break
    return f"{rest}{gap}{block}{line_break}"


def _block(rows: Sequence[MeasuredRow]) -> Iterator[str]:
    if not rows:
        yield NOTHING
        return
    yield from table(COLUMNS, [_table_row(row) for row in rows], right=(2, 3))
    yield ""
    yield from (line for row in rows for line in _details(row))


def _table_row(row: MeasuredRow) -> tuple[str, ...]:
    errors = [
        f"{percent(row.images - row.correct[name], row.images)} "
        f"({row.images - row.correct[name]:,})"
        if name in row.correct
        else ""
        for name, _ in ACCURACIES.values()
    ]
    part = "" if row.images == row.of else f", a sample of {row.of:,}"
    return (
        f"{row.images:,} of {literal(row.dataset['name'])}{part}",
        literal(_pixels(row)),
        *errors,
        "<br>".join(literal(each) for each in row.verdicts),
        literal(str(row.made["date"])),
    )


def _pixels(row: MeasuredRow) -> str:
    protocol: dict[str, Any] = dict(row.protocol)
    crops, precision = int(protocol.pop("crops")), protocol.pop("precision")
    compiled = " compiled" if protocol.pop("compiled", False) else ""
    pixels = Preprocessing.from_fields(protocol, "protocol")
    torch7 = "torch7, " if pixels.pipeline is Pipeline.TORCH7 else ""
    return f"{torch7}{pixels.describe()}; {number(crops, 'crop')}, {precision}{compiled}"


def _details(row: MeasuredRow) -> Iterator[str]:
    """Yield the facts of a row as an item of a list, with its checksums below it."""
    date, versions = str(row.made["date"]), dict(row.made["versions"])
    facts = {"resnext": row.made["resnext"], **versions, "device": row.made["device"]}
    made_with = ", ".join(f"{name} {value}" for name, value in facts.items())
    what = f"{date}, {number(row.images, 'image')} of {row.dataset['name']}, {_pixels(row)}"
    yield f"- {literal(what)}; {literal(made_with)}"
    for name, value in row.made.items():
        if name.endswith("_sha256"):
            what = literal(name.removesuffix("_sha256"))
            yield f"  - sha256 of the {what}: {literal(str(value))}"

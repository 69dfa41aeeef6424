"""What the page on ports says of its tables follows from the numbers that were measured."""

import json

from tests.support.golden import ROOT

FACTS = json.loads((ROOT / "benchmarks" / "results" / "ports.json").read_text())
PAGE = " ".join((ROOT / "docs" / "why-ports-lost-accuracy.md").read_text().split())
# Each network on the pixels of a pipeline that did not train it.
MOVED = [
    ways[measured]
    for row in FACTS["sets"].values()
    for trained, ways in row["trained"].items()
    for measured in ways
    if measured != trained
]
OWN = [row["own"] for row in FACTS["sets"].values()]


def percent(counts: dict[str, int]) -> float:
    return 100 * counts["changed"] / counts["decisions"]


def test_page_gives_the_ranges_of_what_moves() -> None:
    logits = [100 * each["logits"] for each in MOVED]
    changed = [percent(each) for each in MOVED]
    points = [each["points"] for each in MOVED]
    assert f"move the logits by {min(logits):.0f} to {max(logits):.0f} % of their" in PAGE
    assert f"change {min(changed):.1f} to {max(changed):.1f} % of the decisions" in PAGE
    means = [mean for mean, _, _ in points]
    assert f"between {min(means):+.2f} and {max(means):+.2f} points" in PAGE
    assert all(low <= 0 <= high for _, low, high in points)
    assert f"each of the {len(points)} intervals holds 0" in PAGE
    assert f"the highest end of an interval is {max(high for *_, high in points):+.2f}" in PAGE


def test_page_counts_the_tests_below_one_in_twenty() -> None:
    values = [p for each in MOVED for p in each["mcnemar"]]
    assert sum(p < 0.05 for p in values) == 2
    assert f"Two of the {len(values)} McNemar tests are below 0.05" in PAGE
    assert len(values) / 20 == 3
    assert "chance alone gives up to three" in PAGE


def test_page_tells_how_far_two_trainings_are_apart() -> None:
    changed = [percent(each) for each in OWN]
    assert f"several times as often ({min(changed):.0f} to {max(changed):.0f} %)" in PAGE
    for name, row in FACTS["sets"].items():
        pil = row["trained"]["torch7"]["pil"], row["trained"]["pil"]["torch7"]
        assert percent(row["own"]) > 2 * max(map(percent, pil)), name
    off = [row["crop"] for row in FACTS["sets"].values() if not _holds_zero(row["own"]["points"])]
    assert off == [64]
    assert "One of the five intervals of the last table does not hold 0: at 64 pixels" in PAGE


def _holds_zero(points: list[float]) -> bool:
    _, low, high = points
    return low <= 0 <= high

"""Comparisons as lines for a terminal, and as values for JSON."""

from collections.abc import Iterator, Sequence

from resnext.fields import cut
from resnext.terminal.text import number, printable
from validate.comparison.comparison import Comparison, difference, run_name
from validate.comparison.several import Case, Overview, Pair


def comparison_lines(found: Comparison, listed: int | None) -> Iterator[str]:
    """Yield the lines about two runs, with so many of the images that changed; None lists all."""
    yield from map(printable, _comparison_lines(found, listed))


def _comparison_lines(found: Comparison, listed: int | None) -> Iterator[str]:
    flips = found.flips
    yield f"A: {run_name(found.first)}"
    yield f"B: {run_name(found.second)}"
    if other := difference(found.first, found.second):
        yield f"  they differ in: {other}"
    yield f"{found.images} images in common"
    yield from (f"  {note}" for note in found.notes)
    if found.only_first or found.only_second:
        yield f"  not compared: {found.only_first} only in A, {found.only_second} only in B"
    yield f"  right in both       {found.both_right:>7}"
    yield f"  right only in A     {found.lost:>7}"
    yield f"  right only in B     {found.gained:>7}"
    others = len(flips) - found.lost - found.gained
    wrong = found.images - found.both_right - found.lost - found.gained
    yield f"  wrong in both       {wrong:>7}" + (f", {others} differently" if others else "")
    yield f"  exact McNemar test: p {p_words(found.p_value)}"
    for flip in flips[:listed]:
        yield f"  {cut(flip.image)}: label {flip.label}, A {flip.first}, B {flip.second}"
    if listed is not None and len(flips) > listed:
        yield f"  and {len(flips) - listed} more that changed; --all lists them"


def comparison_fields(found: Comparison) -> dict[str, object]:
    """Return what is known of two runs as values that JSON takes."""
    return {
        "first": found.first,
        "second": found.second,
        "images": found.images,
        "notes": [*found.notes],
        "only_in_first": found.only_first,
        "only_in_second": found.only_second,
        "both_right": found.both_right,
        "right_only_in_first": found.lost,
        "right_only_in_second": found.gained,
        "p_value": found.p_value,
        "changed": [
            {
                "image": flip.image,
                "label": flip.label,
                "first": flip.first,
                "second": flip.second,
                "right": flip.kind,
            }
            for flip in found.flips
        ],
    }


def overview_lines(found: Overview, listed: int | None) -> Iterator[str]:
    """Yield the lines about some runs, with so many images of each list; None lists all."""
    yield from map(printable, _overview_lines(found, listed))


def _overview_lines(found: Overview, listed: int | None) -> Iterator[str]:
    for place, (run, right) in enumerate(zip(found.runs, found.right, strict=True), 1):
        yield f"{place}: {cut(run.title)}: {right} right"
    yield f"{found.images} images in common"
    yield from (f"  {note}" for note in found.notes)
    if found.others:
        yield f"  not compared: {found.others} that not all have decided"
    yield f"  right in all        {found.right_in_all:>7}"
    yield f"  right in some       {found.right_in_some:>7}"
    alike = sum(case.is_answered_alike for case in found.wrong_in_all)
    wrong = len(found.wrong_in_all)
    yield f"  wrong in all        {wrong:>7}" + (f", {alike} with one answer" if alike else "")
    yield (
        f"exact McNemar tests of {number(len(found.pairs), 'pair')} of runs; p also adjusted for "
        "their number (Holm)"
    )
    yield from map(_pair_line, found.pairs)
    yield from _case_lines("wrong in all", found.wrong_in_all, listed)
    yield from _case_lines("answered differently", found.differing, listed)


def p_words(p: float) -> str:
    """Return how probable something is, as "= 0.031"; what no number holds is below the least."""
    return f"= {p:.3g}" if p else "< 1e-300"


def _pair_line(pair: Pair) -> str:
    one, two = (place + 1 for place in pair.places)
    each = pair.comparison
    other = difference(each.first, each.second)
    return (
        f"  {one} and {two}: {number(each.images, 'image')}, {len(each.flips)} answered "
        f"differently, {each.lost} right only in {one}, {each.gained} only in {two}, "
        f"p {p_words(each.p_value)}, adjusted {p_words(pair.p_adjusted).removeprefix('= ')}"
        + (f"; they differ in: {other}" if other else "")
    )


def _case_lines(title: str, cases: Sequence[Case], listed: int | None) -> Iterator[str]:
    if cases:
        yield f"{title}, by the answers of the runs:"
    for case in cases[:listed]:
        answers = ", ".join(map(str, case.answers))
        yield f"  {cut(case.image)}: label {case.label}, answers {answers}"
    if listed is not None and len(cases) > listed:
        yield f"  and {len(cases) - listed} more; --all lists them"


def overview_fields(found: Overview) -> dict[str, object]:
    """Return what is known of any number of runs as values that JSON takes."""
    return {
        "runs": [
            {"ledger": str(run.path), **run.description, "right": right}
            for run, right in zip(found.runs, found.right, strict=True)
        ],
        "images": found.images,
        "notes": [*found.notes],
        "not_compared": found.others,
        "right_in_all": found.right_in_all,
        "right_in_some": found.right_in_some,
        "wrong_in_all": [_case(case) for case in found.wrong_in_all],
        "answered_differently": [_case(case) for case in found.differing],
        "pairs": len(found.pairs),
        "comparisons": [
            {
                "runs": [place + 1 for place in pair.places],
                **comparison_fields(pair.comparison),
                "p_adjusted": pair.p_adjusted,
            }
            for pair in found.pairs
        ],
    }


def _case(case: Case) -> dict[str, object]:
    return {"image": case.image, "label": case.label, "answers": list(case.answers)}

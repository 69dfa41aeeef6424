"""Results grouped for a report: by network, then by claim, with the pipelines side by side."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from resnext.preprocessing import Pipeline
from resnext.published import Claim, Metric
from resnext.terminal.text import number, printable
from validate.verdicts.claims import Unjudged, Verdict, wilson_interval
from validate.verdicts.results import MeasuredRun, Report, Result


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimLine:
    """A number that was measured, beside the one that was claimed.

    Attributes:
        result: of the run that was measured.
        metric: what was counted.
        claim: what it is compared with; None where there is none.
        verdict: None where the claim was not made under this run's protocol.
    """

    result: Result
    metric: Metric
    claim: Claim | None = None
    verdict: Verdict | None = None

    @property
    def images(self) -> int:
        """Return how many images were measured."""
        return self.result.counts.images

    @property
    def wrong(self) -> int:
        """Return how many images were decided wrongly."""
        return self.images - self.result.counts.correct(self.metric)

    @property
    def error(self) -> Fraction | None:
        """Return the measured error in percent; None if no image was measured."""
        return Fraction(100 * self.wrong, self.images) if self.images else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return the 95 % interval of the error in percent; None if no image was measured."""
        return wilson_interval(self.wrong, self.images) if self.images else None

    @property
    def points(self) -> Fraction | None:
        """Return measured minus claimed error in percentage points; None if one is missing."""
        if self.error is None or self.claim is None:
            return None
        return self.error - Fraction(self.claim.value)

    @property
    def excess(self) -> int | None:
        """Return how many more images were wrong than claimed, rounded; may be negative."""
        return None if self.points is None else round(self.points * self.images / 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimBlock:
    """What the runs of a group measured for one claim, or for a metric without any."""

    metric: Metric
    claim: Claim | None
    lines: tuple[ClaimLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkGroup:
    """The runs of one checkpoint that differ in nothing but their pipeline.

    Attributes:
        title: names the network, and what tells it from the usual and from other groups.
        places: of `results` in the report.
        results: one a pipeline.
    """

    title: str
    places: tuple[int, ...]
    results: tuple[Result, ...]

    @property
    def told(self) -> bool:
        """Tell whether the report must name the pipeline that a number comes from."""
        return {result.run.pipeline for result in self.results} != {Pipeline.TORCH7}

    def blocks(self) -> Iterator[ClaimBlock]:
        """Yield a block for each claim in their order, or for a metric that has none.

        A claim that one run of the group was judged by is compared with the others too, but for
        those that have a claim of their own for that metric.
        """
        verdicts = [
            {each.claim: each.verdict for each in result.judgements} for result in self.results
        ]
        own = [{claim.metric for claim in found} for found in verdicts]
        for metric in Metric:
            claims: list[Claim | None] = [c for c in self._judged() if c.metric is metric]
            unclaimed = [None] if metric in self.results[0].told else []
            for claim in claims or unclaimed:
                lines = tuple(
                    ClaimLine(
                        result=result,
                        metric=metric,
                        claim=claim,
                        verdict=None if claim is None else verdict.get(claim),
                    )
                    for result, verdict, metrics in zip(self.results, verdicts, own, strict=True)
                    if claim in verdict or metric not in metrics
                )
                yield ClaimBlock(metric=metric, claim=claim, lines=lines)

    def unjudged(self) -> tuple[Unjudged, ...]:
        """Return the claims that no run of the group was judged by, each once."""
        found: dict[Claim, Unjudged] = {}
        for result in self.results:
            for each in result.unjudged:
                found.setdefault(each.claim, each)
        judged = self._judged()
        return tuple(each for claim, each in found.items() if claim not in judged)

    def _judged(self) -> dict[Claim, None]:
        found = [each.claim for result in self.results for each in result.judgements]
        return dict.fromkeys(found)


def grouped(results: Sequence[Result]) -> tuple[NetworkGroup, ...]:
    """Return the results grouped by checkpoint and protocol, in the order of first appearance."""
    places: dict[object, list[int]] = {}
    for place, result in enumerate(results):
        run = result.run
        numbers = run.preprocessing.with_pipeline(Pipeline.TORCH7)
        key = (run.checkpoint, run.network, numbers, run.crops, run.arithmetic)
        places.setdefault(key, []).append(place)
    shared = Counter(title(results[found[0]].run) for found in places.values())
    groups = []
    for found in places.values():
        run = results[found[0]].run
        groups.append(
            NetworkGroup(
                title=title(run, with_file=shared[title(run)] > 1),
                places=tuple(found),
                results=tuple(results[place] for place in found),
            )
        )
    return tuple(groups)


def title(run: MeasuredRun, *, with_file: bool = False) -> str:
    """Return a network's name with every setting that is not the default."""
    parts = [f"{run.network} ({run.checkpoint})" if with_file else run.network]
    parts += [f"{run.crops} crops"] if run.crops != 1 else []
    parts += [run.arithmetic] if run.arithmetic != "fp32" else []
    return ", ".join(parts)


def open_claims(report: Report) -> tuple[str, ...]:
    """Return a sentence for each network and each row whose claims are not all decided.

    Of the published table, which has claims of one crop and of ten, one judged claim is enough; of
    the user's own every claim is asked for.
    """
    return tuple(_sentences(report))


def _sentences(report: Report) -> Iterator[str]:
    for group in grouped(report.results):
        judged = [each for result in group.results for each in result.judgements]
        undecided = [each for each in judged if each.verdict is Verdict.NO_VERDICT]
        if not judged:
            yield f"{printable(group.title)}: no claim was judged"
        elif undecided:
            yield f"{printable(group.title)}: no verdict on {number(len(undecided), 'claim')}"
        elif group.results[0].run.network in report.own and (others := group.unjudged()):
            yield f"{printable(group.title)}: {number(len(others), 'claim')} not judged"
    for name in report.missing:
        yield f"{printable(name)}: no checkpoint that its claims apply to was measured"

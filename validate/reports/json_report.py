"""A report as plain values: what `--json` prints and report.json holds."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from resnext.published import Claim, Metric
from validate.reports.sentences import exit_code, exit_meaning, headline, outcome
from validate.reports.statistics import Answers, answers, discordant, macro
from validate.verdicts.claim_groups import grouped, open_claims
from validate.verdicts.claims import Judgement, Unjudged, tolerance
from validate.verdicts.results import Report, Result
from validate.verdicts.significance import exact_mcnemar

# Rises when a field goes away or changes its meaning; new fields do not raise it.
FORMAT: Final = 2


def to_json(report: Report) -> dict[str, object]:
    """Return the report as plain values; percentages are rounded to four decimals.

    Names of files that are no text keep Python's surrogate escapes, which JSON writes as \\udcXX.
    """
    found = answers(report)
    code = exit_code(report)
    return {
        "format": FORMAT,
        "outcome": outcome(report),
        "summary": headline(report),
        "exit_code": code,
        "exit_meaning": exit_meaning(report),
        "results": [_result(r, found, place) for place, r in enumerate(report.results)],
        "pipelines_compared": _comparisons(report, found),
        "open": list(open_claims(report)),
        "notes": list(report.notes),
        "trained_on": [
            {"split": each.source, "trained": each.trained, "images": each.images}
            for each in report.trained_on
        ],
        "failures": [
            {"image": report.images.ids[position], "reason": reason}
            for position, reason in sorted(report.decisions.failures.items())
        ],
        "forms": dict(sorted(report.forms.items())),
        "images": _images(report),
        "timing": _timing(report),
        "settings": dict(report.settings),
        "versions": dict(report.versions),
        "command": report.command,
    }


def _result(result: Result, found: Answers, place: int) -> dict[str, object]:
    counts, run = result.counts, result.run
    averages = macro(found, place)
    fields: dict[str, object] = {
        "checkpoint": run.checkpoint,
        "network": run.network,
        "weights_sha256": run.weights_sha256,
        "pipeline": run.pipeline,
        "crops": run.crops,
        "precision": run.precision,
        "compiled": run.compiled,
        "preprocessing": run.numbers,
        "images": counts.images,
        "top1_correct": counts.top1_correct,
        "top5_correct": counts.top5_correct,
        "top1_error": _error(result, Metric.TOP1_ERROR),
        "top5_error": _error(result, Metric.TOP5_ERROR),
        "macro_precision": _percent(averages.precision),
        "macro_recall": _percent(averages.recall),
        "macro_f1": _percent(averages.f1),
        "claims": [_claim(judged) for judged in result.judgements],
        "claims_not_judged": [_unjudged(each) for each in result.unjudged],
        "diagnoses": list(result.diagnoses),
    }
    if result.changed is not None:
        fields["changed_by_precision"] = {
            "images": result.changed.images,
            "top1": result.changed.top1,
        }
    if result.replaced is not None:
        fields["preprocessing_replaced"] = result.replaced.to_fields()
    return fields


def _claim(judged: Judgement) -> dict[str, object]:
    return {
        **_printed(judged.claim),
        "measured": _percent(judged.measured),
        "verdict": judged.verdict,
        **({"reason": judged.reason} if judged.reason else {}),
        "difference_points": _percent(judged.points),
        "difference_images": judged.excess,
        "interval": [_percent(bound) for bound in judged.interval],
        "interval_holds": judged.holds,
    }


def _unjudged(each: Unjudged) -> dict[str, object]:
    return {**_printed(each.claim), "protocol": each.protocol}


def _printed(claim: Claim) -> dict[str, object]:
    return {
        "source": claim.source,
        "metric": claim.metric,
        "published": claim.value,
        **({"published_accuracy": claim.accuracy} if claim.accuracy else {}),
        "images": claim.images,
        "tolerance": float(tolerance(claim.value, claim.tolerance)),
    }


def _comparisons(report: Report, found: Answers) -> list[Mapping[str, object]]:
    """Return, for each pair of pipelines of a network, how many images only one got right."""
    rows: list[Mapping[str, object]] = []
    for group in grouped(report.results):
        first, *others = group.places
        for other in others:
            pair = [report.results[place].run.pixels for place in (first, other)]
            only_first, only_other = discordant(found, first, other)
            rows.append(
                {
                    "checkpoint": report.results[first].run.checkpoint,
                    "pipelines": pair,
                    "top1_correct_only": [only_first, only_other],
                    "mcnemar_p": exact_mcnemar(only_first, only_other),
                }
            )
    return rows


def _images(report: Report) -> dict[str, object]:
    images = report.images
    return {
        "root": images.root,
        "images": len(images),
        "measured": len(report.decisions.positions),
        "classes": None if report.classes is None else len(report.classes),
        "sha256": report.images_sha256,
        "notes": list(images.notes),
    }


def _timing(report: Report) -> dict[str, object]:
    timing = report.timing
    seconds = {
        "wall": timing.wall,
        "reading": timing.reading,
        "decoding": timing.decoding,
        "preparing": timing.preparing,
        "network": timing.network,
    }
    reached = report.timeline.reached
    timeline = {str(step): round(seconds, 3) for step, seconds in reached.items()}
    return {
        "images": timing.images,
        "images_per_second": round(timing.images_per_second, 3),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        **({"timeline": timeline} if timeline else {}),
    }


def _error(result: Result, metric: Metric) -> float | None:
    images = result.counts.images
    wrong = images - result.counts.correct(metric)
    return _percent(Fraction(100 * wrong, images)) if images else None


def _percent(exact: Fraction | float | None) -> float | None:
    return None if exact is None else round(float(exact), 4)

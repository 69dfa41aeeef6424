"""A run and its protocol -> its result: the claims judged, and why one may not hold."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from resnext.inference.metrics import FIVE, Counts
from resnext.preprocessing import Preprocessing
from resnext.published import Metric
from validate.verdicts.claims import Conditions, Judgement, Verdict, assess
from validate.verdicts.diagnosis import diagnose
from validate.verdicts.protocols import Protocol
from validate.verdicts.results import Changed, MeasuredRun, Result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answered:
    """What a run answered on the N images that could be read.

    Attributes:
        run: how it was measured.
        counts: over these images.
        answers: (N,) best classes.
        labels: (N,) their labels.
        classes: of the network.
        names: of the classes of the images, by label; None if they have none.
        complete: these are all images of a set that has every class.
        changed: by a faster arithmetic, where that was compared.
    """

    run: MeasuredRun
    counts: Counts
    answers: NDArray[np.int32]
    labels: NDArray[np.int64]
    classes: int
    names: Sequence[str] | None
    complete: bool
    changed: Changed | None = None

    def conditions(self, preprocessing: Preprocessing, protocol: Protocol) -> Conditions:
        """Return how the measurement was made, as if with another preprocessing."""
        return Conditions(
            preprocessing=preprocessing,
            usual=protocol.preprocessing,
            crops=self.run.crops,
            complete=self.complete,
        )


def judged_run(answered: Answered, protocol: Protocol, *, doubts: Sequence[str] = ()) -> Result:
    """Return the result of a run, with a likely cause where a claim does not hold.

    Args:
        answered: what the run answered.
        protocol: its claims.
        doubts: why none of them can be judged, a phrase each.
    """
    run, counts = answered.run, answered.counts
    result = Result(
        run=run,
        counts=counts,
        replaced=protocol.replaced,
        told=tuple(Metric) if answered.classes > FIVE else (Metric.TOP1_ERROR,),
    )
    if not counts.images:
        return result
    judgements, unjudged = assess(
        protocol.claims, counts, answered.conditions(run.preprocessing, protocol)
    )
    if doubts:
        judgements = tuple(each.doubted("; ".join(doubts)) for each in judgements)
    result = replace(result, judgements=judgements, unjudged=unjudged, changed=answered.changed)
    if doubts:
        return result
    return result.with_diagnoses(
        diagnose(
            run,
            answered.answers,
            answered.labels,
            classes=answered.classes,
            failed=[each for each in _as_if(answered, protocol, judgements) if _is_off(each)],
            usual=protocol.preprocessing,
            names=answered.names,
        )
    )


def _as_if(
    answered: Answered, protocol: Protocol, judgements: tuple[Judgement, ...]
) -> tuple[Judgement, ...]:
    """Return the judgements, and under another pipeline than the claims' those that would be."""
    run, usual = answered.run, protocol.preprocessing
    if run.pipeline is usual.pipeline:
        return judgements
    own = {each.claim.metric for each in judgements}
    others = (claim for claim in protocol.claims if claim.metric not in own)
    own_pixels = replace(
        run.preprocessing, pipeline=usual.pipeline, interpolation=usual.interpolation
    )
    conditions = answered.conditions(own_pixels, protocol)
    return judgements + assess(others, answered.counts, conditions)[0]


def _is_off(judged: Judgement) -> bool:
    """Tell whether the measured images contradict a claim."""
    if judged.verdict is Verdict.NO_VERDICT:
        return not judged.holds
    return judged.verdict is Verdict.NOT_REPRODUCED

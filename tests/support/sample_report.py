"""A small report, written down by hand, with names that try to break every format."""

from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
from PIL import Image

from resnext.errors import DataError
from resnext.images.image_set import ImageSet
from resnext.inference.metrics import Counts
from resnext.preprocessing import IMAGENET, Pipeline
from resnext.published import Claim, Metric
from validate.verdicts.claims import Judgement, Unjudged, Verdict
from validate.verdicts.results import Decisions, MeasuredRun, Report, Result, Timing

IDS = (
    "a/1.png",
    '=cmd|"x",y.png',
    "b/<script>alert(1)</script>.png",
    "b/\udcff.png",
    "c/new\nline|`*.png",
    "c/gone.png",
)
CLASSES = ("cat", "<script>alert(2)</script>", 'crane, "the" bird & co')
GONE = 5

# The best class first; -1 where the image failed. Positions are those of IDS.
LABELS = (0, 0, 1, 1, 2, 2)
TORCH7 = ((0, 1, 2), (1, 0, 2), (1, 2, 0), (1, 0, 2), (2, 0, 1), (-1, -1, -1))
PIL = ((0, 1, 2), (1, 0, 2), (1, 2, 0), (0, 1, 2), (2, 1, 0), (-1, -1, -1))
CONFIDENCES = (0.5, 0.75, 0.625, 0.875, 0.9375, np.nan)
# In this order they were measured, by several processes say.
MEASURED = (3, 0, 5, 1, 2, 4)

HOLDING = Claim(metric=Metric.TOP1_ERROR, value="20.0", images=5, source="a README")
OTHER = Claim(metric=Metric.TOP1_ERROR, value="0.0", images=5, source="<b>another</b>")
TEN_CROPS = Claim(metric=Metric.TOP5_ERROR, value="1.5", images=5, source="a README", crops=10)
GONE_REASON = f"{IDS[GONE]}: a whole image expected, found one that is truncated"


@dataclass(frozen=True)
class Colours:
    """Images of one colour each, as PNG files; the last is truncated."""

    def read(self, position: int) -> bytes:
        if position == GONE:
            raise DataError(GONE_REASON)
        file = BytesIO()
        Image.new("RGB", (40, 30), (40 * position, 100, 200)).save(file, "PNG")
        return file.getvalue()

    def stamp(self) -> str:
        return "colours"


def judgement(claim: Claim, *, wrong: int, verdict: Verdict) -> Judgement:
    return Judgement(claim=claim, images=5, wrong=wrong, verdict=verdict)


def sample_report(*, gone: bool = True) -> Report:
    """Return the report: one network under both pipelines, one claim of two not reproduced.

    Args:
        gone: the sixth image is among those measured, and cannot be read.
    """
    run = MeasuredRun(
        checkpoint="nets/x.t7",
        network="resnext_11_1x64d",
        weights_sha256="ab" * 32,
        preprocessing=IMAGENET,
    )
    measured = [position for position in MEASURED if gone or position != GONE]
    first = Result(
        run=run,
        counts=Counts(images=5, top1_correct=4, top5_correct=5),
        judgements=(
            judgement(HOLDING, wrong=1, verdict=Verdict.REPRODUCED),
            judgement(OTHER, wrong=1, verdict=Verdict.NOT_REPRODUCED),
        ),
        unjudged=(Unjudged(claim=TEN_CROPS, protocol="10 crops"),),
        diagnoses=("the labels may be shifted",),
    )
    second = Result(
        run=replace(run, preprocessing=IMAGENET.with_pipeline(Pipeline.PIL)),
        counts=Counts(images=5, top1_correct=3, top5_correct=5),
        unjudged=tuple(
            Unjudged(claim=claim, protocol="the torch7 pipeline") for claim in (HOLDING, OTHER)
        ),
    )
    return Report(
        results=(first, second),
        images=ImageSet(
            root="pets/val",
            ids=IDS,
            labels=np.array(LABELS),
            classes=CLASSES,
            reader=Colours(),
            notes=("pets/val: 2 entries ignored",),
        ),
        images_sha256="cd" * 32,
        classes=CLASSES,
        decisions=Decisions(
            positions=np.array(measured),
            top_five=tuple(np.array(top, np.int32)[measured] for top in (TORCH7, PIL)),
            confidences=tuple(np.array(CONFIDENCES, np.float32)[measured] for _ in range(2)),
            failures={GONE: GONE_REASON} if gone else {},
        ),
        forms={"gray": 2, "CMYK": 1},
        timing=Timing(images=6, wall=2.0, reading=0.5, decoding=1.0, preparing=0.25, network=1.5),
        settings={"device": "cpu", "precision": "fp32", "tf32": False, "limit": None},
        versions={"python": "3.11.9"},
        command="resnext-validate --data pets/val '```' nets/x.t7",
        notes=("pets/val: 2 entries ignored", "l: 3 of 6 images are <there> already"),
    )

"""The results of a measurement as values: decisions on images, counts, judged claims, timing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from resnext.images.image_set import ImageSet
from resnext.inference.metrics import Counts
from resnext.preprocessing import Pipeline, Preprocessing
from resnext.published import Metric
from resnext.terminal.text import number
from resnext.terminal.timeline import Timeline
from validate.verdicts.claims import Judgement, Unjudged, Verdict


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decisions:
    """What each of R runs decided on some images, in the order in which they were measured.

    Attributes:
        positions: (N,) int64, places in the image set; failed ones included.
        top_five: for each run (N, K) int32 class indices, the best first, K = min(5, classes);
            -1 where the image failed.
        confidences: for each run (N,) float32, the softmax of its best class; nan where the image
            failed.
        failures: position -> why an image could not be read, in one line that names it.
    """

    positions: NDArray[np.int64]
    top_five: tuple[NDArray[np.int32], ...]
    confidences: tuple[NDArray[np.float32], ...]
    failures: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRun:
    """One way to measure one checkpoint.

    Attributes:
        checkpoint: its file, as it was given.
        network: its name.
        weights_sha256: of its tensors, whatever file holds them.
        preprocessing: what the images go through, and whose arithmetic does that.
        crops: 1, or 10 of which the logits are summed.
        precision: "fp32", "tf32", "bf16" or "fp16".
        compiled: by torch.compile, which may change last digits.
    """

    checkpoint: str
    network: str
    weights_sha256: str
    preprocessing: Preprocessing
    crops: int = 1
    precision: str = "fp32"
    compiled: bool = False

    @property
    def pipeline(self) -> Pipeline:
        """Return whose arithmetic scales, crops and normalises."""
        return self.preprocessing.pipeline

    @property
    def pixels(self) -> str:
        """Name the pipeline, with the interpolation where it is not the usual one."""
        return self.preprocessing.pixels

    @property
    def numbers(self) -> dict[str, object]:
        """Return the preprocessing as plain values, without the pipeline."""
        fields = self.preprocessing.to_fields()
        return {name: value for name, value in fields.items() if name != "pipeline"}

    @property
    def arithmetic(self) -> str:
        """Name the precision, and whether it is that of a compiled network."""
        return f"{self.precision} compiled" if self.compiled else self.precision

    def to_fields(self) -> dict[str, object]:
        """Return the run as plain values, ready for JSON, without the place of its file."""
        return {
            "network": self.network,
            "weights_sha256": self.weights_sha256,
            "preprocessing": self.numbers,
            "pipeline": self.pipeline,
            "crops": self.crops,
            "precision": self.precision,
            **({"compiled": True} if self.compiled else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """How many decisions a faster arithmetic changed.

    Attributes:
        images: how many were also decided in plain fp32.
        top1: of them, those whose best class differs.
    """

    images: int
    top1: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was measured of one run, and what that says of its claims.

    Attributes:
        run: what was measured.
        counts: over the images that could be read; may be of none.
        judgements: of the claims made under this protocol.
        unjudged: the other claims.
        diagnoses: likely causes where a claim failed, a sentence each.
        changed: by a faster arithmetic, where that was compared.
        replaced: the checkpoint's own preprocessing, where its claims have another in its place.
        told: the metrics that reports show where nothing is claimed. Of five classes or fewer, the
            five likeliest hold any: a top-5 error says nothing.
    """

    run: MeasuredRun
    counts: Counts
    judgements: tuple[Judgement, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()
    diagnoses: tuple[str, ...] = ()
    changed: Changed | None = None
    replaced: Preprocessing | None = None
    told: tuple[Metric, ...] = tuple(Metric)

    @property
    def failed(self) -> bool:
        """Tell whether a claim was not reproduced."""
        return any(each.verdict is Verdict.NOT_REPRODUCED for each in self.judgements)

    def with_diagnoses(self, diagnoses: tuple[str, ...]) -> "Result":
        """Return the result with likely causes."""
        return replace(self, diagnoses=diagnoses)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedOn:
    """How many of the measured images were trained on.

    Attributes:
        source: the file that says so.
        trained: of the images, those that were trained on.
        images: that were to be measured.
    """

    source: str
    trained: int
    images: int

    @property
    def text(self) -> str:
        """Return the numbers in words."""
        of = f"{self.trained:,} of {number(self.images, 'image')}"
        return f"{of} {'was' if self.images == 1 else 'were'} trained on, by {self.source}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Where the time went; images that were restored from a ledger are not counted.

    Attributes:
        images: measured in this run, by all processes of the job.
        wall: seconds from the first image to the last.
        reading, decoding, preparing: seconds of the processes that read, added up over them.
        network: seconds in the networks, added up over the processes of the job.
    """

    images: int
    wall: float
    reading: float
    decoding: float
    preparing: float
    network: float

    @property
    def images_per_second(self) -> float:
        """Return the throughput; 0 where nothing was measured."""
        return self.images / self.wall if self.wall else 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Report:
    """Everything a report says.

    Attributes:
        results: one a run, in the order of the checkpoints, pipelines beside each other.
        images: the whole image set.
        images_sha256: its digest before the measurement; files may have gone since.
        classes: what a person calls each label of the networks, None if they have no names.
        decisions: on all that was measured, `top_five` in the order of `results`.
        forms: how many pictures were not ordinary, by what they were ("CMYK", "gray", ...).
        timing: where the time went.
        settings: option -> value as used, ready for JSON (device, precision, batch_size, workers,
            limit, seed, processes, flags of the arithmetic).
        versions: package -> version, and the machine's names.
        command: as it was typed.
        notes: what was said before the measurement, a sentence each.
        own: names of the user's rows of claims.
        missing: of these, those that apply to nothing that was measured.
        strict: a claim without a verdict does not pass.
        trained_on: how many images were trained on, for each file that says something about it.
        timeline: when each step was reached; reports are written while it goes on.
        lost: what could not be written of the results, for which the command ends with 2; or "".
    """

    results: tuple[Result, ...]
    images: ImageSet
    images_sha256: str
    classes: Sequence[str] | None
    decisions: Decisions
    forms: Mapping[str, int]
    timing: Timing
    settings: Mapping[str, object]
    versions: Mapping[str, str]
    command: str
    notes: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    strict: bool = False
    trained_on: tuple[TrainedOn, ...] = ()
    timeline: Timeline = field(default_factory=Timeline)
    lost: str = ""

    @property
    def claim_failed(self) -> bool:
        """Tell whether a claim was not reproduced."""
        return any(result.failed for result in self.results)

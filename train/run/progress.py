"""How far a run has come: its current epoch and step, and the history before."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from dataclasses import fields as attributes
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Self, cast

from resnext.fields import Shape, check_shape

if TYPE_CHECKING:
    from train.step.pending_step import StepResult

# What is validated after each epoch: the weights, and their moving average where there is one.
WEIGHTS: Final = "weights"
AVERAGE: Final = "average"

SCORE: Final[Shape] = {"images": int, "top1_correct": int, "top5_correct": int, "loss": float}
# The shape of a row of the history; see `train.run.results.epoch_row`.
ROW: Final[Mapping[str, Shape]] = {
    "epoch": int,
    "lr": float,
    "train": {"images": int, "loss": float, "wrong": int, "gradient_norm": float},
    "seconds": float,
    "images_per_second": float,
    WEIGHTS: SCORE,
    "best": bool,
}
PLACE: Final[Mapping[str, Shape]] = {"epoch": int, "step": int, "seconds": float, "stale": int}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Sums over the steps of an epoch so far, over all processes.

    Attributes:
        images: number of images.
        loss: sum of their losses.
        wrong: number of images that were classified wrongly by the weights before their step.
        steps: number of steps.
        norms: sum of the gradient norms that were measured.
        unmeasured: number of steps whose gradient norm was not measured.
        skipped: number of steps that fp16 skipped. Their losses and norms are left out where they
            are not finite, as JSON has no such numbers.
        seconds: duration of the steps, including the time spent waiting for images.
    """

    images: int = 0
    loss: float = 0.0
    wrong: int = 0
    steps: int = 0
    norms: float = 0.0
    unmeasured: int = 0
    skipped: int = 0
    seconds: float = 0.0

    def plus(self, step: "StepResult", seconds: float) -> "Tally":
        """Return the tally with one more step, which took so many seconds."""
        norm = 0.0 if step.norm is None else step.norm
        return Tally(
            images=self.images + step.images,
            loss=self.loss + (step.loss if isfinite(step.loss) else 0.0),
            wrong=self.wrong + step.wrong,
            steps=self.steps + 1,
            norms=self.norms + (norm if isfinite(norm) else 0.0),
            unmeasured=self.unmeasured + (step.norm is None),
            skipped=self.skipped + (not isfinite(norm)),
            seconds=self.seconds + seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The best validation of a run.

    Attributes:
        epoch: counted from 1.
        weights: `WEIGHTS` or `AVERAGE`.
        wrong: number of images that were classified wrongly.
        loss: mean loss, which decides between equal numbers.
    """

    epoch: int
    weights: str
    wrong: int
    loss: float

    def beats(self, other: "Best | None") -> bool:
        """Tell whether this validation is better than the best before, or the first."""
        return other is None or (self.wrong, self.loss) < (other.wrong, other.loss)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run has come.

    Attributes:
        epoch: the current one, counted from 1; the number of epochs + 1 at the end.
        step: number of steps taken in this epoch; all of them during its validation.
        tally: of this epoch.
        seconds: duration of the run, including validation and all times that it was resumed.
        history: one row for each completed epoch.
        best: the best validation so far.
        stale: number of epochs since the best.
    """

    epoch: int = 1
    step: int = 0
    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0
    history: tuple[Mapping[str, Any], ...] = ()
    best: Best | None = None
    stale: int = 0

    def stepped(self, step: "StepResult", seconds: float) -> Self:
        """Return the progress after one more step, which took so many seconds."""
        return replace(self, step=self.step + 1, tally=self.tally.plus(step, seconds))

    def ended(self, row: Mapping[str, Any], best: Best | None) -> Self:
        """Return the progress after the end of the current epoch.

        Args:
            row: the epoch's row of the history.
            best: the epoch's validation if it is the best so far, else None.
        """
        return replace(
            self,
            epoch=self.epoch + 1,
            step=0,
            tally=Tally(),
            history=(*self.history, row),
            best=best or self.best,
            stale=0 if best else self.stale + 1,
        )

    def to_fields(self) -> dict[str, Any]:
        """Return the progress as plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """Return the progress that `to_fields` described.

        Raises:
            TypeError, KeyError, ValueError: a field is missing, unknown or of another type, or
                they contradict each other.
        """
        best, rows, tally = fields["best"], fields["history"], fields["tally"]
        tally = {"unmeasured": 0, **tally}  # earlier versions measured the norm in every step
        check_shape(tally, _shape(Tally), "tally")
        check_shape({key: fields[key] for key in PLACE}, PLACE, "progress")
        if best is not None:
            check_shape(best, _shape(Best), "best")
        for row in rows:
            shape = {**ROW, **({AVERAGE: SCORE} if AVERAGE in row else {})}
            check_shape(row, shape, "history")
        found = cls(
            **{
                **fields,
                "tally": Tally(**tally),
                "history": tuple(rows),
                "best": None if best is None else Best(**best),
            }
        )
        found._check()
        return found

    def _check(self) -> None:
        best, tally = self.best, self.tally
        if [row["epoch"] for row in self.history] != list(range(1, self.epoch)):
            raise ValueError("a row for each epoch that is done expected")
        if (best is None) != (not self.history):
            raise ValueError("a best epoch where one is done expected")
        if best is not None and not (
            1 <= best.epoch < self.epoch
            and best.weights in {WEIGHTS, AVERAGE} & self.history[best.epoch - 1].keys()
        ):
            raise ValueError("a best network of one of the epochs expected")
        if tally.steps != self.step or (self.step and not (tally.images and tally.seconds > 0)):
            raise ValueError("the tally of the steps expected")


def _shape(kind: type[Tally | Best]) -> Shape:
    return {each.name: cast("type", each.type) for each in attributes(kind)}

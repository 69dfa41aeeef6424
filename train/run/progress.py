"""How far a run has come, as plain values."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from dataclasses import fields as attributes
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Self, cast

from resnext.fields import Shape, check_shape
from train.run.files import AVERAGE, WEIGHTS

if TYPE_CHECKING:
    from train.step.learner import Seen

SCORE: Final[Shape] = {"images": int, "top1_correct": int, "top5_correct": int, "loss": float}
# A row of the history; see `train.run.results.epoch_row`.
ROW: Final[Mapping[str, Shape]] = {
    "epoch": int,
    "rate": float,
    "train": {"images": int, "loss": float, "wrong": int, "gradient_norm": float},
    "seconds": float,
    "images_per_second": float,
    WEIGHTS: SCORE,
    "best": bool,
}
PLACE: Final[Mapping[str, Shape]] = {"epoch": int, "step": int, "seconds": float, "stale": int}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What was seen in an epoch so far, by all processes.

    Attributes:
        images: learnt from.
        loss: the sum of their losses.
        wrong: of them, those decided wrongly before the step that learnt from them.
        steps: taken.
        norms: the sum of the norms of the gradient.
        skipped: of the steps, those that half precision could not take; they count for neither
            loss nor norm where that is not finite, as JSON has no such numbers.
        seconds: that the steps took, waiting for images included.
    """

    images: int = 0
    loss: float = 0.0
    wrong: int = 0
    steps: int = 0
    norms: float = 0.0
    skipped: int = 0
    seconds: float = 0.0

    def plus(self, seen: "Seen", seconds: float) -> "Tally":
        """Return the tally with one more step, and what it took."""
        return Tally(
            images=self.images + seen.images,
            loss=self.loss + (seen.loss if isfinite(seen.loss) else 0.0),
            wrong=self.wrong + seen.wrong,
            steps=self.steps + 1,
            norms=self.norms + (seen.norm if isfinite(seen.norm) else 0.0),
            skipped=self.skipped + (not isfinite(seen.norm)),
            seconds=self.seconds + seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The best validation of a run.

    Attributes:
        epoch: after which.
        weights: "weights" or "average".
        wrong: images decided wrongly.
        loss: mean loss, which decides between equals.
    """

    epoch: int
    weights: str
    wrong: int
    loss: float

    def beats(self, other: "Best | None") -> bool:
        """Tell whether this one is better than an earlier one, or the first."""
        return other is None or (self.wrong, self.loss) < (other.wrong, other.loss)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The place of a run.

    Attributes:
        epoch: that is worked on, counted from 1; one more than all of them at the end.
        step: how many steps of it are taken; all of them while it is validated.
        tally: of this epoch.
        seconds: of training, validation included, in all parts of the run.
        history: a row for each epoch that is done.
        best: the best validation so far.
        stale: epochs since then.
    """

    epoch: int = 1
    step: int = 0
    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0
    history: tuple[Mapping[str, Any], ...] = ()
    best: Best | None = None
    stale: int = 0

    def stepped(self, seen: "Seen", seconds: float) -> Self:
        """Return the place behind one more step, and what it took."""
        return replace(self, step=self.step + 1, tally=self.tally.plus(seen, seconds))

    def ended(self, row: Mapping[str, Any], best: Best | None) -> Self:
        """Return the place behind an epoch.

        Args:
            row: of the history.
            best: of this epoch, if it is the best so far; else None.
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
        """Return the place as plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """Return the place that `to_fields` described.

        Raises:
            TypeError, KeyError, ValueError: a field is missing, unknown or of another kind, or
                they contradict each other.
        """
        best, rows, tally = fields["best"], fields["history"], fields["tally"]
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

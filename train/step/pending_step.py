"""The result of a step, and a step whose result a device may still be computing."""

from dataclasses import dataclass

from resnext.inference.pending import PendingValues


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """The result of one step, over the images of this process.

    Attributes:
        images: how many there were.
        loss: sum of their losses.
        wrong: how many were classified wrongly by the weights before the step; with mixup, the
            class of an image is that of its larger share.
        norm: of the gradient, over all processes; None where it was not measured.
    """

    images: int
    loss: float
    wrong: int
    norm: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PendingStep:
    """A step that the device may still be computing.

    Attributes:
        number: of the step in the run, counted from 1.
        images: of this process.
        parts: number of its micro-batches.
        values: the losses of its micro-batches, their numbers of wrong images, and the norm if it
            was measured.
    """

    number: int
    images: int
    parts: int
    values: PendingValues

    def result(self) -> StepResult:
        """Wait for the device, and return the result."""
        values, count = self.values.wait().tolist(), self.parts
        return StepResult(
            images=self.images,
            loss=sum(values[:count]),
            wrong=int(sum(values[count : 2 * count])),
            norm=values[-1] if len(values) > 2 * count else None,
        )

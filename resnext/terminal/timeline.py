"""When a run reached each of its steps, in seconds from the start of its process."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType


class Step(StrEnum):
    """The steps of a measurement, in the order in which they are usually reached."""

    STARTED = "command started"
    CHECKED = "request checked"
    IMPORTED = "torch imported"
    DEVICE = "device ready"
    TRIED = "kernels tried"
    NETWORKS = "networks ready"
    READ = "first batch read"
    DECIDED = "first decisions"
    FINISHED = "last decisions"
    WRITTEN = "reports written"


class Timeline:
    """The steps that a run has reached so far, each with its time.

    A step that comes again, as each batch does, keeps the time at which it was reached first.

    Args:
        clock: returns seconds since the start of the process; it never goes back.
    """

    def __init__(self, clock: Callable[[], float] = lambda: 0.0) -> None:
        """Begin with none."""
        self._clock = clock
        self._reached: dict[Step, float] = {}

    def mark(self, step: Step) -> None:
        """Remember that a step is reached now."""
        if step not in self._reached:
            self._reached[step] = self._clock()

    @property
    def reached(self) -> Mapping[Step, float]:
        """Return step -> seconds, in the order in which they were reached."""
        return MappingProxyType(self._reached)

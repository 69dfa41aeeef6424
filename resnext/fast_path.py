"""Fast implementations that are compared with a plain one before they are used."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from subprocess import SubprocessError
from typing import Final, Generic, TypeVar, cast

from resnext.errors import DeviceError

T = TypeVar("T")

# What a missing library, compiler or device, or a data type that a device lacks, may raise.
FAILURES: Final = (
    AssertionError,
    AttributeError,
    DeviceError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    SubprocessError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine(Generic[T]):
    """An implementation for some kinds of devices, whose module is imported when it is first tried.

    Attributes:
        name: for a report.
        place: module, and the class or function in it.
        devices: kinds of devices that it is tried on.
    """

    name: str
    place: tuple[str, str]
    devices: tuple[str, ...]

    def load(self) -> T:
        """Return the class or function."""
        module, name = self.place
        return cast("T", getattr(import_module(module), name))


@dataclass(frozen=True, slots=True, kw_only=True)
class FastPath(Generic[T]):
    """A fast implementation that may work on this machine.

    Attributes:
        label: names it, and what it would do, in the note that says why it is not used.
        attempt: loads it and computes small inputs with it; returns it where the results agree
            with those of the plain implementation, else None. May raise one of `FAILURES`.
        disagreement: the reason in that note where the results differ.
    """

    label: str
    attempt: Callable[[], T | None]
    disagreement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Generic[T]):
    """The fast implementation that is used.

    Attributes:
        chosen: the first that works and agrees; None where the plain one stays.
        refused: why those before it are not used, a line each.
    """

    chosen: T | None = None
    refused: tuple[str, ...] = ()


def choose_first(paths: Iterable[FastPath[T]]) -> Choice[T]:
    """Try implementations in order, and return the first that works and agrees."""
    refused: list[str] = []
    for path in paths:
        try:
            found = path.attempt()
            if found is not None:
                return Choice(chosen=found, refused=tuple(refused))
            reason = path.disagreement
        except FAILURES as error:
            reason = first_line(error)
        refused.append(f"{path.label}: {reason}")
    return Choice(refused=tuple(refused))


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type's name if it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]

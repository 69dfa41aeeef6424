"""What a command is told while it runs, for a person who may be watching."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from resnext.terminal.image_bar import Advance
from resnext.terminal.timeline import Step


def _ignore(*_: object) -> None:
    """Show nothing."""


def _no_progress(_text: str, _images: int, _done: int) -> AbstractContextManager[Advance]:
    return nullcontext(_ignore)


def _no_bar(_name: str) -> AbstractContextManager[Callable[[int, int | None], None]]:
    return nullcontext(_ignore)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """Functions that show what goes on; by default they show nothing.

    Attributes:
        note: takes a sentence that the user should know.
        plan: takes a line about what is going to be done, before a training starts.
        progress: takes what is being done, how many images that are, and how many of them are
            done; shows that while its block runs.
        epoch: takes the row of a finished epoch, and the recipe of the training.
        bar: takes the name of a file that is downloaded while its block runs; what it yields takes
            the number of bytes that have arrived, and that of the whole file.
        mark: takes each step that is reached.
    """

    note: Callable[[str], None] = _ignore
    plan: Callable[[str], None] = _ignore
    progress: Callable[[str, int, int], AbstractContextManager[Advance]] = _no_progress
    epoch: Callable[[Mapping[str, Any], Any], None] = _ignore
    bar: Callable[[str], AbstractContextManager[Callable[[int, int | None], None]]] = _no_bar
    mark: Callable[[Step], None] = _ignore

"""Who is told what goes on during a measurement."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from resnext.download import Progress
from resnext.terminal.image_bar import Advance


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """What the core calls where a person may be looking.

    Attributes:
        note: takes what the user should know before the measurement starts, a sentence each.
        progress: takes what is being done, how many images that are and how many of them are done,
            and shows that while its block runs.
        bar: takes the name of a file that is downloaded while its block runs; what it yields takes
            the bytes that have arrived, and those of the whole.
    """

    note: Callable[[str], None]
    progress: Callable[[str, int, int], AbstractContextManager[Advance]]
    bar: Callable[[str], AbstractContextManager[Progress]]

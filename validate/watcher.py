"""Who is told what goes on during a measurement."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

# Called with how many more images are done.
Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """What the core calls where a person may be looking.

    Attributes:
        note: takes what the user should know before the measurement starts, a sentence each.
        progress: takes how many images there are and how many of them are done, and shows that
            while its block runs.
        download: takes the bytes of a download that have arrived, and of the whole.
    """

    note: Callable[[str], None]
    progress: Callable[[int, int], AbstractContextManager[Advance]]
    download: Callable[[int, int | None], None]

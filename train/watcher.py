"""Who is told what goes on during a training."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from resnext.download import Progress
from resnext.terminal.image_bar import Advance
from train.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """What the core calls where a person may be looking.

    Attributes:
        note: takes what the user should know, a sentence each.
        plan: takes a line of what is about to happen.
        progress: takes what is being done, how many images that are and how many of them are done,
            and shows that while its block runs.
        epoch: takes the row of an epoch that is done, and the recipe.
        bar: takes the name of a file that is downloaded while its block runs.
    """

    note: Callable[[str], None]
    plan: Callable[[str], None]
    progress: Callable[[str, int, int], AbstractContextManager[Advance]]
    epoch: Callable[[Mapping[str, Any], Recipe], None]
    bar: Callable[[str], AbstractContextManager[Progress]]

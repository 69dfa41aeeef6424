"""A command of this project that also says when each batch was done.

`python -m benchmarks.gpu.passes validate ...` is `resnext-validate ...`, and `train` is
`resnext-train`; the last line of stdout is JSON: `{"passes": [{"text": ..., "marks": ...}]}`, a
pass for each bar that the command would show, a mark for its beginning and for each of its steps,
which is the time of `time.monotonic` and how many images that step had.
"""

import json
import sys
import time
from argparse import REMAINDER
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from unittest.mock import patch

from benchmarks.runs import Run, command_line
from resnext.terminal import image_bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """A pass over images.

    Attributes:
        text: what was done with them.
        marks: its beginning and each step: seconds of `time.monotonic`, and images of the step.
    """

    text: str
    marks: tuple[tuple[float, int], ...]

    @property
    def images(self) -> int:
        """Count the images."""
        return sum(images for _, images in self.marks)

    @property
    def begin(self) -> float:
        """Return when the first batch was asked for."""
        return self.marks[0][0]

    @property
    def end(self) -> float:
        """Return when the last batch was done."""
        return self.marks[-1][0]

    def speed(self, *, skipped: int = 0) -> float:
        """Return the images a second, without the first steps: how it starts is another matter."""
        rest = self.marks[skipped:]
        return sum(images for _, images in rest[1:]) / (rest[-1][0] - rest[0][0])


def passes(run: Run) -> list[Pass]:
    """Return the passes of a command that ran here, or of one of timm's that prints the same."""
    rows = json.loads(run.output.splitlines()[-1])["passes"]
    return [Pass(text=row["text"], marks=tuple(map(tuple, row["marks"]))) for row in rows]


def main(verb: str, words: Sequence[str]) -> None:
    """Run a command to its end, then print when its batches were done.

    Args:
        verb: "validate" or "train".
        words: of its command line.
    """
    found: list[dict[str, Any]] = []

    @contextmanager
    def progress(*facts: str | int) -> Iterator[Callable[..., None]]:
        marks = [(time.monotonic(), 0)]
        found.append({"text": str(facts[0]), "marks": marks})
        yield lambda more, *_: marks.append((time.monotonic(), more))

    sys.argv = [f"resnext-{verb}", *words]
    # What the command would show a person is where it says that a batch is done.
    with patch.object(image_bar, "image_bar", progress):
        try:
            import_module(f"{verb}.cli").main()
        finally:
            print(json.dumps({"passes": found}), flush=True)


if __name__ == "__main__":
    parser = command_line()
    parser.add_argument("verb", choices=("validate", "train"))
    parser.add_argument("words", nargs=REMAINDER, help="Its command line.", metavar="...")
    given = parser.parse_args()
    main(given.verb, given.words)

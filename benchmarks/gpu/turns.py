"""Commands in turn, round by round, of which none that fails takes the others with it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.runs import Run, run


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """What came of some rounds.

    Attributes:
        rounds: that are complete.
        runs: of each command that has not failed, one of each round.
        failed: why a command was given up.
    """

    rounds: int = 0
    runs: dict[str, list[Run]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def turns(commands: Mapping[str, Sequence[str]], *, rounds: int, warm: bool) -> Iterator[Turns]:
    """Run all commands in turn, and yield after each round all that came of it so far.

    Whoever keeps what is yielded has something to show when the time is over.

    Args:
        commands: by name.
        rounds: how often each runs.
        warm: each runs once before that, which is not counted.
    """
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    failed: dict[str, str] = {}
    for turn in range(1 - warm, rounds + 1):
        for name in list(runs):
            try:
                done = run(commands[name])
            except RuntimeError as error:
                failed[name] = str(error)
                del runs[name]
                continue
            if turn:
                runs[name].append(done)
        if turn:
            yield Turns(rounds=turn, runs=runs, failed=failed)

"""A network as a graph of operators, in terms that MXNet's and Caffe's files share."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from convert.source.source import Array

Pair = tuple[int, int]


class Kind(StrEnum):
    """What an operator computes."""

    INPUT = "input"
    CONVOLUTION = "convolution"
    NORM = "batch norm"
    RELU = "ReLU"
    MAX_POOL = "max-pool"
    AVERAGE_POOL = "average pool"
    ADD = "addition"
    FLATTEN = "flatten"
    LINEAR = "fully connected"
    SOFTMAX = "softmax"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One operator of a file.

    Attributes:
        place: its name in the file, for messages.
        kind: what it computes.
        inputs: positions in the graph of the operators whose outputs it takes; all before its own.
        settings: all that change the arithmetic. CONVOLUTION: `outputs`, `groups` and, as pairs
            (height, width), `kernel`, `stride`, `padding`, `dilation`. NORM: `eps`, and
            `fixed_gamma`, true if gamma counts as 1 whatever is stored. RELU: `slope` below zero.
            MAX_POOL: `window`, pairs of kernel, stride and padding, and `rounding`, "up" or
            "down". AVERAGE_POOL: `window`, None if it is the whole map. ADD: `factors` of the
            inputs. LINEAR: `outputs`.
        arrays: CONVOLUTION: `weight` and, if it has one, `bias`. NORM: `gamma`, `beta`, `mean`,
            `variance`. LINEAR: `weight`, `bias`.
        computed: the names of arrays that are not in the file bit for bit -> the rule, in words.
    """

    place: str
    kind: Kind
    inputs: tuple[int, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict, repr=False)
    computed: Mapping[str, str] = field(default_factory=dict)

    def pair(self, name: str) -> Pair:
        """Return a setting that is a pair."""
        value = self.settings[name]
        assert isinstance(value, tuple)
        return value

    def count(self, name: str) -> int:
        """Return a setting that is a whole number."""
        value = self.settings[name]
        assert isinstance(value, int)
        return value


@dataclass(frozen=True, slots=True)
class InputNorm:
    """What is done to an input of bytes, 0..255: x -> (x - mean) / std.

    Attributes:
        mean, std: (3,) float64, in the file's order of channels; a std may be negative.
    """

    mean: Array
    std: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A network of a file.

    Attributes:
        operators: in an order in which each comes after its inputs.
        output: the position of the one whose output is the network's.
        reversed_channels: the input's channels are blue, green, red.
        side: of the input in pixels, where the file states it and it is square.
        transform: of the input, as the file states it besides the graph; None if it states none.
        conversions: how arrays were changed on the way here.
    """

    operators: tuple[Operator, ...]
    output: int
    reversed_channels: bool = False
    side: int | None = None
    transform: InputNorm | None = None
    conversions: tuple[str, ...] = ()

    def of_kind(self, kind: Kind) -> Iterator[int]:
        """Yield the positions of the operators of a kind."""
        return (at for at, each in enumerate(self.operators) if each.kind is kind)

    def back(self, start: int, most: int) -> list[int]:
        """Return the positions from `start` towards the input, while there is one way only.

        The last one is an operator of several inputs, or of none, or the `most`-th.
        """
        found = [start]
        while len(found) < most and len(inputs := self.operators[found[-1]].inputs) == 1:
            found.append(inputs[0])
        return found


def counted_changes(changes: Mapping[str, int]) -> tuple[str, ...]:
    """Return a text for each way in which arrays were changed, with how often where it is more."""
    return tuple(f"{words} ({n} times)" if n > 1 else words for words, n in changes.items())

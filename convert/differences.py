"""What differs between a network as an original gives it and as a converted file has it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from convert.source.source import Array, Network
from resnext.header import Origin
from resnext.preprocessing import Preprocessing
from resnext.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorDifference:
    """A tensor that is not what the original gives.

    Attributes:
        name: of the tensor.
        expected, found: type and shape in words.
        values: how many differ in any bit; None where type or shape differ.
        largest: the largest difference of two values; None likewise.
    """

    name: str
    expected: str
    found: str
    values: int | None = None
    largest: float | None = None


def spec_differences(expected: Spec, found: Spec) -> Iterator[tuple[str, object, object]]:
    """Yield what differs between two architectures: name of the field, both values."""
    theirs = asdict(found)
    for name, value in asdict(expected).items():
        if value != theirs[name]:
            one, other = (list(v) if isinstance(v, tuple) else v for v in (value, theirs[name]))
            yield name, one, other


def tensor_differences(
    expected: Mapping[str, Array], found: Mapping[str, Array], *, without: Collection[str]
) -> Iterator[TensorDifference]:
    """Yield the tensors that differ in any bit; both networks have those of one spec."""
    for name, array in expected.items():
        if name not in without and (difference := _difference(name, array, found[name])):
            yield difference


def _difference(name: str, expected: Array, found: Array) -> TensorDifference | None:
    words = [f"{array.dtype.name} {array.shape}" for array in (expected, found)]
    if words[0] != words[1]:
        return TensorDifference(name=name, expected=words[0], found=words[1])
    whole = f"u{expected.dtype.itemsize}"
    bits = [np.ascontiguousarray(each).reshape(-1).view(whole) for each in (expected, found)]
    differing = bits[0] != bits[1]
    if not differing.any():
        return None
    with np.errstate(over="ignore"):
        apart = np.abs(expected.astype(np.float64) - found.astype(np.float64)).max()
    return TensorDifference(
        name=name,
        expected=words[0],
        found=words[1],
        values=int(differing.sum()),
        largest=float(apart),
    )


def changed_norm(network: Network, row: Preprocessing | None) -> str:
    """Return how mean and std differ from those that the original's graph computes with.

    The text is empty where they do not, or the original has no such graph.

    Args:
        network: the original's.
        row: the converted file's preprocessing.
    """
    stated, origin = network.preprocessing or (None, None)
    if stated is None or origin is not Origin.GRAPH:
        return ""
    if row is None:
        return f"mean and std of the original's graph expected ({stated.describe()}), found none"
    names = ("mean", "std", "white")
    if all(getattr(row, name) == getattr(stated, name) for name in names):
        return ""
    same = replace(row, mean=stated.mean, std=stated.std, white=stated.white)
    return row.changes(same)

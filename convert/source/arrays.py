"""The named arrays of a file, matched with those that a network has: both ways, shapes and values.

For formats whose files are named arrays; a .t7 has modules instead.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from convert.source.errors import WeightError, first_of
from convert.source.source import Array
from resnext.fields import cut
from resnext.layout import Shape

DIVERGED: Final = (
    "holds NaN or infinity; the training diverged or the file is damaged, convert an earlier "
    "checkpoint"
)


def matched_arrays(
    wanted: Mapping[str, tuple[str, Shape]], found: Mapping[str, Array]
) -> dict[str, Array]:
    """Return a network's floating-point tensors by its names, each array of the file used once.

    Args:
        wanted: the network's name -> the file's name, and the shape.
        found: the file's name -> array, without those that are left behind on purpose.

    Raises:
        WeightError: an array is missing, misshapen, unexpected, not of floats, not finite or a
            variance below zero; all faults are gathered, the first is named.
    """
    names = {name for name, _ in wanted.values()}
    faults = [
        f"{cut(name)}: unexpected, no layer of this network has it; not converted, because "
        "leaving it out might change the answers"
        for name in found
        if name not in names
    ]
    for name, (theirs, shape) in wanted.items():
        if theirs in found:
            variance = name.endswith("running_var")
            faults += (f"{theirs}: {text}" for text in _faults(found[theirs], shape, variance))
        else:
            faults.append(f"{theirs} is missing, {shape} expected")
    if faults:
        raise WeightError(first_of(faults))
    return {name: found[theirs] for name, (theirs, _) in wanted.items()}


def _faults(array: Array, shape: Shape, variance: bool) -> Iterator[str]:
    """Yield why an array cannot be a tensor of a shape."""
    if array.shape != shape:
        yield f"{shape} expected, found {cut(str(array.shape))}"
    elif array.dtype.kind != "f":
        yield f"floats expected, found {array.dtype.name}"
    elif not np.isfinite(array).all():
        yield DIVERGED
    elif variance and np.less(array, 0).any():
        yield "a variance below zero"

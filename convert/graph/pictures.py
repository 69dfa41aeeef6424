"""The input of a file's own graph, from that of the converted network."""

from typing import TYPE_CHECKING

from resnext.preprocessing import Preprocessing

if TYPE_CHECKING:
    from torch import Tensor


def as_bytes(inputs: "Tensor", preprocessing: Preprocessing | None) -> "Tensor":
    """Return pictures as they were before mean and std were applied.

    A wrong mean or std in the checkpoint is undone to another picture than the graph's own batch
    norm expects, so the proof covers them too.

    Args:
        inputs: (N, 3, H, W), red, green, blue, prepared as for the converted network.
        preprocessing: that the file's own graph contains; None if it contains none.

    Returns:
        The same shape and type; in 0..255, but for noise, which may lie beyond.
    """
    if preprocessing is None:
        return inputs
    mean, std = (
        inputs.new_tensor(row)[:, None, None] for row in (preprocessing.mean, preprocessing.std)
    )
    return inputs * std + mean

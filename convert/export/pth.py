"""A checkpoint as PyTorch's own file: a state dict that torch.load reads."""

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resnext.checkpoint import Checkpoint
from resnext.files import whole_file
from resnext.header import to_metadata

if TYPE_CHECKING:
    from torch import Tensor


def write_pth(checkpoint: Checkpoint, path: Path) -> None:
    """Write a plain state dict: torchvision's names, tensors in the checkpoint's own types.

    The dict holds tensors only, so that `torch.load(path, weights_only=True)` reads it and strict
    loads accept it. The facts of the checkpoint are an attribute of the dict, like the `_metadata`
    of `nn.Module.state_dict()`: `torch.load(path).resnext` is a dict of strings.

    Raises:
        OSError: the folder is missing or read-only, or the disk is full.
    """
    import torch

    state: OrderedDict[str, Tensor] = OrderedDict(
        (name, torch.from_numpy(np.array(array))) for name, array in checkpoint.tensors.items()
    )
    vars(state)["resnext"] = to_metadata(checkpoint.facts())
    with whole_file(path) as file:
        try:
            torch.save(state, file)
        except RuntimeError as error:
            # torch's writer fails again when it closes the file, which hides the first error.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise

"""How PyTorch is to compute a step."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from resnext.inference.predictor import Precision


@contextmanager
def training_arithmetic(precision: Precision, *, deterministic: bool) -> Iterator[None]:
    """Set how a GPU computes while the block runs: its fastest way, or the same bits each time."""
    tf32 = precision is Precision.TF32
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    try:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=not deterministic, deterministic=deterministic, allow_tf32=tf32
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def any_strides() -> Iterator[None]:
    """Keep to itself that processes copy a gradient before they exchange it.

    Where pictures have their channels last, the gradients of 1 x 1 convolutions have too. PyTorch
    warns each process of that copy, which is a small one.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
        yield

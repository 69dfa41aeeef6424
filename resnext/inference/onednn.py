"""Convolutions fused with addition and ReLU on the CPU, by oneDNN.

The operators are those that torch.compile puts in place of a convolution and what follows it. Used
without the compiler they need neither a C++ compiler nor a minute at the start. They are no public
interface: see `resnext.inference.fusion` for how they are tried first.
"""

from typing import ClassVar, cast

import torch
from torch import Tensor, nn


class PackedConvolution:
    """A convolution whose weights are packed in the layout that is fastest on the processor."""

    keeps_nan: ClassVar[bool] = False
    repeats: ClassVar[bool] = True

    def __init__(self, convolution: nn.Conv2d) -> None:
        """Take over a convolution; its weights are packed when the first input is seen."""
        self.refused: str | None = None
        self.weight = convolution.weight.detach().contiguous(memory_format=torch.channels_last)
        self.bias = None if convolution.bias is None else convolution.bias.detach()
        self.shape: tuple[list[int], list[int], list[int], int] = (
            list(cast("tuple[int, int]", convolution.padding)),
            list(convolution.stride),
            list(convolution.dilation),
            convolution.groups,
        )
        self.packed: Tensor | None = None

    def rectified(self, x: Tensor) -> Tensor:
        """Return relu(convolution of x)."""
        return self._convolved(x, "relu")

    def added(self, x: Tensor, other: Tensor, through: "PackedConvolution | None") -> Tensor:
        """Return relu(convolution of x + other), written over the other: it is in the cache.

        Args:
            x: (N, C, H, W).
            other: what is added, itself or through a convolution.
            through: that convolution.
        """
        if through is not None:
            other = through.convolved(other)
        answer: Tensor = torch.ops.mkldnn._convolution_pointwise_.binary(
            other, x, self._weight(x), self.bias, *self.shape, "add", 1.0, "relu", [], ""
        )
        return answer

    def convolved(self, x: Tensor) -> Tensor:
        """Return the convolution of x."""
        return self._convolved(x, "none")

    def _convolved(self, x: Tensor, after: str) -> Tensor:
        answer: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self._weight(x), self.bias, *self.shape, after, [], ""
        )
        return answer

    def _weight(self, x: Tensor) -> Tensor:
        if self.packed is None:
            self.packed = torch.ops.mkldnn._reorder_convolution_weight(
                self.weight, *self.shape, list(x.shape)
            )
            self.weight = self.packed  # the plain one is not needed any more
        return self.packed

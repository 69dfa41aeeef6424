"""What a network has in front of its classifier, or behind a stage, beside its logits."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resnext.model import ResNeXt


def with_features(network: ResNeXt, layer: str | None = None) -> ResNeXt:
    """Return a network whose rows hold the logits, and behind them the features of the picture.

    Both come from one pass, so that whatever takes the logits of a network on its way (batches,
    devices, crops) takes the features along.

    Args:
        network: any of the family, folded and fused or not; it is changed.
        layer: a stage, whose map is averaged; None for the inputs of the classifier.
    """
    averaged = None
    if layer is not None:
        averaged = Averaged(network.get_submodule(layer))
        network.set_submodule(layer, averaged)
    network.set_submodule("fc", WithInputs(network.fc, averaged))
    return network


class Averaged(nn.Module):
    """A stage that keeps the average over its last map, until the next batch.

    Attributes:
        average: (N, channels).
    """

    average: Tensor

    def __init__(self, stage: nn.Module) -> None:
        super().__init__()
        self.stage = stage

    def forward(self, x: Tensor) -> Tensor:
        """Return what the stage returns, (N, channels, H, W)."""
        y: Tensor = self.stage(x)
        # Now: the next block may overwrite the map.
        self.average = F.adaptive_avg_pool2d(y, 1).flatten(1)
        return y


class WithInputs(nn.Module):
    """A classifier that returns its logits and behind them its inputs, or a stage's average."""

    def __init__(self, classifier: nn.Module, averaged: Averaged | None) -> None:
        super().__init__()
        self.classifier = classifier
        self._averaged = (averaged,)  # no submodule: it is one of the network already

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, classes + features)."""
        (averaged,) = self._averaged
        return torch.cat([self.classifier(x), x if averaged is None else averaged.average], dim=1)

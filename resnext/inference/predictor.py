"""A network's logits, on any device and in any precision."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from resnext.inference.arithmetic import DTYPES, Precision, arithmetic, precision_note
from resnext.inference.compilation import CompiledNetwork, SameSize
from resnext.inference.folding import folded
from resnext.inference.fusion import fused, refusal, repeats, unfused
from resnext.inference.pending import PendingValues
from resnext.inference.scaling import refusals, scale_sources
from resnext.loader.upload import upload_to
from resnext.model import ResNeXt
from resnext.pixels.raw_crops import RawCrops


def slower_ways(
    device: torch.device, precision: Precision, *, compiled: bool, scales: bool
) -> Iterator[str]:
    """Yield a sentence for each faster way that is not there, or does not repeat its bits.

    Args:
        device: where the network computes.
        precision: of its arithmetic.
        compiled: by torch.compile, which fuses by itself.
        scales: a GPU could scale the pictures, as it can for the original's single crop.
    """
    if text := precision_note(precision, device):
        yield text
    if not compiled and (text := refusal(device, DTYPES[precision])):
        yield text
    if not compiled and not repeats(device, DTYPES[precision]):
        yield (
            f"--precision {precision}: cuDNN's fastest algorithms compute it, perhaps others in "
            "the next run, which changes last digits; fp32 repeats its bits"
        )
    if scales:
        yield from refusals(device)


class Predictor:
    """A network that is ready to answer: folded and fused, on its device, in its precision.

    Attributes:
        device: where it computes.
        precision: of its arithmetic.
        repeats: it gives the same bits in each run; else cuDNN takes its fastest algorithms.
        ahead: how many more batches are worth starting before an answer is waited for.
    """

    def __init__(
        self,
        network: ResNeXt,
        *,
        device: torch.device,
        precision: Precision,
        compiled: bool = False,
        features: bool = False,
        layer: str | None = None,
    ) -> None:
        """Copy a network.

        Args:
            network: in evaluation mode, float32, on the CPU; it stays as it is.
            device: where the copy shall live.
            precision: of its arithmetic.
            compiled: by torch.compile, at the first batch, in place of `fused` convolutions.
            features: whether the features of a picture follow its logits in each row; see
                `with_features`. They too are summed over crops.
            layer: of the features; None for the inputs of the classifier.
        """
        self.device = device
        self.precision = precision
        # A GPU gets the next batch while it computes; on a CPU that would gain nothing.
        self.ahead = 0 if device.type == "cpu" else 1
        self.dtype = DTYPES[precision]
        self.repeats = compiled or repeats(device, self.dtype)
        plain = folded(network).to(device=device, dtype=self.dtype)
        plain = plain.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        plain = plain if compiled else fused(plain)
        if features:
            plain = with_features(plain, layer)
        self.network: Callable[[Tensor], Tensor] = CompiledNetwork(plain) if compiled else plain
        if compiled or device.type == "cuda":
            self.network = SameSize(self.network)
        self._plain = plain
        self._upload = upload_to(device)

    @property
    def refusals(self) -> tuple[str, ...]:
        """Return why some convolutions were not fused for the sizes so far, a line each."""
        return unfused(self._plain)

    def warm_up(self, pictures: int, *, side: int) -> None:
        """Let a GPU, or torch.compile, do what the first batch of a size would else wait for.

        Args:
            pictures: that go through the network at once.
            side: of them, in pixels.
        """
        if not isinstance(self.network, SameSize):
            return
        with torch.inference_mode(), arithmetic(self.precision, deterministic=self.repeats):
            nothing = torch.zeros((pictures, 3, side, side), device=self.device, dtype=self.dtype)
            self.network(nothing.contiguous(memory_format=torch.channels_last))

    def logits(self, inputs: Tensor | RawCrops) -> NDArray[np.float32]:
        """Return the logits (N, classes) of N pictures.

        Args:
            inputs: (N, 3, H, W) float32, or (N, crops, 3, H, W), of whose crops the logits are
                summed, in float32, as the original does; or what the device makes such inputs of.
        """
        return self.start(inputs).wait()

    def start(self, inputs: Tensor | RawCrops) -> PendingValues:
        """Start to compute the logits of N pictures, given as for `logits`; return at once."""
        return PendingValues.of(self.compute(inputs))

    def compute(self, inputs: Tensor | RawCrops) -> Tensor:
        """Return the logits (N, classes) float32 on the device, which may still be computing."""
        with torch.inference_mode(), arithmetic(self.precision, deterministic=self.repeats):
            if isinstance(inputs, RawCrops):
                inputs = scale_sources(self._upload.begin(inputs).take())
            else:
                inputs = self._upload.begin(inputs).take()
            crops = inputs.shape[1] if inputs.dim() == 5 else 1
            pictures = inputs.flatten(0, 1) if inputs.dim() == 5 else inputs
            pictures = pictures.to(self.dtype)
            # Channels last in memory: grouped convolutions are half as fast again on a CPU.
            answers = self.network(pictures.contiguous(memory_format=torch.channels_last)).float()
            summed: Tensor = (
                answers.reshape(-1, crops, answers.shape[1]).sum(1) if crops > 1 else answers
            )
            return summed


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

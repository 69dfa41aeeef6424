"""The networks as PyTorch modules, with torchvision's parameter names."""

from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resnext.layout import BatchNorm, Convolution, Residual, layout
from resnext.spec import Norm, Spec, StemPool


class ResNeXt(nn.Module):
    """Any network of the family: images (N, 3, H, W) to logits (N, classes).

    The last pooling averages over all of the feature map, as the original's fixed window does at
    the original's input size.

    Args:
        spec: the architecture.
        generator: of the initial weights; None takes torch's default generator.
    """

    def __init__(self, spec: Spec, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        rows = layout(spec)
        block = BLOCKS[spec.norm]
        self.spec = spec
        self.conv1 = _convolution(rows.stem)
        self.bn1 = _norm(rows.stem_norm)
        self.stem_pool = rows.stem_pool
        self.stage_names = spec.stage_names
        for name, stage in zip(self.stage_names, rows.stages, strict=True):
            self.add_module(name, nn.Sequential(*(block(row) for row in stage)))
        self.bn_last = _norm(rows.last_norm)
        self.fc = nn.Linear(rows.classifier.inputs, rows.classifier.outputs)
        _initialise(self, generator)

    @property
    def num_features(self) -> int:
        """Return the channels of the last feature map, which are the inputs of the classifier."""
        return self.spec.features

    @property
    def num_classes(self) -> int:
        """Return the outputs of the classifier."""
        return self.spec.classes

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (N, classes) of images (N, 3, H, W)."""
        return self.forward_head(self.forward_features(x))

    def forward_features(self, x: Tensor, *, until: str | None = None) -> Tensor:
        """Return the feature map (N, C, h, w) of images (N, 3, H, W), as networks of timm do.

        Args:
            x: the images.
            until: the stage to stop behind, one of `stage_names`. None computes them all, and for
                pre-activation networks also the batch norm and ReLU behind the last one; C is then
                `num_features`.

        Raises:
            ValueError: there is no such stage.
        """
        names = self.stage_names
        if until is not None:
            if until not in names:
                raise ValueError(f"one of {', '.join(names)} expected, found {until!r}")
            names = names[: names.index(until) + 1]
        x = self.conv1(x)
        if self.bn1 is not None:
            x = F.relu(self.bn1(x), inplace=True)
        if self.stem_pool is not None:
            padded = self.stem_pool is StemPool.PADDED
            x = F.max_pool2d(x, 3, stride=2, padding=int(padded), ceil_mode=not padded)
        for name in names:
            x = self.get_submodule(name)(x)
        if self.bn_last is not None and until is None:
            x = F.relu(self.bn_last(x), inplace=True)
        return x

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Return the logits (N, classes) of the feature map (N, num_features, h, w).

        Args:
            x: what `forward_features` returned.
            pre_logits: return the inputs of the classifier (N, num_features) in their place: the
                average over the map.
        """
        pooled = F.adaptive_avg_pool2d(x, 1).flatten(1)
        if pre_logits:
            return pooled
        logits: Tensor = self.fc(pooled)
        return logits


class ResidualBlock(nn.Module):
    """The base of the three kinds of block: convolutions, batch norms and the shortcut.

    ReLUs overwrite their input, which is a batch norm's output or a sum, and additions the branch's
    output: no backward pass looks at these. The block's input is never overwritten.
    """

    def __init__(self, row: Residual) -> None:
        super().__init__()
        for number, (convolution, norm) in enumerate(
            zip(row.convolutions, row.norms, strict=True), 1
        ):
            self.add_module(f"conv{number}", _convolution(convolution))
            self.add_module(f"bn{number}", _norm(norm))
        self.count = len(row.convolutions)
        self.downsample = _shortcut(row)

    def convolve(self, number: int, x: Tensor) -> Tensor:
        """Apply the 1-based convolution."""
        y: Tensor = self.get_submodule(f"conv{number}")(x)
        return y

    def normalise(self, number: int, x: Tensor) -> Tensor:
        """Apply the 1-based batch norm."""
        y: Tensor = self.get_submodule(f"bn{number}")(x)
        return y

    def shortcut(self, x: Tensor) -> Tensor:
        """Return the shortcut's output, which is added to the branch."""
        if self.downsample is None:
            return x
        projected: Tensor = self.downsample(x)
        return projected


class PostActivation(ResidualBlock):
    """Convolution, batch norm, ReLU; the last ReLU after the addition."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outputs, H / stride, W / stride)."""
        y = x
        for number in range(1, self.count + 1):
            y = self.normalise(number, self.convolve(number, y))
            if number < self.count:
                y = F.relu(y, inplace=True)
        return F.relu(y.add_(self.shortcut(x)), inplace=True)


class NormAfterAddition(ResidualBlock):
    """The block of fb.resnet.torch's ResNet-50: its last batch norm is after the addition."""

    def __init__(self, row: Residual) -> None:
        super().__init__(row)
        self.bn_add = nn.BatchNorm2d(row.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outputs, H / stride, W / stride)."""
        y = x
        for number in range(1, self.count):
            y = F.relu(self.normalise(number, self.convolve(number, y)), inplace=True)
        y = self.convolve(self.count, y)
        return F.relu(self.bn_add(y.add_(self.shortcut(x))), inplace=True)


class PreActivation(ResidualBlock):
    """Batch norm, ReLU, convolution; nothing after the addition."""

    def __init__(self, row: Residual) -> None:
        super().__init__(row)
        self.shared = row.shared_preactivation
        self.first_norm = 1 if row.norms[0] is not None else 2

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outputs, H / stride, W / stride)."""
        y = x
        for number in range(1, self.count + 1):
            if number >= self.first_norm:
                y = F.relu(self.normalise(number, y), inplace=True)
            if number == 1 and self.shared:
                x = y
            y = self.convolve(number, y)
        return y.add_(self.shortcut(x))


BLOCKS: dict[Norm, type[ResidualBlock]] = {
    Norm.POST: PostActivation,
    Norm.AFTER_ADD: NormAfterAddition,
    Norm.PRE: PreActivation,
    Norm.PRE_BRANCH: PreActivation,
}


class ZeroPad(nn.Module):
    """Shortcut A: every stride-th pixel, followed by the missing channels as zeros."""

    def __init__(self, stride: int, channels: int) -> None:
        super().__init__()
        self.stride, self.channels = stride, channels

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C + channels, H / stride, W / stride)."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.channels))


def _convolution(row: Convolution) -> nn.Conv2d:
    return nn.Conv2d(
        row.inputs,
        row.outputs,
        row.kernel,
        stride=row.stride,
        padding=row.padding,
        groups=row.groups,
        bias=False,
    )


def _norm(row: BatchNorm | None) -> nn.BatchNorm2d | None:
    return None if row is None else nn.BatchNorm2d(row.width)


def _shortcut(row: Residual) -> nn.Module | None:
    if row.pads:
        return ZeroPad(row.stride, row.outputs - row.convolutions[0].inputs)
    if row.projection is None:
        return None
    norm = _norm(row.projection_norm)
    return nn.Sequential(_convolution(row.projection), *([] if norm is None else [norm]))


def _initialise(network: ResNeXt, generator: torch.Generator | None) -> None:
    """Draw the weights as the original's model files do.

    Convolutions: normal, deviation sqrt(2 / (kernel area * outputs)). Batch norm: ones and zeros.
    Classifier: uniform within 1 / sqrt(inputs) (Torch's default), bias zero.
    """
    if network.fc.weight.is_meta:  # no memory to fill, and torch would take a second for it
        return
    for module in network.modules():
        match module:
            case nn.Conv2d():
                fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
                nn.init.normal_(module.weight, 0.0, sqrt(2 / fan_out), generator=generator)
            case nn.Linear():
                bound = 1 / sqrt(module.in_features)
                nn.init.uniform_(module.weight, -bound, bound, generator=generator)
                nn.init.zeros_(module.bias)
            case _:
                pass  # nn.BatchNorm2d starts with ones and zeros by itself

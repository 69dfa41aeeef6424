"""Networks as torchvision, clcarwin's converter and prlz77 build them, small and of random weights.

A second description of the family, module by module as their code has it: the names of the state
dicts and the logits come from PyTorch's own modules.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def randomised(network: nn.Module, seed: int = 0) -> nn.Module:
    """Draw all parameters and running statistics, so that no two layers are alike."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            module.bias.data.normal_(0, 0.2, generator=generator)
            module.running_mean.normal_(0, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            module.num_batches_tracked.fill_(7)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            scale = module.weight[0].numel() ** -0.5
            module.weight.data.normal_(0, scale, generator=generator)
            if module.bias is not None:
                module.bias.data.normal_(0, 0.1, generator=generator)
    return network.eval()


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> Any:
    return nn.Conv2d(
        inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False
    )


class Residual(nn.Module):
    """torchvision's BasicBlock or Bottleneck."""

    def __init__(self, inputs: int, planes: int, stride: int, groups: int, width: int) -> None:
        super().__init__()
        self.is_bottleneck = width > 0
        outputs = planes * 4 if width else planes
        if width:
            self.conv1 = convolution(inputs, width * groups, 1)
            self.bn1 = nn.BatchNorm2d(width * groups)
            self.conv2 = convolution(width * groups, width * groups, 3, stride, groups)
            self.bn2 = nn.BatchNorm2d(width * groups)
            self.conv3 = convolution(width * groups, outputs, 1)
            self.bn3 = nn.BatchNorm2d(outputs)
        else:
            self.conv1 = convolution(inputs, planes, 3, stride)
            self.bn1 = nn.BatchNorm2d(planes)
            self.conv2 = convolution(planes, planes, 3)
            self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.is_bottleneck:
            y = self.bn3(self.conv3(F.relu(y)))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class TorchvisionNet(nn.Module):
    """torchvision's ResNet, with a 3x3 stem if there are three stages."""

    def __init__(
        self,
        counts: tuple[int, ...] = (1, 2, 1, 1),
        *,
        planes: int = 8,
        groups: int = 2,
        width: int = 3,
        classes: int = 7,
        head: str = "fc",
    ) -> None:
        super().__init__()
        self.small, self.head = len(counts) == 3, head
        self.conv1 = convolution(3, planes, 3 if self.small else 7, 1 if self.small else 2)
        self.bn1 = nn.BatchNorm2d(planes)
        inputs = planes
        for stage, count in enumerate(counts):
            blocks = []
            for block in range(count):
                stride = 2 if stage and not block else 1
                blocks.append(
                    Residual(
                        inputs, planes << stage, stride, groups, width << stage if width else 0
                    )
                )
                inputs = (planes << stage) * (4 if width else 1)
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.stages = len(counts)
        self.add_module(head, nn.Linear(inputs, classes))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        if not self.small:
            x = F.max_pool2d(x, 3, 2, 1)
        for stage in range(self.stages):
            x = getattr(self, f"layer{stage + 1}")(x)
        logits: Tensor = getattr(self, self.head)(F.adaptive_avg_pool2d(x, 1).flatten(1))
        return logits


class Lambda(nn.Sequential):
    """clcarwin's Lambda: applies a function; with modules, to the list of their outputs."""

    def __init__(self, function: Callable[..., Any], *modules: nn.Module) -> None:
        super().__init__(*modules)
        self.function = function

    def forward(self, x: Any) -> Any:
        outputs = [module(x) for module in self]
        return self.function(outputs or x)


def nested_net(
    counts: tuple[int, ...] = (1, 2, 1, 1),
    *,
    planes: int = 8,
    groups: int = 2,
    width: int = 3,
    classes: int = 7,
    flat: bool = False,
) -> nn.Sequential:
    """Return the Sequential that clcarwin's converter makes of an original's tree.

    Args:
        flat: the branch is one Sequential, as in the original's model files; not nested, as in its
            published files.
    """
    small = len(counts) == 3
    modules: list[nn.Module] = [
        convolution(3, planes, 3 if small else 7, 1 if small else 2),
        nn.BatchNorm2d(planes),
        nn.ReLU(),
        *([] if small else [nn.MaxPool2d(3, 2, 1)]),
    ]
    inputs = planes
    for stage, count in enumerate(counts):
        blocks = []
        for block in range(count):
            stride = 2 if stage and not block else 1
            outputs, inner = (planes << stage) * 4, (width << stage) * groups
            first = [
                *(convolution(inputs, inner, 1), nn.BatchNorm2d(inner), nn.ReLU()),
                *(convolution(inner, inner, 3, stride, groups), nn.BatchNorm2d(inner), nn.ReLU()),
            ]
            last = [convolution(inner, outputs, 1), nn.BatchNorm2d(outputs)]
            branch = (
                nn.Sequential(*first, *last)
                if flat
                else nn.Sequential(nn.Sequential(*first), *last)
            )
            shortcut: nn.Module = Lambda(lambda x: x)
            if stride != 1 or inputs != outputs:
                shortcut = nn.Sequential(
                    convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
                )
            blocks.append(
                nn.Sequential(
                    Lambda(lambda pair: pair, branch, shortcut),
                    Lambda(lambda pair: pair[0] + pair[1]),
                    nn.ReLU(),
                )
            )
            inputs = outputs
        modules.append(nn.Sequential(*blocks))
    modules += [nn.AdaptiveAvgPool2d(1), Lambda(lambda x: x.flatten(1))]
    modules.append(nn.Sequential(Lambda(lambda x: x), nn.Linear(inputs, classes)))
    return nn.Sequential(*modules)


def as_cadenes(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict of `nested_net` by Cadene's names."""
    *rest, weight, bias = state.items()
    named = {f"features.{name}": tensor for name, tensor in rest}
    return {**named, "last_linear.weight": weight[1], "last_linear.bias": bias[1]}

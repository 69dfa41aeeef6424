"""The convolutions of the network on a CPU, one by one, in the layouts that oneDNN has for them."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn

from benchmarks.networks import RESNEXT_50
from benchmarks.runs import command_line, write_result
from resnext.inference.onednn import PackedConvolution
from resnext.machine import keep_freed_memory
from resnext.model import ResNeXt
from resnext.preprocessing import IMAGENET
from resnext.spec import Spec

BATCH_SIZE = 16
ROUNDS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A convolution, of which a network has one or more.

    Attributes:
        inputs, outputs: channels.
        side: of the input, in pixels.
        kernel, stride, groups: as `nn.Conv2d` has them.
    """

    inputs: int
    outputs: int
    side: int
    kernel: int
    stride: int
    groups: int

    @property
    def kind(self) -> str:
        """Return what it is listed under."""
        grouped = f", groups of {self.inputs // self.groups}" if self.groups > 1 else ""
        return f"{self.kernel}x{self.kernel}{grouped}"

    @property
    def multiply_adds(self) -> int:
        """Count the products of a picture."""
        return (
            self.outputs
            * (self.side // self.stride * self.kernel) ** 2
            * (self.inputs // self.groups)
        )


def layers(spec: Spec, side: int) -> Counter[Layer]:
    """Count the convolutions of a network for pictures of so many pixels."""
    found: Counter[Layer] = Counter()

    def count(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(module, nn.Conv2d)
        _, channels, height, _ = inputs[0].shape
        layer = Layer(
            inputs=channels,
            outputs=module.out_channels,
            side=height,
            kernel=module.kernel_size[0],
            stride=module.stride[0],
            groups=module.groups,
        )
        found[layer] += 1

    with torch.device("meta"):
        network = ResNeXt(spec).eval()
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_pre_hook(count)
        network(torch.empty(1, 3, side, side))
    return found


def ways(layer: Layer, count: int) -> dict[str, Callable[[], object]]:
    """Return calls that compute a layer for so many pictures: as it is done here, and otherwise."""
    convolution = nn.Conv2d(
        layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.kernel // 2,
        groups=layer.groups,
    )  # fmt: skip
    packed = PackedConvolution(convolution)
    x = torch.randn(count, layer.inputs, layer.side, layer.side)
    last = x.contiguous(memory_format=torch.channels_last)
    # An output of oneDNN has the layout that it likes best for it.
    one = torch.randn(layer.inputs, layer.inputs, 1, 1).to_mkldnn()
    blocked = torch.mkldnn_convolution(x.to_mkldnn(), one, None, [0, 0], [1, 1], [1, 1], 1)
    shape = packed.shape
    weight = torch._C._nn.mkldnn_reorder_conv2d_weight(convolution.weight.to_mkldnn(), *shape)
    bias = convolution.bias
    return {
        "channels_last": lambda: packed.convolved(last),
        "blocked": lambda: torch.mkldnn_convolution(blocked, weight, bias, *shape),
    }


def _seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def measure(spec: Spec, *, side: int, count: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return, by kind of convolution, processor milliseconds a picture in each layout."""
    spent: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    products: Counter[str] = Counter()
    with torch.inference_mode():
        for layer, times in layers(spec, side).items():
            calls = ways(layer, count)
            for call in calls.values():
                call()  # packs weights
            seconds: dict[str, list[float]] = {name: [] for name in calls}
            for _ in range(rounds):
                for name, call in calls.items():
                    seconds[name].append(_seconds(call))
            for name, row in seconds.items():
                spent[layer.kind][name] += 1000 * median(row) * times / count
            products[layer.kind] += layer.multiply_adds * times
    return {
        kind: {
            **{name: round(value, 2) for name, value in row.items()},
            "billions_a_second": round(products[kind] / row["channels_last"] / 1e6, 1),
        }
        for kind, row in spent.items()
    }


def main() -> None:
    """Measure, print and write the result."""
    torch.set_num_threads(1)
    keep_freed_memory()
    rows = measure(RESNEXT_50, side=IMAGENET.crop, count=BATCH_SIZE, rounds=ROUNDS)
    facts = {
        "network": RESNEXT_50.name,
        "batch_size": BATCH_SIZE,
        "rounds": ROUNDS,
        "unit": "milliseconds of processor time an image, one thread; multiply-adds",
        "rows": rows,
    }
    write_result("layers", facts, ("torch", "resnext"))
    for name, row in rows.items():
        print(f"{name:20} {row}")


if __name__ == "__main__":
    command_line().parse_args()
    main()

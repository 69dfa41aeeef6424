"""Ways to compute a network on a GPU: this project's, plainer ones, and timm's."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from benchmarks.peers import import_timm
from convert.export.timm import timm_architecture
from resnext.inference.arithmetic import DTYPES, Precision, arithmetic
from resnext.inference.folding import folded
from resnext.inference.predictor import Predictor
from resnext.model import ResNeXt

Compute = Callable[[Tensor], Tensor]  # pictures (N, 3, H, W) to logits (N, classes)
LAST, FIRST = torch.channels_last, torch.contiguous_format  # where channels are in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is computed.

    Attributes:
        network: as it was loaded, in evaluation mode, on the CPU; it stays as it is.
        device: that computes.
        precision: of the arithmetic.
        example: (N, 3, H, W) float32 on the device.
    """

    network: ResNeXt
    device: torch.device
    precision: Precision
    example: Tensor

    @property
    def dtype(self) -> torch.dtype:
        """Return the type of weights."""
        return DTYPES[self.precision]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to compute a network.

    Attributes:
        make: what computes the logits.
        tried: cuDNN tries its algorithms and takes the fastest, which may be another each time;
            else it takes those that give the same bits each time.
        converted: pictures are handed over in the type of the weights; else as float32.
        layout: in which they are handed over.
        halves: it is another way than the one before it in half precision only.
    """

    make: Callable[[Subject], Compute]
    tried: bool = False
    converted: bool = True
    layout: torch.memory_format = LAST
    halves: bool = False

    def inputs(self, pictures: Tensor, subject: Subject) -> Tensor:
        """Return pictures (N, 3, H, W) float32 as this way takes them."""
        dtype = subject.dtype if self.converted else torch.float32
        return pictures.to(dtype).contiguous(memory_format=self.layout)

    @contextmanager
    def settings(self, precision: Precision) -> Iterator[None]:
        """Set, until the block ends, how the process computes."""
        with torch.inference_mode(), arithmetic(precision, deterministic=not self.tried):
            yield


def _plain(subject: Subject) -> ResNeXt:
    return _placed(deepcopy(subject.network), subject)


def _folded(subject: Subject) -> ResNeXt:
    return _placed(folded(subject.network), subject)


def _placed(network: ResNeXt, subject: Subject) -> ResNeXt:
    network = network.to(device=subject.device, dtype=subject.dtype)
    return network.to(memory_format=LAST)  # type: ignore[call-overload, no-any-return]


def _predictor(subject: Subject) -> Compute:
    return Predictor(subject.network, device=subject.device, precision=subject.precision).compute


def _compiled(make: Callable[[Subject], nn.Module]) -> Callable[[Subject], Compute]:
    return lambda subject: cast("Compute", torch.compile(make(subject)))


def _timm(*, amp: bool, layout: torch.memory_format) -> Callable[[Subject], nn.Module]:
    """Return what makes timm's network, as its benchmark.py does."""

    def make(subject: Subject) -> nn.Module:
        timm, spec = import_timm(), subject.network.spec
        name, arguments = timm_architecture(spec)
        model = timm.create_model(
            name, pretrained=False, num_classes=spec.classes, in_chans=3, **arguments
        )
        model.load_state_dict(subject.network.state_dict())
        model = model.to(device=subject.device, dtype=torch.float32 if amp else subject.dtype)
        model = model.to(memory_format=layout).eval()
        return _Autocast(model, subject) if amp else cast("nn.Module", model)

    return make


class _Autocast(nn.Module):
    """A network whose layers choose among a half type and float32."""

    def __init__(self, model: nn.Module, subject: Subject) -> None:
        super().__init__()
        self.model = model
        self.kind, self.dtype = subject.device.type, subject.dtype

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(self.kind, dtype=self.dtype):
            y: Tensor = self.model(x)
        return y


# The first is what the decisions of all others are compared with.
WAYS = {
    "plain": Way(make=_plain),
    "predictor": Way(make=_predictor, converted=False, layout=FIRST),
    "folded": Way(make=_folded),
    "timm": Way(make=_timm(amp=False, layout=FIRST), tried=True, layout=FIRST),
    "timm_last": Way(make=_timm(amp=False, layout=LAST), tried=True),
    "timm_amp": Way(make=_timm(amp=True, layout=LAST), tried=True, converted=False, halves=True),
    "compiled": Way(make=_compiled(_folded)),
    "compiled_tried": Way(make=_compiled(_folded), tried=True),
    "timm_compiled": Way(make=_compiled(_timm(amp=False, layout=LAST)), tried=True),
    "timm_compiled_first": Way(
        make=_compiled(_timm(amp=False, layout=FIRST)), tried=True, layout=FIRST
    ),
    "timm_amp_compiled": Way(
        make=_compiled(_timm(amp=True, layout=LAST)), tried=True, converted=False, halves=True
    ),
}
COMPILED = tuple(name for name in WAYS if "compiled" in name)
EAGER = tuple(name for name in WAYS if name not in COMPILED)
# Timed beside the compiled ones, so that both tables have rows in common.
COMPARED = ("predictor", "timm_last", "timm_amp")

"""A network's logits, on any device and in any precision."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from textwrap import shorten
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resnext.errors import DeviceError
from resnext.inference.compilation import CompiledNetwork
from resnext.inference.folding import folded
from resnext.inference.fusion import fused
from resnext.inference.pending import PendingValues
from resnext.inference.same_size import SameSize
from resnext.inference.scaling import scale_sources
from resnext.loader.upload import upload_to
from resnext.machine import keep_freed_memory, usual_threads
from resnext.model import ResNeXt
from resnext.pixels.raw_crops import RawCrops


class Precision(StrEnum):
    """The arithmetic of a network.

    FP32 is the published one. TF32 rounds the factors of fp32 products to 10 bits on NVIDIA's
    tensor cores; BF16 and FP16 compute in that type, batch norm folded in beforehand.
    """

    FP32 = "fp32"
    TF32 = "tf32"
    BF16 = "bf16"
    FP16 = "fp16"


REASON: Final = 120  # characters of what PyTorch says, at most

DTYPES: Final = {
    Precision.FP32: torch.float32,
    Precision.TF32: torch.float32,
    Precision.BF16: torch.bfloat16,
    Precision.FP16: torch.float16,
}


@contextmanager
def arithmetic(precision: Precision) -> Iterator[None]:
    """Set, until the block ends, what decides how float32 is computed in the whole process.

    PyTorch would use TF32 in convolutions by default, and let cuDNN choose among algorithms by
    time, which changes the last digits from run to run.
    """
    tf32 = precision is Precision.TF32
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    try:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=tf32
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


# The flags that `arithmetic` sets, for reports.
ARITHMETIC_FLAGS: Final = {"cudnn_benchmark": False, "cudnn_deterministic": True}


def find_device(name: str | None) -> torch.device:
    """Return the device of a name such as "cuda:1"; the best there is for None.

    A GPU that is named becomes the current one of this process: where NCCL looks for it, and so
    that nothing is put on another.

    Raises:
        DeviceError: no device has this name, or this machine has none of the kind.
    """
    if name is None:
        kinds = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        return torch.device(next((kind for kind, there in kinds.items() if there), "cpu"))
    try:
        device = torch.device(name)
        torch.empty(1, device=device).cpu()
        if device.type == "cuda" and device.index is not None:
            torch.cuda.set_device(device)
    # The latter two: a torch built without CUDA, or without a package that it leaves to others.
    except (RuntimeError, AssertionError, ImportError) as error:
        # The first sentence: after it come all devices that PyTorch has ever heard of.
        reason = shorten(re.split(r"\. |\n", str(error))[0], REASON, placeholder=" ...")
        raise DeviceError(
            f"device {name!r}: cpu, cuda, cuda:N or mps expected, as this machine has it; {reason}"
        ) from error
    return device


def check_precision(precision: Precision, device: torch.device) -> None:
    """Check that a device has a precision.

    Raises:
        DeviceError: it has not.
    """
    if precision is Precision.TF32 and device.type != "cuda":
        raise DeviceError(f"--precision tf32: an NVIDIA GPU expected, found {device}; use fp32")


def precision_note(precision: Precision, device: torch.device) -> str | None:
    """Say that a precision is none that a device computes in, where that is known; else None.

    Convolutions in bfloat16 and float16 take about ten times as long as in float32 on a processor
    that lacks instructions for them (seen with AVX2 alone).
    """
    ask = {Precision.BF16: "_is_mkldnn_bf16_supported", Precision.FP16: "_is_mkldnn_fp16_supported"}
    if device.type != "cpu" or precision not in ask or not hasattr(torch.ops, "mkldnn"):
        return None
    supported = getattr(torch.ops.mkldnn, ask[precision], None)  # no public interface
    if supported is None or supported():
        return None
    return f"--precision {precision}: this processor computes it much more slowly than fp32"


def use_processors(*, processes: int) -> None:
    """Let this process compute on the CPU with its share of it, in memory that it keeps.

    Args:
        processes: of the job, on this machine.
    """
    keep_freed_memory()
    threads = usual_threads(processes=processes)
    if threads is not None:
        torch.set_num_threads(threads)


class Predictor:
    """A network that is ready to answer: folded and fused, on its device, in its precision.

    Attributes:
        device: where it computes.
        precision: of its arithmetic.
        ahead: how many more batches are worth starting before an answer is waited for.
    """

    def __init__(
        self,
        network: ResNeXt,
        *,
        device: torch.device,
        precision: Precision,
        compiled: bool = False,
    ) -> None:
        """Copy a network.

        Args:
            network: in evaluation mode, float32, on the CPU; it stays as it is.
            device: where the copy shall live.
            precision: of its arithmetic.
            compiled: by torch.compile, at the first batch, in place of `fused` convolutions.
        """
        self.device = device
        self.precision = precision
        # Something else than this processor computes: it gets the next batch in the meantime.
        self.ahead = 0 if device.type == "cpu" else 1
        self.dtype = DTYPES[precision]
        plain = folded(network).to(device=device, dtype=self.dtype)
        plain = plain.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network: Callable[[Tensor], Tensor]
        self.network = CompiledNetwork(plain) if compiled else fused(plain)
        if compiled or device.type == "cuda":
            self.network = SameSize(self.network)
        self._upload = upload_to(device)

    def warm_up(self, pictures: int, *, side: int) -> None:
        """Let a GPU, or torch.compile, do what the first batch of a size would else wait for.

        Args:
            pictures: that go through the network at once.
            side: of them, in pixels.
        """
        if not isinstance(self.network, SameSize):
            return
        with torch.inference_mode(), arithmetic(self.precision):
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
        """Begin with the logits of N pictures, as `logits` takes them."""
        return PendingValues.of(self.compute(inputs))

    def compute(self, inputs: Tensor | RawCrops) -> Tensor:
        """Return the logits (N, classes) float32 on their device, which may still be at it."""
        with torch.inference_mode(), arithmetic(self.precision):
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

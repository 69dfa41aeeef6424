"""A validation with timm: the steps and settings of its `validate.py`, which its wheel lacks.

Written anew over timm's public interface, with the flags `--checkpoint FILE --img-size 224
--crop-pct 0.875` and those of `Validation`. Prints what it counted, and when, as JSON.
"""

import argparse
import json
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import torch

from benchmarks.peers import import_timm

SIDE = 224
CROP_PART = 0.875

S = TypeVar("S", bound="Settings")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Flags that timm's scripts share.

    Attributes:
        model: timm's name of the network.
        model_kwargs: what it is built with beside the number of classes, as JSON.
        device: "cpu", "cuda" ...
        batch_size: pictures that go through the network at once.
        workers: processes that read.
        amp: type that autocast computes in, "bfloat16" or "float16"; or None.
        exact: TF32 is off. The scripts themselves leave it on wherever the GPU has it.
    """

    model: str = "resnext50_32x4d"
    model_kwargs: str = "{}"
    device: str = "cpu"
    batch_size: int = 16
    workers: int = 2
    amp: str | None = None
    exact: bool = False

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context of a pass through the network."""
        if self.amp is None:
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, dtype=_dtype(self.amp))


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation(Settings):
    """Flags of `validate.py`.

    Attributes:
        channels_last: order in memory of weights and pictures.
        model_dtype: type of weights and pictures; or None.
        torchcompile: the network is compiled.
    """

    channels_last: bool = False
    model_dtype: str | None = None
    torchcompile: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """Return the type of weights and pictures."""
        return _dtype(self.model_dtype) if self.model_dtype else torch.float32

    @property
    def layout(self) -> torch.memory_format:
        """Return the order in memory."""
        return torch.channels_last if self.channels_last else torch.contiguous_format


def _dtype(name: str) -> torch.dtype:
    found = getattr(torch, name)
    assert isinstance(found, torch.dtype)
    return found


def validate(images: str, checkpoint: str, settings: Validation) -> dict[str, Any]:
    """Measure a checkpoint.

    Args:
        images: folder of class folders, whose order is taken for the labels.
        checkpoint: a `.safetensors` file.
        settings: of the measurement.

    Returns:
        Images, the percentages and the mean loss, the seconds from asking for the first batch to
        having counted the last, and as `passes` when each batch was counted.
    """
    timm = import_timm()
    choose_arithmetic(exact=settings.exact)
    device = torch.device(settings.device)
    kwargs = json.loads(settings.model_kwargs)
    model = timm.create_model(
        settings.model, pretrained=False, num_classes=1000, in_chans=3, **kwargs
    )
    timm.models.load_checkpoint(model, checkpoint)
    loader = _loader(timm, model, images, settings)
    model = model.to(device=device, dtype=settings.dtype).to(memory_format=settings.layout).eval()
    if settings.torchcompile:
        model = torch.compile(model)
    criterion = torch.nn.CrossEntropyLoss().to(device)
    meters = {name: timm.utils.AverageMeter() for name in ("loss", "top1", "top5")}
    with torch.inference_mode():
        warm = torch.randn(settings.batch_size, 3, SIDE, SIDE).to(device, settings.dtype)
        with settings.autocast():
            model(warm.contiguous(memory_format=settings.layout))
        marks: list[tuple[float, int]] = [(time.monotonic(), 0)]
        for pictures, labels in loader:
            with settings.autocast():
                logits = model(pictures.contiguous(memory_format=settings.layout))
                loss = criterion(logits, labels)
            top1, top5 = timm.utils.accuracy(logits.detach(), labels, topk=(1, 5))
            for name, value in {"loss": loss, "top1": top1, "top5": top5}.items():
                meters[name].update(value.item(), len(pictures))
            marks.append((time.monotonic(), len(pictures)))
    averages = {name: meter.avg for name, meter in meters.items()}
    return {
        "images": meters["top1"].count,
        **averages,
        "seconds": marks[-1][0] - marks[0][0],
        "passes": [{"text": "validation", "marks": marks}],
    }


def choose_arithmetic(*, exact: bool) -> None:
    """Set what timm's scripts set on a GPU: TF32, unless that is off; cuDNN takes the fastest."""
    if not torch.cuda.is_available():
        return
    torch.set_float32_matmul_precision("highest" if exact else "high")
    torch.backends.cudnn.allow_tf32 = not exact
    torch.backends.cudnn.benchmark = True


def _loader(timm: Any, model: Any, images: str, settings: Validation) -> Any:
    wanted = {"img_size": SIDE, "crop_pct": CROP_PART}
    found = timm.data.resolve_data_config(wanted, model=model)
    dataset = timm.data.create_dataset(name="", root=images, split="validation")
    device = torch.device(settings.device)
    return timm.data.create_loader(
        dataset,
        input_size=found["input_size"],
        batch_size=settings.batch_size,
        use_prefetcher=True,
        interpolation=found["interpolation"],
        mean=found["mean"],
        std=found["std"],
        num_workers=settings.workers,
        crop_pct=found["crop_pct"],
        crop_mode=found["crop_mode"],
        pin_memory=device.type == "cuda",
        device=device,
        img_dtype=settings.dtype,
    )


def read_words(names: Sequence[str], usual: S) -> tuple[list[str], S]:
    """Return what the command line gives: arguments of these names, and settings as options."""
    parser = argparse.ArgumentParser()
    for name in names:
        parser.add_argument(name)
    for name, value in asdict(usual).items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            parser.add_argument(option, action="store_true")
        else:
            kind = int if isinstance(value, int) else str
            parser.add_argument(option, type=kind, default=value)
    words = vars(parser.parse_args())
    return [words.pop(name) for name in names], replace(usual, **words)


def main() -> None:
    """Measure and print."""
    (images, checkpoint), settings = read_words(("images", "checkpoint"), Validation())
    print(json.dumps(validate(images, checkpoint, settings)))


if __name__ == "__main__":
    main()

"""A validation with timm: the steps and settings of its `validate.py`, which its wheel lacks.

With the arguments `--model resnext50_32x4d --checkpoint FILE --img-size 224 --crop-pct 0.875 -b 16
-j 2 --device cpu`, written anew over timm's public interface. Prints what it counted as JSON.
"""

import json
import sys
import time
from typing import Any

import torch

from benchmarks.peers import import_timm

MODEL = "resnext50_32x4d"
SIDE = 224
CROP_PART = 0.875
BATCH_SIZE = 16
WORKERS = 2


def validate(images: str, checkpoint: str) -> dict[str, float]:
    """Measure a checkpoint.

    Args:
        images: folder of class folders, whose order is taken for the labels.
        checkpoint: a `.safetensors` file.

    Returns:
        Images, the percentages and the mean loss, and the seconds from asking for the first batch
        to having counted the last.
    """
    timm = import_timm()
    device = torch.device("cpu")
    model = timm.create_model(MODEL, pretrained=False, num_classes=1000, in_chans=3)
    timm.models.load_checkpoint(model, checkpoint)
    loader = _loader(timm, model, images, device)
    model = model.to(device).eval()
    criterion = torch.nn.CrossEntropyLoss().to(device)
    meters = {name: timm.utils.AverageMeter() for name in ("loss", "top1", "top5")}
    with torch.inference_mode():
        model(torch.randn(BATCH_SIZE, 3, SIDE, SIDE, device=device))  # for warmth
        begin = time.perf_counter()
        for pictures, labels in loader:
            logits = model(pictures)
            loss = criterion(logits, labels)
            top1, top5 = timm.utils.accuracy(logits.detach(), labels, topk=(1, 5))
            for name, value in {"loss": loss, "top1": top1, "top5": top5}.items():
                meters[name].update(value.item(), len(pictures))
        seconds = time.perf_counter() - begin
    averages = {name: meter.avg for name, meter in meters.items()}
    return {"images": meters["top1"].count, **averages, "seconds": seconds}


def _loader(timm: Any, model: Any, images: str, device: torch.device) -> Any:
    wanted = {"img_size": SIDE, "crop_pct": CROP_PART}
    settings = timm.data.resolve_data_config(wanted, model=model)
    dataset = timm.data.create_dataset(name="", root=images, split="validation")
    return timm.data.create_loader(
        dataset,
        input_size=settings["input_size"],
        batch_size=BATCH_SIZE,
        use_prefetcher=True,
        interpolation=settings["interpolation"],
        mean=settings["mean"],
        std=settings["std"],
        num_workers=WORKERS,
        crop_pct=settings["crop_pct"],
        crop_mode=settings["crop_mode"],
        device=device,
    )


if __name__ == "__main__":
    print(json.dumps(validate(*sys.argv[1:])))

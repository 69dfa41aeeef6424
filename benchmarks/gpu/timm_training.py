"""A training with timm: the steps and settings of its `train.py`, which its wheel lacks.

With the flags `--opt sgd --momentum 0.9 --weight-decay 1e-4 --smoothing 0 --color-jitter 0
--train-interpolation bicubic --pin-mem` and those of `Training`, without RandAugment and random
erasing; written anew over timm's public interface. Prints when each step was done as JSON.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.peers import import_timm
from benchmarks.timm_validation import SIDE, Settings, choose_arithmetic, read_words

RATE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Training(Settings):
    """Flags of `train.py`; an `amp` needs no scaling of the loss.

    Attributes:
        compiled: by torch.compile.
        skipped: the step behind which the GPU is waited for; from there on steps are counted.
    """

    compiled: bool = False
    skipped: int = 1


def train(images: str, settings: Training) -> list[tuple[float, int]]:
    """Train for an epoch.

    Args:
        images: folder of class folders.
        settings: of the training.

    Returns:
        When the first batch was asked for and each step was done, and the pictures of the step.
    """
    timm = import_timm()
    choose_arithmetic(exact=settings.exact)
    device = torch.device(settings.device)
    dataset = timm.data.create_dataset(name="", root=images, split="train", is_training=True)
    kwargs = json.loads(settings.model_kwargs)
    classes = len(dataset.reader.class_to_idx)
    model = timm.create_model(settings.model, pretrained=False, num_classes=classes, **kwargs)
    model = model.to(device).to(memory_format=torch.channels_last).train()
    optimiser = timm.optim.create_optimizer_v2(
        model, opt="sgd", lr=RATE, momentum=0.9, weight_decay=1e-4
    )
    task = torch.compile(model) if settings.compiled else model
    criterion = torch.nn.CrossEntropyLoss().to(device)
    loader = _loader(timm, model, dataset, settings)
    marks: list[tuple[float, int]] = [(time.monotonic(), 0)]
    for pictures, labels in loader:
        with settings.autocast():
            logits = task(pictures.contiguous(memory_format=torch.channels_last))
            loss = criterion(logits, labels)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        # Nobody waits for the GPU in between, so it lags behind by a step or two.
        if len(marks) in (settings.skipped, len(loader)):
            float(loss.detach())
        marks.append((time.monotonic(), len(pictures)))
    return marks


def _loader(timm: Any, model: Any, dataset: Any, settings: Training) -> Any:
    found = timm.data.resolve_data_config({"img_size": SIDE}, model=model)
    device = torch.device(settings.device)
    return timm.data.create_loader(
        dataset,
        input_size=found["input_size"],
        batch_size=settings.batch_size,
        is_training=True,
        use_prefetcher=True,
        re_prob=0.0,
        scale=(0.08, 1.0),
        ratio=(3 / 4, 4 / 3),
        hflip=0.5,
        color_jitter=0.0,
        auto_augment=None,
        interpolation="bicubic",
        mean=found["mean"],
        std=found["std"],
        num_workers=settings.workers,
        pin_memory=device.type == "cuda",
        device=device,
    )


def main() -> None:
    """Train and print."""
    (images,), settings = read_words(("images",), Training())
    marks = train(images, settings)
    print(json.dumps({"passes": [{"text": "epoch", "marks": marks}]}))


if __name__ == "__main__":
    main()

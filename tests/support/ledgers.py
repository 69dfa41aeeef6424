"""Ledgers written by hand, as a measurement of ImageNet or of a few pictures writes them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tests.support.golden import ROOT

LABELS = np.load(ROOT / "resnext" / "images" / "imagenet_val_labels.npy").tolist()
ZEROS = "0" * 64
# The protocol of the release: https://github.com/facebookresearch/ResNeXt
IMAGENET_RUN = {
    "network": "resnext_50_32x4d",
    "weights_sha256": "ab" * 32,
    "preprocessing": {
        "scale": 256,
        "crop": 224,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "white": 1,
    },
    "pipeline": "torch7",
    "crops": 1,
    "precision": "fp32",
}
MADE = {
    "by": "resnext 0.1.0",
    "date": "2026-11-28",
    "classes": 1000,
    "class_names": "ILSVRC2012",
    "checkpoints": [{"file": "resnext_50_32x4d.t7", "sha256": "cd" * 32, "bytes": 200_631_353}],
}
Lines = list[dict[str, object]]


def imagenet_lines(wrong: int, *, images: int = 50_000, folder: str = "") -> Lines:
    """Return the lines of validation pictures, of which the first ones are decided wrongly.

    Args:
        wrong: so many have their class at the second place.
        images: so many of the set.
        folder: before their names.
    """
    return [
        {
            "batch": place // 128,
            "image": f"{folder}ILSVRC2012_val_{place + 1:08d}.JPEG",
            "label": label,
            "top5": [_five(label, second=place < wrong)],
            "confidence": [0.5],
        }
        for place, label in enumerate(LABELS[:images])
    ]


def _five(label: int, *, second: bool) -> list[int]:
    others = [(label + step) % 1000 for step in range(1, 5)]
    return [others[0], label, *others[1:]] if second else [label, *others]


def ledger_text(
    lines: Lines,
    *,
    runs: Sequence[Mapping[str, object]] = (IMAGENET_RUN,),
    made: Mapping[str, object] | None = MADE,
    images: int | None = 50_000,
    sealed: bool = True,
) -> bytes:
    """Return the bytes of a ledger.

    Args:
        lines: of the pictures.
        runs: as the first line describes them.
        made: by whom and from what; None leaves it out, as earlier versions did.
        images: of the whole set.
        sealed: with a checksum; False leaves the zeros of a run that has not ended.
    """
    head: dict[str, object] = {"ledger": "resnext ledger 1"}
    if made is not None:
        head["sha256"] = ZEROS
    head |= {"data": {"images": images, "sha256": "ef" * 32}, "settings": {}, "runs": [*runs]}
    if made is not None:
        head["made"] = made
    text = "".join(json.dumps(line) + "\n" for line in [head, *lines]).encode()
    digits = hashlib.sha256(text).hexdigest()
    return text.replace(ZEROS.encode(), digits.encode(), 1) if sealed else text


def write_ledger(path: Path, lines: Lines, **fields: object) -> Path:
    """Write a ledger, and return where."""
    path.write_bytes(ledger_text(lines, **fields))  # type: ignore[arg-type]
    return path

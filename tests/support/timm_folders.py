"""A small network in timm's folder, and pictures that it can be measured on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from convert.export.timm import write_timm
from resnext.checkpoint import Checkpoint, Origin, Provenance
from resnext.images.imagenet import NAMES, WNIDS
from resnext.layout import layout
from resnext.preprocessing import IMAGENET, Preprocessing
from resnext.spec import Spec

# Narrow enough to be quick, and one of timm's: only the stem has its fixed 64 channels.
NARROW = Spec(blocks=(1, 1, 1, 1), cardinality=2, base_width=2, planes=8, classes=6)
SMALL = replace(IMAGENET, scale=40, crop=32)
RESNEXT_50 = Spec(blocks=(3, 4, 6, 3), cardinality=32, base_width=4)


def small_checkpoint(seed: int = 0, preprocessing: Preprocessing = SMALL) -> Checkpoint:
    """Return a narrow network of random weights."""
    generator = np.random.default_rng(seed)
    tensors = {}
    for name, shape in layout(NARROW).tensors().items():
        values = generator.uniform(0.1, 0.5, shape)
        is_count = name.endswith("num_batches_tracked")
        tensors[name] = values.astype(np.int64 if is_count else np.float32)
    return Checkpoint(
        spec=NARROW,
        tensors=tensors,
        preprocessing=preprocessing,
        origin=Origin.GIVEN,
        provenance=Provenance(
            source_file="some.t7",
            source_sha256="5a" * 32,
            source_bytes=7,
            converted_by="resnext 0.1.0",
            licence="CC BY-NC 4.0",
        ),
    )


def published_checkpoint(name: str, **provenance: object) -> Checkpoint:
    """Return a published ResNeXt-50 with zeros for weights."""
    tensors = {
        each: np.zeros(shape, np.int64 if each.endswith("tracked") else np.float32)
        for each, shape in layout(RESNEXT_50).tensors().items()
    }
    small = small_checkpoint()
    facts = {"published_name": name, "source_file": f"{name}.t7", **provenance}
    return replace(
        small,
        spec=RESNEXT_50,
        tensors=tensors,
        preprocessing=IMAGENET,
        origin=Origin.PUBLISHED,
        provenance=replace(small.provenance, **facts),  # type: ignore[arg-type]
        classes=NAMES,
        wnids=WNIDS,
    )


def timm_folder(path: Path, seed: int = 0) -> Path:
    """Write the folder of a narrow network, and return it."""
    write_timm(small_checkpoint(seed), path)
    return path


def pictures(folder: Path, *, classes: int = 6, each: int = 2) -> Path:
    """Write pictures of noise into class folders, and return the folder above them."""
    generator = np.random.default_rng(7)
    for label in range(classes):
        (folder / f"class{label}").mkdir(parents=True)
        for number in range(each):
            pixels = generator.integers(0, 255, (48, 60, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"class{label}" / f"{number}.png")
    return folder

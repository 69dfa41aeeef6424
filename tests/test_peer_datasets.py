"""The datasets of torchvision and timm feed Torch7's pixels with `resnext.Transform`."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import resnext
from benchmarks.networks import RESNEXT_50, write_random
from benchmarks.peers import import_timm, import_torchvision
from convert.export.formats import EXPORTERS
from resnext.preprocessing import IMAGENET
from tests.support.golden import DATA

pytestmark = [
    pytest.mark.peers,
    # timm opens a picture and does not close it.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.skipif(
        find_spec("timm") is None or find_spec("torchvision") is None,
        reason="timm and torchvision are not installed",
    ),
]

IMAGES = DATA / "images"
EXPECTED = json.loads((IMAGES / "expected.json").read_text(encoding="utf-8"))
TEN = "ten_crop_sha256_float32_nchw"


def read(path: str) -> bytes:
    return Path(path).read_bytes()


def image_folder(root: Path, transform: resnext.Transform, **options: Any) -> Any:
    return import_torchvision("torchvision.datasets").ImageFolder(
        root, transform=transform, **options
    )


def timm_dataset(root: Path, transform: resnext.Transform, **options: Any) -> Any:
    timm = import_timm()
    return timm.data.create_dataset("", root, transform=transform, **options)


DATASETS = {
    "torchvision": (image_folder, {}),
    "torchvision, bytes": (image_folder, {"loader": read}),
    "timm": (timm_dataset, {}),
    "timm, bytes": (timm_dataset, {"load_bytes": True}),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of two classes with the pictures that Torch7 was asked about."""
    for position, name in enumerate(sorted(EXPECTED)):
        place = tmp_path / "val" / f"class{position * 2 // len(EXPECTED)}"
        place.mkdir(parents=True, exist_ok=True)
        (place / name).symlink_to(IMAGES / name)
    return tmp_path / "val"


def checksums(batches: Iterable[Any]) -> list[str]:
    return [
        hashlib.sha256(each.numpy().tobytes()).hexdigest()
        for inputs, _ in batches
        for each in inputs
    ]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("name", DATASETS)
def test_dataset_feeds_torch7s_pixels(folder: Path, name: str, workers: int) -> None:
    make, options = DATASETS[name]
    dataset = make(folder, resnext.Transform(IMAGENET), **options)
    loader = torch.utils.data.DataLoader(dataset, batch_size=5, num_workers=workers)
    expected = [EXPECTED[name]["sha256_float32_chw"] for name in sorted(EXPECTED)]
    assert checksums(loader) == expected


@pytest.mark.parametrize("name", DATASETS)
def test_dataset_feeds_torch7s_ten_crops(folder: Path, name: str) -> None:
    make, options = DATASETS[name]
    dataset = make(folder, resnext.Transform(IMAGENET, crops=10), **options)
    found = checksums(torch.utils.data.DataLoader(dataset, batch_size=4, num_workers=2))
    expected = [EXPECTED[name].get(TEN) for name in sorted(EXPECTED)]
    assert [a for a, b in zip(found, expected, strict=True) if b] == [b for b in expected if b]


@pytest.mark.parametrize("name", DATASETS)
def test_cmyk_picture_needs_the_bytes(tmp_path: Path, name: str) -> None:
    """Pillow's conversion to RGB mixes black in, which Torch7 left out."""
    (tmp_path / "some").mkdir()
    inks = np.full((300, 300, 4), (10, 60, 110, 100), np.uint8)
    Image.fromarray(inks, "CMYK").save(tmp_path / "some" / "inks.jpg", quality=95)
    make, options = DATASETS[name]
    row = replace(IMAGENET, mean=(0, 0, 0), std=(1, 1, 1), white=255)
    picture, _ = make(tmp_path, resnext.Transform(row), **options)[0]
    exact = np.abs(picture[:, 0, 0].numpy() - (245, 195, 145)).max() < 3
    assert exact == name.endswith("bytes")


def test_what_timm_resolves_is_what_the_pages_say(tmp_path: Path) -> None:
    timm = import_timm()
    path = tmp_path / "resnext_50_32x4d.safetensors"
    write_random(path, RESNEXT_50)
    target = EXPORTERS["timm"].target(path)
    EXPORTERS["timm"].write(replace(resnext.Checkpoint.load(path), preprocessing=IMAGENET), target)

    names = {"crop_pct", "interpolation", "mean", "std", "input_size", "crop_mode"}
    resolved = [
        {name: value for name, value in found.items() if name in names}
        for found in (
            timm.data.resolve_model_data_config(timm.create_model(name, **options))
            for name, options in (
                (f"local-dir:{target}", {"pretrained": True}),
                ("resnext50_32x4d", {"checkpoint_path": path}),
            )
        )
    ]
    common = {"interpolation": "bicubic", "crop_mode": "center"}
    assert [each["crop_pct"] for each in resolved] == [0.875, 0.95]
    assert all(each.items() >= common.items() for each in resolved)
    assert all(tuple(each["input_size"]) == (3, 224, 224) for each in resolved)
    assert all(tuple(each["mean"]) == (0.485, 0.456, 0.406) for each in resolved)
    assert all(tuple(each["std"]) == (0.229, 0.224, 0.225) for each in resolved)

    resize, *_ = timm.data.create_transform(**resolved[0]).transforms
    assert (resize.size, resize.antialias) == (256, True)


def test_features_and_head_are_timms(tmp_path: Path) -> None:
    timm = import_timm()
    path = tmp_path / "resnext_50_32x4d.safetensors"
    write_random(path, RESNEXT_50)
    theirs = timm.create_model("resnext50_32x4d", checkpoint_path=path).eval()
    ours = resnext.Checkpoint.load(path).build()
    pictures = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        maps = [network.forward_features(pictures) for network in (theirs, ours)]
        pooled, own = (
            network.forward_head(features, pre_logits=True)
            for network, features in zip((theirs, ours), maps, strict=True)
        )
    assert (ours.num_features, ours.num_classes) == (theirs.num_features, theirs.num_classes)
    assert maps[1].shape == maps[0].shape == (2, 2048, 2, 2)
    for one, two in ((maps[0], maps[1]), (pooled, own)):
        assert torch.allclose(one, two, rtol=0, atol=1e-5 * float(one.abs().max()))

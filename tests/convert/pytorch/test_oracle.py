"""State dicts that this project wrote, run by their names: what Torch7 and Caffe answered."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import convert
from convert.export.pth import write_pth
from convert.loading import open_source
from convert.proof import prove
from convert.pytorch.archive import FileKind
from convert.pytorch.source import PyTorchSource
from resnext.model import ResNeXt
from resnext.spec import Block, Norm, Shortcut, Spec, Stem
from tests.support.golden import DATA, Golden
from tests.support.torch_nets import randomised

CAFFE = DATA / "peers" / "caffe"
PREACT = Spec(blocks=(1, 2, 1, 1), norm=Norm.PRE, planes=8, base_width=8, stem_width=8, classes=7)
BASIC = replace(PREACT, block=Block.BASIC, shortcut=Shortcut.A)


@pytest.mark.parametrize(
    "name",
    [
        "cifar_c_shortcut_c",
        "cifar_basic_a",
        "imagenet_basic18",
        "imagenet_bn_after_add50",
        "preact_cifar20",
    ],
)
def test_exported_network_answers_what_torch7_answered(
    golden: Callable[[str], Golden], tmp_path: Path, name: str
) -> None:
    model = golden(name)
    write_pth(convert.load(model.path), tmp_path / "x.pth")
    source = PyTorchSource(tmp_path / "x.pth", FileKind.ZIP)
    assert model.input is not None
    assert model.output is not None
    with torch.inference_mode():
        found = source.run(torch.from_numpy(model.input)).numpy()
    np.testing.assert_allclose(found, model.output, rtol=0, atol=2e-5)


def test_exported_network_of_caffes_answers_what_caffe_answered(tmp_path: Path) -> None:
    checkpoint = convert.load(CAFFE / "caffe_small.caffemodel")
    write_pth(checkpoint, tmp_path / "x.pth")
    with np.load(CAFFE / "caffe_small.io.npz") as answers:
        picture, logits = answers["input"], answers["logits"]
    assert checkpoint.preprocessing is not None
    mean, std = (
        torch.tensor(row, dtype=torch.float64)[:, None, None]
        for row in (checkpoint.preprocessing.mean, checkpoint.preprocessing.std)
    )
    inputs = (torch.from_numpy(picture).double().flip(1) - mean) / std
    with torch.inference_mode():
        found = PyTorchSource(tmp_path / "x.pth", FileKind.ZIP).run(inputs).numpy()
    np.testing.assert_allclose(found, logits, rtol=0, atol=1e-5 * np.abs(logits).max())


@pytest.mark.parametrize(
    "spec",
    [
        PREACT,
        replace(PREACT, norm=Norm.PRE_BRANCH),
        replace(PREACT, shortcut=Shortcut.C),
        replace(BASIC, norm=Norm.PRE_BRANCH),
        replace(BASIC, stem=Stem.CIFAR, blocks=(1, 2, 1)),
        replace(BASIC, norm=Norm.AFTER_ADD, stem_width=4),
    ],
)
def test_every_kind_of_network_is_proven_from_its_state_dict(tmp_path: Path, spec: Spec) -> None:
    network = randomised(ResNeXt(spec))
    example = convert.load(CAFFE / "caffe_small.caffemodel")
    tensors = {name: each.numpy() for name, each in network.state_dict().items()}
    write_pth(replace(example, spec=spec, tensors=tensors), tmp_path / "x.pth")
    proof = prove(open_source(tmp_path / "x.pth").run, convert.load(tmp_path / "x.pth"))
    assert proof.difference < 1e-12

"""A pair of Caffe's files: what it answers, and what is said where one of both is missing."""

import json
import shutil
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import torch

import convert
from convert.caffe.source import CaffeSource
from convert.loading import open_source
from convert.proof import prove
from convert.source.errors import MissingPartError
from resnext.checkpoint import Checkpoint
from tests.support import warm
from tests.support.caffe_writer import save
from tests.support.golden import DATA, ROOT
from tests.support.graph_nets import resnext

PEERS = DATA / "peers" / "caffe"
NAMES = ("caffe_small", "caffe_50")


@pytest.mark.parametrize("name", NAMES)
def test_golden_network_answers_as_opencv_did(name: str) -> None:
    """The golden pictures are blue, green, red; ours red, green, blue."""
    data = np.load(PEERS / f"{name}.io.npz")
    checkpoint = convert.load(PEERS / f"{name}.caffemodel")
    row = checkpoint.preprocessing
    assert row is not None
    mean, std = (np.array(each, np.float32)[:, None, None] for each in (row.mean, row.std))
    prepared = (data["input"][:, ::-1].astype(np.float32) - mean) / std
    with torch.inference_mode():
        found = checkpoint.build()(torch.from_numpy(prepared)).numpy()
    assert np.abs(found - data["logits"]).max() <= 1e-5 * np.abs(data["logits"]).max()


@pytest.mark.parametrize("name", NAMES)
def test_golden_layers_run_as_opencv_did(name: str) -> None:
    data = np.load(PEERS / f"{name}.io.npz")
    source = CaffeSource(PEERS / f"{name}.caffemodel")
    row, _ = source.network().preprocessing or (None, None)
    assert row is not None
    mean, std = (torch.tensor(each).double()[:, None, None] for each in (row.mean, row.std))
    pictures = torch.from_numpy(data["input"][:, ::-1].copy()).double()
    with torch.inference_mode():
        found = source.run((pictures - mean) / std).numpy()
    assert np.abs(found - data["logits"]).max() <= 1e-5 * np.abs(data["logits"]).max()


@pytest.mark.parametrize("form", ["packed", "loose", "old", "double"])
def test_network_of_every_form_is_proven(form: str, tmp_path: Path) -> None:
    path = save(resnext(pool_pad=0), tmp_path, form=form, factor=999.98)
    assert prove(open_source(path).run, convert.load(path)).difference < 1e-6


def test_window_of_the_last_pool_is_proven_at_the_side_of_the_text(tmp_path: Path) -> None:
    """A map of 2x2 cells: 64 pixels, halved five times."""
    path = save(resnext(pool_pad=0), tmp_path)
    text = path.with_suffix(".prototxt")
    text.write_text(text.read_text().replace("global_pooling: true", "kernel_size: 2"))
    source = open_source(path)
    assert source.side == 64
    assert prove(source.run, convert.load(path), side=source.side).difference < 1e-6


def test_input_is_blue_green_red(tmp_path: Path) -> None:
    net = resnext(pool_pad=0)
    net.op("bn_data").arrays |= {
        "gamma": np.array([2, -1, 0.5], np.float32),
        "beta": np.array([0, 0.5, -0.25], np.float32),
        "mean": np.array([100, 110, 120], np.float32),
        "variance": np.array([2500, 3600, 4900], np.float32),
    }
    path = save(net, tmp_path)
    checkpoint = convert.load(path)
    row = checkpoint.preprocessing
    assert row is not None
    # Blue is the file's first channel and our last: (x - 100) / 50 * 2; green is mirrored.
    assert row.mean == pytest.approx((120 + 0.25 * 140, 110 + 0.5 * 60, 100), abs=1e-4)
    assert row.std == pytest.approx((140, 60, 25), abs=1e-4)
    weight = net.op("conv0").arrays["weight"]
    signs = np.array([1, -1, 1], np.float32)[:, None, None]
    np.testing.assert_array_equal(checkpoint.tensors["conv1.weight"], weight[:, ::-1] * signs)
    assert prove(open_source(path).run, checkpoint).difference < 1e-6


def test_channel_of_the_input_that_does_not_count_is_refused(tmp_path: Path) -> None:
    net = resnext(pool_pad=0)
    net.op("bn_data").arrays["gamma"][1] = 0
    with pytest.raises(convert.ConvertError, match=r"layer 'bn_data': channels of the input that"):
        convert.load(save(net, tmp_path))


def run(*words: str | Path) -> CompletedProcess[str]:
    return warm.run("convert.cli", words, cwd=ROOT)


def test_conversion_says_that_the_pool_is_another(tmp_path: Path) -> None:
    result = run(save(resnext(pool_pad=0), tmp_path))
    assert result.returncode == 0
    assert "note: its max-pool has no padding and rounds sizes up" in result.stdout
    found = Checkpoint.load(tmp_path / "net.safetensors")
    assert found.spec.to_fields()["stem_pool"] == "ceil"
    assert found.provenance.graph_file == "net.prototxt"
    refused = run("--to", "timm", tmp_path / "net.safetensors")
    assert refused.returncode == 2
    assert "a max-pool with padding expected, found stem_pool ceil" in refused.stderr


def test_info_describes_blobs_and_layers(tmp_path: Path) -> None:
    result = run("--info", "--json", "--modules", save(resnext(), tmp_path))
    [found] = json.loads(result.stdout)["results"]
    assert found["format"] == "Caffe"
    assert found["beside"] == [{"name": "name", "value": "net"}]
    assert found["modules"][3]["class"] == "Convolution"
    assert found["modules"][3]["settings"]["kernel_size"] == "7"
    assert (
        "21 BatchNorm, 21 Scale, 20 Convolution"
        in run("--info", tmp_path / "net.caffemodel").stdout
    )


def test_info_of_another_network_says_why_it_is_refused(tmp_path: Path) -> None:
    path = save(resnext(), tmp_path)
    text = tmp_path / "net.prototxt"
    text.write_text(text.read_text().replace("ReLU", "Sigmoid"))
    result = run("--info", path)
    assert (result.returncode, result.stderr) == (0, "")
    last = result.stdout.splitlines()[-1]
    assert last.startswith("not convertible: net.prototxt, line ")
    assert "(Sigmoid) (and 15 more): no layer of the ResNeXt and ResNet family" in last


def test_text_for_training_asks_for_the_one_for_prediction(tmp_path: Path) -> None:
    path = save(resnext(), tmp_path)
    text = tmp_path / "net.prototxt"
    loss = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }'
    text.write_text(f"{text.read_text()}\n{loss}\n")
    result = run(path)
    assert (result.returncode, result.stdout) == (2, "")
    assert "layer 'loss' (SoftmaxWithLoss)" in result.stderr
    assert "a text for training; give the one for prediction (deploy)" in result.stderr


@pytest.mark.parametrize("words", [(), ("--info",)], ids=["convert", "info"])
def test_blobs_without_their_text_ask_for_it(words: tuple[str, ...], tmp_path: Path) -> None:
    shutil.copy(PEERS / "caffe_small.caffemodel", tmp_path / "x.caffemodel")
    result = run(*words, tmp_path / "x.caffemodel")
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert "its text (deploy.prototxt) is expected beside them, as x.prototxt, found none" in line
    assert [path.name for path in tmp_path.iterdir()] == ["x.caffemodel"]


@pytest.mark.parametrize("start", ["", "# made by hand\n\n", "input: 'x'\n"], ids=range(3))
def test_text_is_answered_with_the_blobs_to_give(start: str, tmp_path: Path) -> None:
    path = save(resnext(), tmp_path)
    text = tmp_path / "net.prototxt"
    text.write_text(start + text.read_text())
    with pytest.raises(MissingPartError, match=r"which finds the text: net\.caffemodel$"):
        open_source(text)
    path.unlink()
    with pytest.raises(
        MissingPartError, match=r"net\.caffemodel is expected beside it, found none"
    ):
        open_source(text)


@pytest.mark.parametrize("half", ["net.caffemodel", "net.prototxt"])
@pytest.mark.parametrize("cut", [1000, -90], ids=str)
def test_half_that_is_cut_short_is_one_line(half: str, cut: int, tmp_path: Path) -> None:
    path = save(resnext(), tmp_path)
    (tmp_path / half).write_bytes((tmp_path / half).read_bytes()[:cut])
    result = run(path)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == ["net.caffemodel", "net.prototxt"]

"""A pair of MXNet's files: what it answers, and what is said where one of both is missing."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import torch

import convert
from convert.errors import ProofError
from convert.loading import open_source
from convert.mxnet.source import MxnetSource
from convert.proof import prove
from convert.source.errors import MissingPartError
from resnext.checkpoint import Checkpoint
from resnext.preprocessing import IMAGENET, Pipeline
from resnext.published import Row
from tests.support import warm
from tests.support.golden import DATA, ROOT
from tests.support.graph_nets import resnext
from tests.support.mxnet_writer import FORMS, save

PEERS = DATA / "peers" / "mxnet"
NAMES = ("mx095_small", "mx191_small", "mx095_50", "mx191_50")


def answers(checkpoint: Checkpoint, pictures: np.ndarray) -> np.ndarray:
    """Return the logits of pictures (N, 3, H, W) uint8, red, green, blue."""
    row = checkpoint.preprocessing
    assert row is not None
    mean, std = (np.array(each, np.float32)[:, None, None] for each in (row.mean, row.std))
    prepared = (pictures.astype(np.float32) - mean) / std
    with torch.inference_mode():
        return checkpoint.build()(torch.from_numpy(prepared)).numpy()


@pytest.mark.parametrize("name", NAMES)
def test_golden_network_answers_as_mxnet_did(name: str) -> None:
    data = np.load(PEERS / f"{name}.io.npz")
    found = answers(convert.load(PEERS / f"{name}-0000.params"), data["input"])
    assert np.abs(found - data["logits"]).max() <= 1e-5 * np.abs(data["logits"]).max()


@pytest.mark.parametrize("name", NAMES)
def test_golden_graph_runs_as_mxnet_did(name: str) -> None:
    data = np.load(PEERS / f"{name}.io.npz")
    source = MxnetSource(PEERS / f"{name}-0000.params")
    row, _ = source.network().preprocessing or (None, None)
    assert row is not None
    mean, std = (torch.tensor(each).double()[:, None, None] for each in (row.mean, row.std))
    with torch.inference_mode():
        found = source.run((torch.from_numpy(data["input"]).double() - mean) / std)
    assert np.abs(found.numpy() - data["logits"]).max() <= 1e-5 * np.abs(data["logits"]).max()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("key", ["attrs", "attr", "param"])
def test_network_of_every_version_is_proven(form: str, key: str, tmp_path: Path) -> None:
    path = save(resnext(), tmp_path, form=form, key=key)
    assert prove(open_source(path).run, convert.load(path)).difference < 1e-6


def test_input_batch_norm_is_mean_and_std(tmp_path: Path) -> None:
    net = resnext()
    net.op("bn_data").arrays |= {
        "gamma": np.array([9, 9, 9], np.float32),  # fixed to 1, whatever is stored
        "beta": np.array([0.0, 0.5, -0.25], np.float32),
        "mean": np.array([100, 110, 120], np.float32),
        "variance": np.array([2500, 3600, 4900], np.float32),
    }
    checkpoint = convert.load(save(net, tmp_path))
    row = checkpoint.preprocessing
    assert row is not None
    assert row.mean == pytest.approx((100, 110 - 30, 120 + 17.5), abs=1e-5)
    assert row.std == pytest.approx((50, 60, 70), abs=1e-5)
    assert (row.scale, row.crop, row.white, row.pipeline) == (256, 224, 255, "opencv")
    assert checkpoint.origin == "mean and std as in the file's graph, scale and crop as usual"
    weight = checkpoint.tensors["conv1.weight"]
    np.testing.assert_array_equal(weight, net.op("conv0").arrays["weight"])


def test_network_without_batch_norm_of_its_input_has_no_preprocessing(tmp_path: Path) -> None:
    checkpoint = convert.load(save(resnext(input_norm=False), tmp_path))
    assert (checkpoint.preprocessing, checkpoint.origin) == (None, None)


def test_published_network_keeps_the_mean_of_its_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mean and std belong to the weights; scale and crop to the protocol of the row."""
    path = save(resnext(), tmp_path)
    own = convert.load(path).preprocessing
    assert own is not None
    protocol = replace(IMAGENET, scale=352, crop=320, pipeline=Pipeline.PIL, interpolation=None)
    row = Row(name="mxnet_net", preprocessing=protocol, licence="Apache-2.0")
    monkeypatch.setattr("convert.loading.published_row", lambda *_, **__: row)
    checkpoint = convert.load(path)
    assert checkpoint.preprocessing == replace(
        own, scale=352, crop=320, pipeline=Pipeline.PIL, interpolation=None
    )
    assert checkpoint.origin == "the published network's row"
    assert checkpoint.name == "mxnet_net"


def test_proof_fails_where_the_mean_is_another(tmp_path: Path) -> None:
    path = save(resnext(), tmp_path)
    source = MxnetSource(path)
    network = source.network()
    row, origin = network.preprocessing or (None, None)
    assert row is not None
    other = replace(row, mean=(120.0, *row.mean[1:]))
    source._network = replace(network, preprocessing=(other, origin))
    with pytest.raises(ProofError):
        prove(source.run, convert.load(path))


def test_checkpoint_states_the_graph_that_it_was_read_from(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    convert.load(PEERS / "mx191_small-0000.params").save(path)
    found = Checkpoint.load(path).provenance
    assert found.source_file == "mx191_small-0000.params"
    assert found.graph_file == "mx191_small-symbol.json"
    # sha256sum of the file
    assert found.graph_sha256 == "f5e8a4f02d6fc4257f9878ad5575f005e66292e66a03ea85d813632f8cb35055"
    assert found.conversions == (
        (
            "variance of a batch norm, whose eps is 2e-05 and not 1e-05, changed by 1e-05: the sum "
            "is the same (20 times)"
        ),
        "batch norm of the input became mean and std of the preprocessing",
    )


def run(*words: str | Path) -> CompletedProcess[str]:
    return warm.run("convert.cli", words, cwd=ROOT)


def test_info_describes_arrays_operators_and_epoch(tmp_path: Path) -> None:
    result = run("--info", "--json", "--modules", save(resnext(), tmp_path))
    [found] = json.loads(result.stdout)["results"]
    assert found["format"] == "MXNet, 2022 arrays"
    assert found["beside"][0] == {"name": "epoch", "value": 7}
    assert found["modules"][1]["class"] == "Convolution"
    assert found["modules"][1]["settings"]["kernel"] == "(7, 7)"
    lines = run("--info", tmp_path / "net-0007.params").stdout.splitlines()
    assert lines[0].endswith("bytes, MXNet, 2022 arrays")
    assert "modules: 21 BatchNorm, 20 Convolution, 16 Activation" in "\n".join(lines)


@pytest.mark.parametrize("words", [(), ("--info",)], ids=["convert", "info"])
def test_arrays_without_their_graph_ask_for_it(words: tuple[str, ...], tmp_path: Path) -> None:
    shutil.copy(PEERS / "mx191_small-0000.params", tmp_path / "x-0003.params")
    result = run(*words, tmp_path / "x-0003.params")
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert "x-0003.params: the arrays of an MXNet network; its graph is expected beside" in line
    assert "in x-symbol.json, found none" in line
    assert [path.name for path in tmp_path.iterdir()] == ["x-0003.params"]


def test_arrays_of_any_name_take_the_graph_of_their_stem(tmp_path: Path) -> None:
    save(resnext(), tmp_path)
    (tmp_path / "net-0007.params").rename(tmp_path / "other")
    (tmp_path / "net-symbol.json").rename(tmp_path / "other-symbol.json")
    assert convert.load(tmp_path / "other").spec.classes == 3


def test_graph_is_answered_with_the_arrays_to_give(tmp_path: Path) -> None:
    path = save(resnext(), tmp_path)
    with pytest.raises(
        MissingPartError, match=r"give the file of its arrays, .*: net-0007\.params"
    ):
        open_source(tmp_path / "net-symbol.json")
    path.unlink()
    with pytest.raises(MissingPartError, match=r"net-0000\.params or of another epoch is expected"):
        open_source(tmp_path / "net-symbol.json")


@pytest.mark.parametrize("cut", [100, -100], ids=str)
@pytest.mark.parametrize("half", ["net-0007.params", "net-symbol.json"])
def test_half_that_is_cut_short_is_one_line(half: str, cut: int, tmp_path: Path) -> None:
    path = save(resnext(), tmp_path)
    whole = (tmp_path / half).read_bytes()
    (tmp_path / half).write_bytes(whole[:cut])
    result = run(path)
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert "cut short" in line
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "net-0007.params",
        "net-symbol.json",
    ]


def test_place_of_a_network_is_refused(tmp_path: Path) -> None:
    result = run("--at", "model", save(resnext(), tmp_path))
    assert result.returncode == 2
    assert "found one of a single network; leave --at out" in result.stderr


def test_graph_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = save(resnext(), tmp_path)
    with (tmp_path / "net-symbol.json").open("r+b") as file:
        file.truncate(5 << 20)
    result = run(path)
    assert result.returncode == 2
    assert "a text of at most 4194304 bytes expected, found more" in result.stderr

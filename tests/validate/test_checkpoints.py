"""Which files the names on a command line mean."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import convert
from resnext.download import no_bar
from resnext.errors import CheckpointError
from resnext.published import read_table
from tests.support import caffe_writer, mxnet_writer
from tests.support.golden import ROOT
from tests.support.graph_nets import resnext
from tests.support.hub_server import Hub
from validate.checkpoints import find
from validate.networks import load_networks
from validate.options import MeasurementConfig

ORIGINAL = ROOT / "examples" / "digits" / "resnext_11_8x4d_digits.t7"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of an original and its conversion."""
    shutil.copy(ORIGINAL, tmp_path / "x.t7")
    convert.load(tmp_path / "x.t7").save(tmp_path / "x.safetensors")
    return tmp_path


def test_original_beside_its_conversion_is_left_out(folder: Path) -> None:
    assert find([str(folder)]) == (str(folder / "x.safetensors"),)


def test_original_beside_a_network_trained_from_it_is_another(folder: Path) -> None:
    checkpoint = convert.load(folder / "x.t7")
    replace(checkpoint, training={"epochs": 1}).save(folder / "x.safetensors")
    assert find([str(folder)]) == (str(folder / "x.safetensors"), str(folder / "x.t7"))


def test_conversion_of_another_original_than_lies_beside_it_is_refused(folder: Path) -> None:
    data = bytearray((folder / "x.t7").read_bytes())
    data[-100] ^= 1
    (folder / "x.t7").write_bytes(data)  # of one architecture all have one size
    os.utime(folder / "x.t7", (0, 0))
    with pytest.raises(CheckpointError, match=r"x\.safetensors: converted from x\.t7 expected"):
        find([str(folder)])
    (folder / "x.t7").write_bytes(data[:-1])
    with pytest.raises(CheckpointError, match="convert it again, or name the one to validate"):
        find([str(folder)])
    assert find([str(folder / "x.t7")]) == (str(folder / "x.t7"),)


def test_originals_of_mxnet_and_caffe_are_checkpoints_of_their_folder(tmp_path: Path) -> None:
    mxnet_writer.save(resnext(), tmp_path)
    caffe_writer.save(resnext(), tmp_path)
    params, caffemodel = tmp_path / "net-0007.params", tmp_path / "net.caffemodel"
    assert find([str(tmp_path)]) == (str(params), str(caffemodel))
    convert.load(params).save(tmp_path / "net-0007.safetensors")
    assert find([str(tmp_path)]) == (str(params.with_suffix(".safetensors")), str(caffemodel))


def test_state_of_a_training_is_no_checkpoint_of_its_folder(folder: Path) -> None:
    (folder / "x.t7").unlink()
    state = folder / "state.safetensors"
    save_file({"a": np.zeros(1)}, state, {"form": "resnext-train state 1"})
    assert find([str(folder)]) == (str(folder / "x.safetensors"),)
    assert find([str(state)]) == (str(state),)  # which is refused once it is loaded
    for other in ({}, {"form": "something else"}):
        save_file({"a": np.zeros(1)}, state, other)
        assert find([str(folder)]) == (str(state), str(folder / "x.safetensors"))
    state.write_bytes(b"damaged")
    assert find([str(folder)]) == (str(state), str(folder / "x.safetensors"))


def test_file_that_is_named_twice_is_measured_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    link = Path("link.t7")
    link.symlink_to("x.t7")  # which is judged by its own name
    names = ["x.t7", "./x.t7", str(folder / "x.t7"), str(link)]
    assert find(names) == ("x.t7", "link.t7")


def test_checkpoint_of_the_hub_is_named_by_its_commit_and_judged_by_its_file(
    hub: Hub, tmp_path: Path
) -> None:
    digits = ROOT / "examples" / "digits"
    name = "resnext_11_8x4d_digits"
    commit = hub.add("me/net", {f"{name}.t7": (digits / f"{name}.t7").read_bytes()})
    config = MeasurementConfig(data="val", checkpoints=("hf://me/net",), cache=tmp_path)
    (network,) = load_networks(config, read_table(digits / "claims.toml"), bar=no_bar)
    assert network.file == f"hf://me/net@{commit}/{name}.t7"
    assert (network.protocol.name, len(network.protocol.claims) > 0) == (name, True)

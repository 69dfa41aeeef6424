"""Conversions of PyTorch's files by the command: --as, --at, folders, and what is written."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import convert
from convert.cli import main
from resnext.checkpoint import Checkpoint, Origin
from resnext.preprocessing import CIFAR10, Preprocessing
from resnext.published import Row
from resnext.spec import Spec, StemPool
from tests.support.golden import DATA
from tests.support.torch_nets import TorchvisionNet, randomised

SPEC = Spec(blocks=(1, 2, 1, 1), cardinality=2, base_width=3, planes=8, stem_width=8, classes=7)
ROW = Row(
    name="resnext_17_2x3d",
    spec=SPEC,
    preprocessing=Preprocessing(scale=70, crop=64, mean=(0.1, 0.2, 0.3), std=(1, 1, 1)),
    licence="CC0",
)
OTHER = Row(name="resnext_17_other", spec=Spec(blocks=(1, 2, 1, 1), classes=7))
POOLED = Row(name="resnext_17_pooled", spec=replace(SPEC, stem_pool=StemPool.CEIL))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder, with a table of three published networks."""
    for module in ("convert.location", "resnext.published", "resnext.header"):
        monkeypatch.setattr(f"{module}.published", lambda: (ROW, OTHER, POOLED))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    out, err = capsys.readouterr()
    return int(str(stop.value.code)), out, err


def state(path: Path, value: Any = None) -> Path:
    torch.save(value or randomised(TorchvisionNet()).state_dict(), path)
    return path


def test_stated_name_is_recorded_as_stated(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state(folder / "x.pth")
    code, out, _ = run(capsys, "x.pth", "--as", "resnext_17_2x3d")
    assert code == 0
    assert "as stated with --as, not as the file shows: resnext_17_2x3d" in out
    checkpoint = Checkpoint.load("x.safetensors")
    source = checkpoint.provenance
    assert (source.published_name, source.stated) == ("resnext_17_2x3d", True)
    assert (source.licence, checkpoint.preprocessing) == ("CC0", ROW.preprocessing)
    assert checkpoint.origin is Origin.PUBLISHED
    code, out, _ = run(capsys, "x.safetensors", "--info")
    assert "network: resnext_17_2x3d, as stated at the conversion" in out
    code, out, _ = run(capsys, "x.safetensors", "--info", "--json")
    assert json.loads(out)["results"][0]["stated"] is True


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("later", [False, True], ids=["at once", "of the converted file"])
def test_mean_and_std_of_a_graph_stay_where_a_name_is_stated(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    later: bool,
) -> None:
    source = str(DATA / "peers" / "mxnet" / "mx191_small-0000.params")
    row = replace(ROW, spec=convert.load(source).spec)
    for module in ("convert.location", "resnext.published", "resnext.header"):
        monkeypatch.setattr(f"{module}.published", lambda: (row,))
    if later:
        assert run(capsys, source, "-o", "y.safetensors")[0] == 0
        source = "y.safetensors"
    assert run(capsys, source, "--as", row.name, "-o", "x.safetensors")[0] == 0
    checkpoint = Checkpoint.load("x.safetensors")
    assert checkpoint.provenance.stated
    found = checkpoint.preprocessing
    assert found is not None
    # gamma 1 and eps 2e-5: the std of the batch norm's variance, as MXNet wrote it
    assert found.std == pytest.approx((58.5, 57.1, 57.6), abs=1e-4)
    assert found.mean == pytest.approx((127.42142, 120.27103, 105.08734), abs=1e-4)
    assert (found.white, found.scale, found.crop) == (255, 70, 64)


def test_converted_file_can_be_stated_later_and_shown_names_are_not_stated(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state(folder / "x.pth")
    run(capsys, "x.pth")
    assert not Checkpoint.load("x.safetensors").provenance.stated
    code, _, _ = run(capsys, "x.safetensors", "--as", "resnext_17_2x3d", "-o", "y.safetensors")
    assert code == 0
    assert Checkpoint.load("y.safetensors").provenance.stated
    given = ("--preprocessing", "cifar10", "-o", "z.safetensors")
    assert run(capsys, "x.pth", "--as", "resnext_17_2x3d", *given)[0] == 0
    assert Checkpoint.load("z.safetensors").preprocessing == CIFAR10


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--as", "resnext_17_other"), "cardinality 2 in place of 1, base_width 3 in place of 64"),
        (("--as", "resnext_17_pooled"), "its architecture expected, found stem_pool padded in pl"),
        (("--as", "unknown"), "--as: the name of a published network expected, found 'unknown'"),
        (("--as", "resnext_17_2x3d", "x.pth"), "--as states what one file is"),
        (("--as", "resnext_17_2x3d", "--info"), "--as with --info, which writes nothing"),
    ],
    ids=["architecture", "pool", "unknown", "two sources", "info"],
)
def test_statement_that_cannot_hold_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], text: str
) -> None:
    state(folder / "x.pth")
    code, out, err = run(capsys, "x.pth", *arguments)
    assert (code, out) == (2, "")
    assert text in err
    assert [path.name for path in folder.iterdir()] == ["x.pth"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("source", "stated", "text"),
    [
        ("caffe_small", "padded", "found stem_pool ceil in place of padded"),
        ("mx191_small", "ceil", "found stem_pool padded in place of ceil"),
    ],
)
def test_network_with_another_pool_cannot_be_stated(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    stated: str,
    text: str,
) -> None:
    """The attribute at its default stands in no file, and is compared all the same."""
    name = {"caffe_small": "caffe/caffe_small.caffemodel"}.get(
        source, f"mxnet/{source}-0000.params"
    )
    path = str(DATA / "peers" / name)
    row = replace(ROW, spec=replace(convert.load(path).spec, stem_pool=StemPool(stated)))
    for module in ("convert.location", "resnext.published", "resnext.header"):
        monkeypatch.setattr(f"{module}.published", lambda: (row,))
    code, out, err = run(capsys, path, "--as", row.name, "-o", "x.safetensors")
    assert (code, out) == (2, "")
    assert err.endswith(f"--as {row.name}: its architecture expected, {text}\n")
    assert not Path("x.safetensors").exists()


@pytest.mark.parametrize("info", [(), ("--info",)], ids=["convert", "info"])
def test_place_without_a_network_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], info: tuple[str, ...]
) -> None:
    state(folder / "x.pth", {"state_dict": randomised(TorchvisionNet()).state_dict()})
    code, out, err = run(capsys, "x.pth", "--at", "model", *info)
    assert (code, out) == (2, "")
    assert err == (
        "resnext-convert: x.pth: one network at model expected, found 0; the places are "
        "state_dict\n"
    )


def test_info_describes_a_checkpoint_of_a_training(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    value = {"epoch": 5, "state_dict_ema": randomised(TorchvisionNet()).state_dict()}
    state(folder / "x.pth", value)
    code, out, err = run(capsys, "x.pth", "--info", "--modules")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].endswith(" bytes, PyTorch, zip, names of torchvision and timm")
    assert "conv1.weight float32 (8, 3, 7, 7)" in lines
    assert lines[lines.index("beside the network:") + 1] == "  epoch: 5"
    assert "place of the network: state_dict_ema" in lines
    assert "network: resnext_17_2x3d" in lines


def test_folder_of_the_hub_is_converted_beside_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "net.a1_in1k").mkdir()
    (folder / "net.a1_in1k" / "config.json").write_text('{"architecture": "resnext50_32x4d"}')
    network = randomised(TorchvisionNet())
    save_file(network.state_dict(), folder / "net.a1_in1k" / "model.safetensors")
    assert run(capsys, "net.a1_in1k")[0] == 0
    assert Checkpoint.load("net.a1_in1k.safetensors").name == "net.a1_in1k"


def test_safetensors_of_others_does_not_overwrite_itself(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_file(randomised(TorchvisionNet()).state_dict(), folder / "x.safetensors")
    code, _, err = run(capsys, "x.safetensors", "--force")
    assert code == 2
    assert err.endswith("x.safetensors is the source itself; --output names another file\n")
    assert not convert.is_converted(folder / "x.safetensors")
    assert run(capsys, "x.safetensors", "-o", "y.safetensors")[0] == 0


def test_own_state_dict_is_read_back_with_what_it_states(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state(folder / "x.pth")
    run(capsys, "x.pth", "--preprocessing", "cifar10")
    assert run(capsys, "x.safetensors", "--to", "pth", "-o", "y.pth")[0] == 0
    found = convert.load("y.pth")
    assert (found.preprocessing, found.origin) == (CIFAR10, Origin.FILE)
    assert found.digest() == convert.load("x.pth").digest()

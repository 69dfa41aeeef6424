"""A folder of the hub: its configuration states the preprocessing, and which network it is."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import convert
from convert.errors import SourceError
from convert.source.errors import ForeignModuleError, StructureError
from resnext.checkpoint import Origin
from resnext.preprocessing import IMAGENET, Preprocessing
from tests.support.torch_nets import TorchvisionNet, randomised

CONFIG: dict[str, Any] = {
    "architecture": "resnext50_32x4d",
    "num_classes": 7,
    "num_features": 256,
    "pretrained_cfg": {
        "tag": "a1h_in1k",
        "input_size": [3, 224, 224],
        "interpolation": "bilinear",
        "crop_pct": 0.95,
        "crop_mode": "center",
        "mean": [0.5, 0.4, 0.3],
        "std": [0.2, 0.3, 0.4],
    },
}


def folder(path: Path, config: object, *, weights: str = "model.safetensors") -> Path:
    path.mkdir()
    (path / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    state = randomised(TorchvisionNet()).state_dict()
    if weights.endswith(".bin"):
        torch.save(state, path / weights)
    else:
        save_file(state, path / weights, {"format": "pt"})
    return path


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_folder_is_read_with_its_preprocessing(tmp_path: Path, weights: str) -> None:
    path = folder(tmp_path / "resnext50_32x4d.mine", CONFIG, weights=weights)
    expected = Preprocessing(
        scale=235,
        crop=224,
        mean=(0.5, 0.4, 0.3),
        std=(0.2, 0.3, 0.4),
        pipeline="pil",  # type: ignore[arg-type]
        interpolation="bilinear",  # type: ignore[arg-type]
    )
    for place in (path, path / weights):
        checkpoint = convert.load(place)
        assert (checkpoint.preprocessing, checkpoint.origin) == (expected, Origin.FILE)
        assert checkpoint.provenance.source_file == f"resnext50_32x4d.mine/{weights}"
        assert checkpoint.name == "resnext50_32x4d.mine"
    found = convert.find(str(path))
    assert (found.path, found.output.stem) == (path / weights, "resnext50_32x4d.mine")


def test_names_of_the_classes_are_taken(tmp_path: Path) -> None:
    names = [f"class {number}" for number in range(7)]
    path = folder(tmp_path / "a", {**CONFIG, "label_names": names})
    assert convert.load(path).classes == tuple(names)
    short = folder(tmp_path / "b", {**CONFIG, "label_names": names[1:]})
    assert convert.load(short).classes is None


def test_folder_without_weights_is_told_which_are_missing(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    text = r"a folder with config\.json, but without model\.safetensors or pytorch_model\.bin$"
    with pytest.raises(SourceError, match=text):
        convert.load(tmp_path)


def test_configuration_of_a_network_with_other_classes_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "a", {**CONFIG, "num_classes": 1000})
    with pytest.raises(StructureError, match=r"num_classes 7 expected, .* found 1000: the conf"):
        convert.load(path)


def test_fields_at_the_root_are_taken_as_older_configurations_have_them(tmp_path: Path) -> None:
    config = {"architecture": "resnet50", **CONFIG["pretrained_cfg"]}
    found = convert.load(folder(tmp_path / "a", config)).preprocessing
    assert found is not None
    assert (found.scale, found.mean) == (235, (0.5, 0.4, 0.3))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"crop_mode": "squash"}, "crop_mode center expected, found 'squash'"),
        ({"interpolation": "lanczos"}, "lanczos"),
        ({"input_size": [3, 224, 256]}, "a square of three channels expected"),
        ({"crop_pct": "x"}, "crop_pct up to 1 expected"),
        ({"std": [0, 0, 0]}, "std"),
    ],
    ids=["squash", "lanczos", "oblong", "crop_pct", "std"],
)
def test_preprocessing_that_is_not_known_here_is_noted_and_not_taken(
    tmp_path: Path, change: dict[str, Any], text: str
) -> None:
    from convert.loading import open_source

    config = {**CONFIG, "pretrained_cfg": {**CONFIG["pretrained_cfg"], **change}}
    path = folder(tmp_path / "a", config) / "model.safetensors"
    note = open_source(path).note
    assert note is not None
    assert text in note
    checkpoint = convert.load(path)
    assert (checkpoint.preprocessing, checkpoint.origin) == (IMAGENET, Origin.ASSUMED)


@pytest.mark.parametrize(
    "architecture",
    ["resnet50d", "resnetaa50", "resnetblur50.bt_in1k", "seresnext50_32x4d", "resnet50_gn", "vit"],
)
def test_network_that_only_its_configuration_tells_from_a_plain_one_is_refused(
    tmp_path: Path, architecture: str
) -> None:
    path = folder(tmp_path / "a", {**CONFIG, "architecture": architecture})
    with pytest.raises(ForeignModuleError, match=f"architecture '{architecture}'"):
        convert.load(path)


@pytest.mark.parametrize(
    "architecture",
    ["resnet18", "wide_resnet50_2", "resnext101_32x8d.tv_in1k", "gluon_resnet50_v1b", "resnext50"],
)
def test_plain_networks_are_taken(tmp_path: Path, architecture: str) -> None:
    path = folder(tmp_path / "a", {**CONFIG, "architecture": architecture})
    assert convert.load(path).spec.classes == 7


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"model_args": {"aa_layer": "avg", "layers": [1]}}, "'aa_layer' of 'avg'"),
        ({"model_args": {"output_stride": 16}}, "'output_stride' of 16"),
        ({"global_pool": "max"}, "'global_pool' of 'max'"),
    ],
    ids=["anti-aliasing", "dilations", "pool"],
)
def test_argument_that_no_tensor_shows_is_refused(
    tmp_path: Path, change: dict[str, Any], text: str
) -> None:
    with pytest.raises(ForeignModuleError, match=text):
        convert.load(folder(tmp_path / "a", {**CONFIG, **change}))
    plain = {"output_stride": 32, "global_pool": "avg", "in_chans": 3, "act_layer": None}
    assert convert.load(folder(tmp_path / "b", {**CONFIG, "model_args": plain})).spec.classes == 7


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000], ids=["cut", "list", "deep"])
def test_damaged_configuration_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(StructureError, match=r"config\.json: a JSON object expected"):
        convert.load(folder(tmp_path / "a", text))

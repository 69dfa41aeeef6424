"""Exports: what Torch7 answered, other libraries' files answer; and none is ever half there."""

import io
import json
import math
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from safetensors import safe_open

from convert import load
from convert.export import onnx as export_onnx
from convert.export import pth as export_pth
from convert.export import timm as export_timm
from convert.export.errors import MissingExtraError, OnnxError, OutputError, TopologyError
from convert.export.formats import EXPORTERS
from convert.export.onnx import CHECKED_BATCHES, largest_difference, onnx_model
from convert.export.timm import (
    ARCHITECTURES,
    crop_fraction,
    timm_architecture,
    timm_config,
)
from resnext.checkpoint import Checkpoint, Provenance
from resnext.errors import PreprocessingError
from resnext.layout import layout
from resnext.model import ResNeXt
from resnext.preprocessing import IMAGENET, Pipeline, Preprocessing
from resnext.spec import Block, Norm, Shortcut, Spec, Stem, StemPool
from tests.support.golden import ROOT, Golden

GoldenNetwork = Callable[[str], Golden]

DIGITS = ROOT / "examples/digits"
ANSWERED = (
    "cifar_c",
    "cifar_basic_a",
    "imagenet_c50",
    "imagenet_basic18",
    "imagenet_bn_after_add50",
    "preact_cifar20",
)
# Narrow enough to be quick, and one of timm's: only the stem has its fixed 64 channels.
NARROW = Spec(blocks=(1, 1, 1, 1), cardinality=2, base_width=2, planes=8, classes=5)
RESNEXT_50 = Spec(blocks=(3, 4, 6, 3), cardinality=32, base_width=4)


def checkpoint_of(spec: Spec, preprocessing: Preprocessing | None = IMAGENET) -> Checkpoint:
    """Return a checkpoint with zeros for weights."""
    tensors = {
        name: np.zeros(shape, np.int64 if name.endswith("tracked") else np.float32)
        for name, shape in layout(spec).tensors().items()
    }
    return Checkpoint(
        spec=spec,
        tensors=tensors,
        preprocessing=preprocessing,
        origin=None,
        provenance=Provenance(
            source_file="some.t7",
            source_sha256="5a",
            source_bytes=7,
            converted_by="resnext 0",
            licence="CC BY-NC 4.0",
        ),
    )


def write(checkpoint: Checkpoint, path: Path, name: str) -> Path:
    EXPORTERS[name].write(checkpoint, path)
    return path


def trained_checkpoint() -> Checkpoint:
    """Return one as resnext-train writes it: with names of classes and facts of the training."""
    return replace(
        checkpoint_of(NARROW),
        classes=("ant", "bee", "cat", "dog", "elk"),
        training={"epoch": 3, "recipe": {"lr": 0.5}},
    )


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


# The table


def test_exporters_are_the_four_formats() -> None:
    rows = [(row.name, row.suffix, row.files, row.packages) for row in EXPORTERS.values()]

    assert rows == [
        ("safetensors", ".safetensors", (), ()),
        ("pth", ".pth", (), ()),
        ("timm", ".timm", ("config.json", "model.safetensors"), ()),
        ("onnx", ".onnx", (), ("onnx", "onnxruntime")),
    ]


@pytest.mark.parametrize(
    ("name", "folder", "expected"),
    [
        ("pth", None, Path("in/resnext_50.pth")),
        ("timm", None, Path("in/resnext_50.timm")),
        ("onnx", Path("out"), Path("out/resnext_50.onnx")),
    ],
)
def test_target_is_named_after_the_source(name: str, folder: Path | None, expected: Path) -> None:
    assert EXPORTERS[name].target(Path("in/resnext_50.t7"), folder) == expected


def test_room_existing_file_is_kept_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "some.pth"
    path.write_text("mine")

    with pytest.raises(OutputError, match=r"some\.pth exists; --force overwrites it"):
        EXPORTERS["pth"].require_room(path, replace=False)
    EXPORTERS["pth"].require_room(path, replace=True)
    assert path.read_text() == "mine"

    write(checkpoint_of(NARROW), path, "pth")
    assert torch.load(path, weights_only=True).keys() == layout(NARROW).tensors().keys()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pth", r"some is a folder, --to pth writes a file"),
        ("timm", r"some is a file, --to timm writes a folder"),
    ],
)
def test_room_other_kind_in_the_way_is_refused(tmp_path: Path, name: str, message: str) -> None:
    path = tmp_path / "some"
    path.write_text("mine") if name == "timm" else path.mkdir()

    with pytest.raises(OutputError, match=message):
        EXPORTERS[name].require_room(path, replace=True)


def test_package_missing_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)

    with pytest.raises(MissingExtraError, match="`pip install onnx onnxruntime`") as caught:
        EXPORTERS["onnx"].require()

    assert caught.value.packages == ("onnx", "onnxruntime")


# safetensors and pth


def test_safetensors_is_the_projects_own_checkpoint(tmp_path: Path) -> None:
    checkpoint = load(DIGITS / "resnext_11_8x4d_digits.t7")

    again = Checkpoint.load(write(checkpoint, tmp_path / "some.safetensors", "safetensors"))

    assert (again.spec, again.provenance) == (checkpoint.spec, checkpoint.provenance)


@pytest.mark.parametrize("name", ANSWERED)
def test_pth_answers_what_torch7_answered(golden: GoldenNetwork, tmp_path: Path, name: str) -> None:
    model = golden(name)
    checkpoint = load(model.path)

    state = torch.load(write(checkpoint, tmp_path / "some.pth", "pth"), weights_only=True)
    network = ResNeXt(checkpoint.spec).eval()
    network.load_state_dict(state, strict=True)
    with torch.inference_mode():
        found = network(torch.from_numpy(model.input)).numpy()

    np.testing.assert_allclose(found, model.output, rtol=0, atol=2e-5)


def test_pth_keeps_every_bit_and_type(golden: GoldenNetwork, tmp_path: Path) -> None:
    checkpoint = load(golden("double").path)

    state = torch.load(write(checkpoint, tmp_path / "some.pth", "pth"), weights_only=True)

    assert list(state) == list(checkpoint.tensors)
    assert state["conv1.weight"].dtype is torch.float64
    for name, array in checkpoint.tensors.items():
        assert state[name].numpy().tobytes() == array.tobytes()


def test_pth_carries_the_facts_beside_the_tensors(tmp_path: Path) -> None:
    checkpoint = load(DIGITS / "resnext_11_8x4d_digits.t7")

    state = torch.load(write(checkpoint, tmp_path / "some.pth", "pth"), weights_only=True)

    assert all(isinstance(value, torch.Tensor) for value in state.values())
    assert state.resnext["source_file"] == "resnext_11_8x4d_digits.t7"
    assert state.resnext["source_bytes"] == "7854661"
    assert json.loads(state.resnext["spec"])["cardinality"] == 8
    assert "licence" not in state.resnext


def test_pth_of_a_trained_network_names_its_classes_and_training(tmp_path: Path) -> None:
    path = write(trained_checkpoint(), tmp_path / "some.pth", "pth")

    facts = torch.load(path, weights_only=True).resnext

    assert facts["classes"] == '["ant", "bee", "cat", "dog", "elk"]'
    assert json.loads(facts["training"]) == {"epoch": 3, "recipe": {"lr": 0.5}}


def test_pth_says_what_the_header_of_safetensors_says(
    golden: GoldenNetwork, tmp_path: Path
) -> None:
    checkpoint = load(golden("conv_bias").path)  # with a conversion, and proven
    proven = replace(checkpoint, provenance=replace(checkpoint.provenance, proof=3.14e-16))
    state = torch.load(write(proven, tmp_path / "some.pth", "pth"), weights_only=True)

    with safe_open(write(proven, tmp_path / "some", "safetensors"), framework="numpy") as file:
        header = file.metadata()

    assert state.resnext["proof"] == "3.1e-16"
    assert {"format": "pt", **state.resnext} == header


class FullDisk(io.RawIOBase):
    """A file that takes the first bytes, and no more."""

    room = 1000

    def write(self, data: Any) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(28, "No space left on device")
        return len(data)


def test_pth_disk_full_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # torch's writer, closing such a file, raises a RuntimeError about positions.
    monkeypatch.setattr(export_pth, "whole_file", lambda _: nullcontext(FullDisk()))

    with pytest.raises(OSError, match="No space left on device"):
        write(checkpoint_of(NARROW), tmp_path / "some.pth", "pth")


# timm


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_timm_architecture_known_network_has_its_name(name: str) -> None:
    assert timm_architecture(replace(ARCHITECTURES[name], classes=7)) == (name, {})


@pytest.mark.parametrize(
    ("spec", "name", "arguments"),
    [
        (
            Spec(blocks=(3, 4, 6, 3), cardinality=8, base_width=14),
            "resnet50",
            {
                "layers": [3, 4, 6, 3],
                "channels": [64, 128, 256, 512],
                "cardinality": 8,
                "base_width": 14,
            },
        ),
        (
            NARROW,
            "resnet50",
            {
                "layers": [1, 1, 1, 1],
                "channels": [8, 16, 32, 64],
                "cardinality": 2,
                "base_width": 16,
            },
        ),
        (
            Spec(blocks=(1, 1, 1, 1), block=Block.BASIC),
            "resnet18",
            {"layers": [1, 1, 1, 1], "channels": [64, 128, 256, 512]},
        ),
    ],
    ids=["cardinality", "width", "basic"],
)
def test_timm_architecture_other_network_is_a_variation(
    spec: Spec, name: str, arguments: dict[str, object]
) -> None:
    assert timm_architecture(spec) == (name, arguments)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (replace(RESNEXT_50, norm=Norm.AFTER_ADD), "behind each convolution.*norm after_add"),
        (replace(RESNEXT_50, norm=Norm.PRE), "behind each convolution.*norm pre"),
        (replace(RESNEXT_50, norm=Norm.PRE_BRANCH), "behind each convolution.*norm pre_branch"),
        (replace(RESNEXT_50, stem=Stem.CIFAR), "7x7 stem.*stem cifar"),
        (replace(RESNEXT_50, blocks=(3, 4, 6)), r"four stages.*\(3, 4, 6\)"),
        (replace(RESNEXT_50, shortcut=Shortcut.C), "only where a block changes.*shortcut C"),
        (
            Spec(blocks=(2, 2, 2, 2), block=Block.BASIC, shortcut=Shortcut.A),
            "only where a block changes.*shortcut A",
        ),
        (replace(RESNEXT_50, stem_width=32), "64 channels behind the stem.*stem_width 32"),
        (replace(RESNEXT_50, stem_pool=StemPool.CEIL), "max-pool with padding.*stem_pool ceil"),
        (replace(RESNEXT_50, planes=48, base_width=5), "base width that is whole.*base_width 5"),
    ],
    ids=[
        *("after add", "pre", "pre branch", "stem", "stages", "C", "A", "stem width", "pool"),
        "base width",
    ],
)
def test_timm_architecture_foreign_topology_is_refused(spec: Spec, reason: str) -> None:
    with pytest.raises(TopologyError, match=f"not a network of timm: .*{reason}"):
        timm_architecture(spec)


def test_timm_architecture_shortcut_c_that_equals_b_is_taken() -> None:
    # One block a stage, each changing the shape: C projects where B does.
    assert timm_architecture(replace(NARROW, shortcut=Shortcut.C))[0] == "resnet50"


def test_timm_folder_holds_weights_and_config(tmp_path: Path) -> None:
    folder = write(checkpoint_of(NARROW), tmp_path / "some", "timm")

    config = json.loads((folder / "config.json").read_text())

    assert names(tmp_path) == ["some"]
    assert names(folder) == ["README.md", "config.json", "model.safetensors"]
    assert Checkpoint.load(folder / "model.safetensors").spec == NARROW
    assert (config["architecture"], config["num_classes"]) == ("resnet50", 5)
    assert config["resnext"]["source_sha256"] == "5a"
    taken = config["pretrained_cfg"]
    assert taken["input_size"] == [3, 224, 224]
    assert (taken["crop_pct"], taken["interpolation"]) == (0.875, "bicubic")
    assert (taken["mean"], taken["std"]) == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    assert taken["license"] == "CC BY-NC 4.0"
    assert "does not antialias" in taken["notes"][0]


def test_timm_folder_knows_imagenets_classes_by_wnids(tmp_path: Path) -> None:
    names, wnids = ("crane", "cat", "crane", "dog", "elk"), ("n1", "n2", "n3", "n4", "n5")
    network = replace(trained_checkpoint(), classes=names, wnids=wnids, training=None)
    folder = write(network, tmp_path / "some", "timm")
    config = json.loads((folder / "config.json").read_text())
    assert config["label_names"] == ["n1", "n2", "n3", "n4", "n5"]
    described = {"n1": "crane", "n2": "cat", "n3": "crane", "n4": "dog", "n5": "elk"}
    assert config["label_descriptions"] == described


def test_timm_folder_of_a_trained_network_names_its_classes_and_training(tmp_path: Path) -> None:
    folder = write(trained_checkpoint(), tmp_path / "some", "timm")

    config = json.loads((folder / "config.json").read_text())

    assert config["label_names"] == ["ant", "bee", "cat", "dog", "elk"]
    assert config["resnext"]["classes"] == ["ant", "bee", "cat", "dog", "elk"]
    assert config["resnext"]["training"] == {"epoch": 3, "recipe": {"lr": 0.5}}
    assert config["pretrained_cfg"]["description"] == (
        "some: trained by resnext 0 from some.t7, sha256 5a"
    )


def test_timm_config_network_trained_from_nothing_says_so() -> None:
    sourceless = Provenance(
        source_file=None, source_sha256=None, source_bytes=None, converted_by="resnext 0"
    )

    config = timm_config(replace(trained_checkpoint(), provenance=sourceless))["pretrained_cfg"]

    assert isinstance(config, dict)
    assert config["description"] == ("resnext_14_2x2d: trained by resnext 0 from random weights")


def test_timm_config_published_network_names_its_address() -> None:
    checkpoint = checkpoint_of(RESNEXT_50)
    named = replace(
        checkpoint, provenance=replace(checkpoint.provenance, published_name="resnext_50_32x4d")
    )

    config = timm_config(named)["pretrained_cfg"]

    assert isinstance(config, dict)
    assert config["origin_url"] == (
        "https://dl.fbaipublicfiles.com/resnext/imagenet_models/resnext_50_32x4d.t7"
    )


def test_timm_config_mean_on_the_scale_of_bytes_is_brought_to_one() -> None:
    row = Preprocessing(
        scale=None, crop=64, mean=(127.5, 51.0, 0.0), std=(63.75, 51.0, 25.5), white=255
    )

    config = timm_config(checkpoint_of(NARROW, row))["pretrained_cfg"]

    assert isinstance(config, dict)
    assert (config["mean"], config["std"]) == ([0.5, 0.2, 0.0], [0.25, 0.2, 0.1])
    assert (config["crop_pct"], config["input_size"]) == (1.0, [3, 64, 64])


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_timm_config_of_pillows_pixels_says_their_interpolation(interpolation: str) -> None:
    row = replace(IMAGENET.with_pipeline(Pipeline.PIL), interpolation=interpolation)
    config = timm_config(checkpoint_of(NARROW, row))["pretrained_cfg"]
    assert isinstance(config, dict)
    assert config["interpolation"] == interpolation
    assert "does not antialias" not in "".join(config["notes"])


def test_timm_config_preprocessing_of_unknown_origin_is_told_without() -> None:
    config = timm_config(replace(trained_checkpoint(), origin=None))["pretrained_cfg"]
    assert config["notes"][1].endswith(", std 0.229 0.224 0.225 (of pixels 0..1).")


def test_timm_config_preprocessing_unknown_is_refused() -> None:
    with pytest.raises(PreprocessingError, match="--preprocessing stores one"):
        timm_config(checkpoint_of(NARROW, None))


def test_crop_fraction_gives_timm_the_scale_back() -> None:
    # As timm computes it: floor(crop / crop_pct).
    pairs = [(crop, scale) for scale in range(1, 300) for crop in range(1, scale + 1)]

    wrong = [
        (crop, scale)
        for crop, scale in pairs
        if math.floor(crop / crop_fraction(replace(IMAGENET, scale=scale, crop=crop))) != scale
    ]

    assert any(math.floor(crop / (crop / scale)) != scale for crop, scale in pairs)
    assert wrong == []


def test_timm_folder_refused_leaves_nothing(golden: GoldenNetwork, tmp_path: Path) -> None:
    with pytest.raises(TopologyError, match="stem_width 8"):
        write(load(golden("imagenet_c50").path), tmp_path / "some", "timm")
    assert names(tmp_path) == []


def test_timm_folder_existing_is_kept_unless_told(tmp_path: Path) -> None:
    folder = write(checkpoint_of(NARROW), tmp_path / "some", "timm")

    with pytest.raises(OutputError, match="some exists"):
        EXPORTERS["timm"].require_room(folder, replace=False)
    EXPORTERS["timm"].require_room(folder, replace=True)
    write(checkpoint_of(replace(NARROW, classes=6)), folder, "timm")

    assert names(tmp_path) == ["some"]
    assert Checkpoint.load(folder / "model.safetensors").spec.classes == 6


def test_timm_folder_with_other_files_is_never_replaced(tmp_path: Path) -> None:
    folder = write(checkpoint_of(NARROW), tmp_path / "some", "timm")
    (folder / "thesis.txt").write_text("mine")

    with pytest.raises(OutputError, match=r"also holds thesis\.txt"):
        EXPORTERS["timm"].require_room(folder, replace=True)
    assert (folder / "thesis.txt").read_text() == "mine"


def test_timm_folder_parent_missing_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        write(checkpoint_of(NARROW), tmp_path / "none" / "some", "timm")
    assert caught.value.filename == str(tmp_path / "none" / "some")


def test_timm_folder_failing_halfway_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: Path) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export_timm, "whole_file", fail)  # config.json, behind the weights

    with pytest.raises(OSError, match="No space left") as caught:
        write(checkpoint_of(NARROW), tmp_path / "some", "timm")
    assert caught.value.filename == str(tmp_path / "some")
    assert names(tmp_path) == []


# onnx


@pytest.fixture
def onnx_installed() -> None:
    reason = "onnx and onnxruntime are not installed (extra [onnx])"
    pytest.importorskip("onnx", reason=reason)
    pytest.importorskip("onnxruntime", reason=reason)


@pytest.mark.usefixtures("onnx_installed")
@pytest.mark.parametrize("name", [*ANSWERED, "double", "cuda_half"])
def test_onnx_answers_what_torch7_answered(
    golden: GoldenNetwork, tmp_path: Path, name: str
) -> None:
    import onnxruntime

    model = golden(name)
    assert model.input is not None
    path = write(load(model.path), tmp_path / "some.onnx", "onnx")

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], {"pictures": model.input.astype(np.float32)})

    np.testing.assert_allclose(found, model.output, rtol=0, atol=1e-4)


@pytest.mark.usefixtures("onnx_installed")
def test_onnx_has_a_dynamic_batch_and_the_crops_size(tmp_path: Path) -> None:
    import onnx

    row = replace(IMAGENET, scale=72, crop=64)
    path = write(checkpoint_of(NARROW, row), tmp_path / "some.onnx", "onnx")

    model = onnx.load(path)
    (pictures,), (logits,) = model.graph.input, model.graph.output
    shapes = [
        [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (pictures, logits)
    ]

    assert model.opset_import[0].version >= 17
    assert (pictures.name, logits.name) == ("pictures", "logits")
    assert shapes == [["N", 3, 64, 64], ["N", 5]]


@pytest.mark.usefixtures("onnx_installed")
def test_onnx_carries_weights_by_name_and_the_facts(tmp_path: Path) -> None:
    import onnx

    checkpoint = load(DIGITS / "resnext_11_8x4d_digits.t7")
    model = onnx.load(write(checkpoint, tmp_path / "some.onnx", "onnx"))
    weights = {row.name: onnx.numpy_helper.to_array(row) for row in model.graph.initializer}
    facts = {row.key: row.value for row in model.metadata_props}

    for name in ("conv1.weight", "layer3.0.conv2.weight", "fc.bias"):
        assert weights[name].tobytes() == checkpoint.tensors[name].tobytes()
    assert json.loads(facts["spec"])["cardinality"] == 8
    assert json.loads(facts["preprocessing"])["crop"] == 32
    assert facts["source_sha256"] == checkpoint.provenance.source_sha256
    assert facts["source_file"] == "resnext_11_8x4d_digits.t7"


@pytest.mark.usefixtures("onnx_installed")
def test_onnx_of_a_trained_network_names_its_classes_and_training(tmp_path: Path) -> None:
    import onnx

    model = onnx.load(write(trained_checkpoint(), tmp_path / "some.onnx", "onnx"))
    facts = {row.key: row.value for row in model.metadata_props}

    assert facts["classes"] == '["ant", "bee", "cat", "dog", "elk"]'
    assert json.loads(facts["training"]) == {"epoch": 3, "recipe": {"lr": 0.5}}


@pytest.mark.usefixtures("onnx_installed")
def test_onnx_tampered_file_differs() -> None:
    import onnx

    network = ResNeXt(NARROW, generator=torch.Generator().manual_seed(0)).eval()
    honest = onnx_model(network, 32, metadata={})
    model = onnx.load_from_string(honest)
    (bias,) = (row for row in model.graph.initializer if row.name == "fc.bias")
    bias.raw_data = np.full(NARROW.classes, 0.5, np.float32).tobytes()

    assert largest_difference(honest, network, 32) < 1e-5
    assert largest_difference(model.SerializeToString(), network, 32) > 0.01


@pytest.mark.usefixtures("onnx_installed")
def test_onnx_differing_answers_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = onnx_model

    def tampered(_: torch.nn.Module, side: int, *, metadata: dict[str, str]) -> bytes:
        other = ResNeXt(NARROW, generator=torch.Generator().manual_seed(1)).eval()
        return honest(other, side, metadata=metadata)

    monkeypatch.setattr(export_onnx, "onnx_model", tampered)

    with pytest.raises(OnnxError, match="at most 1e-04 expected; nothing was written"):
        write(checkpoint_of(NARROW), tmp_path / "some.onnx", "onnx")
    assert names(tmp_path) == []


@pytest.mark.usefixtures("onnx_installed")
def test_onnx_logits_that_are_no_numbers_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_onnx, "largest_difference", lambda *_: math.nan)

    with pytest.raises(OnnxError, match="differ from the network's by nan"):
        write(checkpoint_of(NARROW), tmp_path / "some.onnx", "onnx")
    assert names(tmp_path) == []


@pytest.mark.usefixtures("onnx_installed")
def test_onnx_larger_than_the_format_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_onnx, "LARGEST", 1000)

    with pytest.raises(OnnxError, match="an ONNX file holds 1,000"):
        write(checkpoint_of(NARROW), tmp_path / "some.onnx", "onnx")
    assert names(tmp_path) == []


def test_onnx_is_checked_on_one_picture_and_on_three() -> None:
    assert CHECKED_BATCHES == (1, 3)

"""The one door: what Torch7 wrote and what was converted, and the network that comes out."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import convert
from convert.errors import SourceError
from convert.loading import is_safetensors, load_original
from convert.location import start_sha256
from convert.source.errors import RefusedError
from convert.torch7.errors import NotT7Error, T7Error, TruncatedError
from resnext.checkpoint import Checkpoint, Origin, Provenance
from resnext.errors import CheckpointError, ConvertError
from resnext.layout import layout
from resnext.preprocessing import CIFAR10, CIFAR100, IMAGENET
from resnext.spec import Block, Spec
from tests.support.golden import ANSWERED
from tests.support.lua_nets import net
from tests.support.t7_writer import dumps


@pytest.mark.parametrize("name", ANSWERED)
def test_golden_network_answers_as_torch7_did(golden: Callable[[str], Any], name: str) -> None:
    data = golden(name)
    with torch.inference_mode():
        found = convert.load(data.path).build()(torch.from_numpy(data.input).float())
    np.testing.assert_allclose(found.numpy(), data.output, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", ["cifar_b", "cuda_half", "double", "conv_bias"])
def test_golden_network_answers_the_same_after_it_was_saved(
    golden: Callable[[str], Any], name: str, tmp_path: Path
) -> None:
    data = golden(name)
    path = tmp_path / "x.safetensors"
    convert.load(data.path).save(path)
    with torch.inference_mode():
        found = convert.load(path).build()(torch.from_numpy(data.input).float())
    np.testing.assert_allclose(found.numpy(), data.output, rtol=0, atol=2e-5)


RESNET_18 = Spec(blocks=(2, 2, 2, 2), block=Block.BASIC)


def written(path: Path, spec: Spec, name: str | None, **facts: Any) -> Path:
    """Write a checkpoint of zeros as an earlier version did: without names of classes."""
    tensors = {
        key: np.zeros(shape, np.int64 if key.endswith("tracked") else np.float32)
        for key, shape in layout(spec).tensors().items()
    }
    provenance = Provenance(
        source_file="x.t7",
        source_sha256="ab" * 32,
        source_bytes=1,
        converted_by="resnext 0.1.0",
        published_name=name,
    )
    Checkpoint(
        spec=spec,
        tensors=tensors,
        preprocessing=IMAGENET,
        origin=Origin.PUBLISHED,
        provenance=provenance,
        **facts,
    ).save(path)
    return path


def test_published_network_has_imagenets_classes_and_their_wnids(tmp_path: Path) -> None:
    path = written(tmp_path / "x.safetensors", RESNET_18, "resnet_18")
    assert Checkpoint.load(path).classes is None
    checkpoint = convert.load(path)
    assert checkpoint.classes is not None
    assert checkpoint.wnids is not None
    assert (checkpoint.classes[134], checkpoint.wnids[134]) == ("crane", "n02012849")
    assert (checkpoint.classes[517], checkpoint.wnids[517]) == ("crane", "n03126707")
    assert checkpoint.matched_names is None
    checkpoint.save(path)
    again = Checkpoint.load(path)  # they are in the file from now on
    assert (again.classes, again.wnids) == (checkpoint.classes, checkpoint.wnids)


def test_other_networks_have_no_classes_of_imagenet(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    small = replace(RESNET_18, stem_width=8, planes=8, base_width=8)
    assert convert.load(written(path, small, None)).classes is None
    names = tuple(map(str, range(1000)))
    trained = convert.load(written(path, small, None, classes=names, training={"epoch": 1}))
    assert (trained.classes, trained.wnids, trained.matched_names) == (names, None, names)
    trained = convert.load(written(path, small, "mine", training={"epoch": 1}))
    assert (trained.classes, trained.wnids) == (None, None)


def test_path_may_be_a_text(golden: Callable[[str], Any]) -> None:
    assert convert.load(str(golden("cifar_c").path)).name == "cifar_c"


def test_content_decides_and_not_the_name(golden: Callable[[str], Any], tmp_path: Path) -> None:
    original, converted = tmp_path / "a.safetensors", tmp_path / "b.t7"
    shutil.copy(golden("cifar_c").path, original)
    checkpoint = convert.load(original)
    checkpoint.save(converted)
    assert convert.load(converted).spec == checkpoint.spec
    assert (is_safetensors(original), is_safetensors(converted)) == (False, True)


def test_provenance_is_that_of_the_file(golden: Callable[[str], Any]) -> None:
    path = golden("conv_bias").path
    source = convert.load(path).provenance
    data = path.read_bytes()
    assert source.source_file == "conv_bias.t7"
    assert source.source_bytes == len(data)
    assert source.source_sha256 == hashlib.sha256(data).hexdigest()
    assert source.conversions == (
        "bias of a convolution folded into the batch norm behind it (13 times)",
    )
    assert (source.published_name, source.licence) == (None, None)
    assert source.converted_by.startswith("resnext ")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"stem_kind": "imagenet", "counts": (1, 1, 1, 1)}, IMAGENET),
        ({"classes": 10}, CIFAR10),
        ({"classes": 100}, CIFAR100),
        ({"classes": 7}, None),
    ],
    ids=["four stages", "10 classes", "100 classes", "7 classes"],
)
def test_preprocessing_is_assumed_from_the_topology(
    options: dict[str, Any], expected: Any, tmp_path: Path
) -> None:
    path = tmp_path / "x.t7"
    path.write_bytes(dumps(net(**options)))
    checkpoint = convert.load(path)
    assert checkpoint.preprocessing == expected
    assert checkpoint.origin == (None if expected is None else Origin.ASSUMED)


def test_original_is_read_with_its_tree_and_encoding(golden: Callable[[str], Any]) -> None:
    path = golden("long32").path
    original = load_original(path, sha256=start_sha256(path))
    assert original.source.format == "Torch7, binary, longs of 4 bytes"
    assert next(original.source.module_lines()) == "nn.Sequential"
    assert original.network.form == "C"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("foreign_layer", RefusedError),
        ("odd_stride", RefusedError),
        ("nan_weight", RefusedError),
        ("latest", RefusedError),
        ("optimState_12", RefusedError),
    ],
)
def test_golden_file_that_is_no_network_of_the_family_is_refused_by_name(
    golden: Callable[[str], Any], name: str, error: type[ConvertError]
) -> None:
    path = golden(name).path
    with pytest.raises(error) as caught:
        convert.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", NotT7Error),
        (b"PK\x03\x04", NotT7Error),
        (b"<html>", NotT7Error),
        (dumps(net())[:-1], TruncatedError),
        (b"\x40\0\0\0\0\0\0\0{", CheckpointError),
        (b"\x40\0\0\0\0\0\0\0", T7Error),
    ],
    ids=["empty", "zip", "web page", "cut short", "safetensors, cut short", "length alone"],
)
def test_file_that_is_neither_is_refused_by_name(
    data: bytes, error: type[Exception], tmp_path: Path
) -> None:
    path = tmp_path / "x.t7"
    path.write_bytes(data)
    with pytest.raises(error) as caught:
        convert.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["x.pth", "x.params", "x"])
def test_other_kind_of_file_under_another_name_is_told_all_formats(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(b"<html>")
    text = rf"{name}: a checkpoint of Torch7, PyTorch, MXNet or Caffe expected, found a web page"
    with pytest.raises(SourceError, match=text):
        convert.load(path)


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("fc.bias", np.nan, "NaN or infinity"),
        ("conv1.weight", -np.inf, "NaN or infinity"),
        ("bn1.running_var", -1, "a variance below zero"),
    ],
    ids=["NaN", "infinity", "variance"],
)
def test_converted_file_of_impossible_values_is_refused_by_name(
    golden: Callable[[str], Any], tmp_path: Path, name: str, value: float, fault: str
) -> None:
    checkpoint = convert.load(golden("cifar_c").path)
    array = checkpoint.tensors[name].copy()
    array.flat[-1] = value
    path = tmp_path / "x.safetensors"
    replace(checkpoint, tensors={**checkpoint.tensors, name: array}).save(path)
    with pytest.raises(
        CheckpointError, match=f"tensor {name} holds {fault}; the training"
    ) as caught:
        convert.load(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        convert.load(tmp_path / "none.t7")


def test_table_of_123_entries_is_no_safetensors_file(tmp_path: Path) -> None:
    """The number of its entries is a `{`, where a safetensors file has one."""
    path = tmp_path / "x.t7"
    path.write_bytes(dumps({"model": net(classes=10), **{f"key {n}": n for n in range(122)}}))
    assert path.read_bytes()[8:9] == b"{"
    assert convert.load(path).spec.classes == 10


def test_loaded_tensors_are_read_only(golden: Callable[[str], Any]) -> None:
    tensors = convert.load(golden("cifar_c").path).tensors
    views = {name: a for name, a in tensors.items() if not name.endswith("num_batches_tracked")}
    assert [name for name, array in views.items() if array.flags.writeable] == []


def test_checkpoint_survives_its_original(golden: Callable[[str], Any], tmp_path: Path) -> None:
    path = tmp_path / "x.t7"
    shutil.copy(golden("cifar_c").path, path)
    checkpoint = convert.load(path)
    path.unlink()
    checkpoint.save(tmp_path / "x.safetensors")
    found = Checkpoint.load(tmp_path / "x.safetensors").tensors["fc.bias"]
    np.testing.assert_array_equal(found, convert.load(golden("cifar_c").path).tensors["fc.bias"])

"""Checkpoints: bit for bit there and back, readable by others, and whatever is not one is said."""

import json
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import torch
from safetensors import numpy as safetensors_numpy
from safetensors import torch as safetensors_torch

from resnext.checkpoint import Checkpoint, Origin, Provenance
from resnext.errors import CheckpointError
from resnext.layout import layout
from resnext.preprocessing import IMAGENET
from resnext.spec import Norm, Spec, Stem

SPEC = Spec(
    blocks=(1, 1, 1),
    stem=Stem.CIFAR,
    cardinality=2,
    base_width=3,
    planes=4,
    stem_width=6,
    classes=5,
)
SOURCE = Provenance(
    source_file="resnext_50_32x4d.t7",
    source_sha256="ab" * 32,
    source_bytes=200631353,
    converted_by="resnext 1.2.3",
    published_name="resnext_11_2x3d",  # of no row of the table, which knows its networks' specs
    licence="CC BY-NC 4.0",
    conversions=("one thing (3 times)", "another, \u00fcber"),
)


def tensors_of(spec: Spec, dtype: str = "float32", seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        name: np.zeros((), np.int64)
        if name.endswith("num_batches_tracked")
        else rng.uniform(0.5, 1.5, shape).astype(dtype)
        for name, shape in layout(spec).tensors().items()
    }


def checkpoint(dtype: str = "float32", **fields: Any) -> Checkpoint:
    defaults: dict[str, Any] = {
        "spec": SPEC,
        "tensors": tensors_of(SPEC, dtype),
        "preprocessing": IMAGENET,
        "origin": Origin.PUBLISHED,
        "provenance": SOURCE,
    }
    return Checkpoint(**{**defaults, **fields})


def saved(tmp_path: Path, value: Checkpoint | None = None) -> Path:
    path = tmp_path / "x.safetensors"
    (value or checkpoint()).save(path)
    return path


def assert_same_tensors(found: Mapping[str, Any], expected: Mapping[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype, name
        assert found[name].shape == array.shape, name
        assert found[name].tobytes() == array.tobytes(), name


DTYPES = pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])


@DTYPES
def test_saved_checkpoint_is_loaded_bit_for_bit(tmp_path: Path, dtype: str) -> None:
    original = checkpoint(dtype)
    found = Checkpoint.load(saved(tmp_path, original))
    assert_same_tensors(found.tensors, original.tensors)
    for name in ("spec", "preprocessing", "origin", "provenance"):
        assert getattr(found, name) == getattr(original, name)


def test_checkpoint_is_saved_and_loaded_by_a_path_that_is_a_text(tmp_path: Path) -> None:
    path = str(tmp_path / "x.safetensors")
    checkpoint().save(path)
    assert Checkpoint.load(path).spec == SPEC


@DTYPES
def test_saved_checkpoint_is_read_by_the_safetensors_library(tmp_path: Path, dtype: str) -> None:
    original = checkpoint(dtype)
    found = safetensors_numpy.load_file(saved(tmp_path, original))
    assert_same_tensors(found, original.tensors)


def test_saved_checkpoint_is_read_by_torch(tmp_path: Path) -> None:
    original = checkpoint()
    found = safetensors_torch.load_file(saved(tmp_path, original))
    assert_same_tensors({n: t.numpy() for n, t in found.items()}, original.tensors)


def test_tensors_that_do_not_lie_in_a_row_are_saved_in_their_order(tmp_path: Path) -> None:
    tensors = tensors_of(SPEC)
    expected = {name: array.copy() for name, array in tensors.items()}
    for name, array in tensors.items():
        if array.ndim == 4:
            tensors[name] = np.asfortranarray(array)
        elif array.ndim == 1:
            tensors[name] = np.repeat(array, 2)[::2]
    found = Checkpoint.load(saved(tmp_path, checkpoint(tensors=tensors)))
    assert_same_tensors(found.tensors, expected)


def test_precisions_may_be_mixed(tmp_path: Path) -> None:
    tensors = tensors_of(SPEC)
    tensors["fc.bias"] = tensors["fc.bias"].astype(np.float64)
    tensors["fc.weight"] = tensors["fc.weight"].astype(np.float16)
    found = Checkpoint.load(saved(tmp_path, checkpoint(tensors=tensors)))
    assert_same_tensors(found.tensors, tensors)


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first = saved(tmp_path).read_bytes()
    assert saved(tmp_path).read_bytes() == first


def test_loaded_tensors_are_read_only(tmp_path: Path) -> None:
    found = Checkpoint.load(saved(tmp_path))
    assert not any(array.flags.writeable for array in found.tensors.values())


def test_header_holds_spec_preprocessing_and_provenance(tmp_path: Path) -> None:
    with safetensors.safe_open(saved(tmp_path), framework="numpy") as file:
        metadata = file.metadata()
    assert json.loads(metadata.pop("spec")) == {
        "blocks": [1, 1, 1],
        "stem": "cifar",
        "block": "bottleneck",
        "norm": "post",
        "shortcut": "B",
        "cardinality": 2,
        "base_width": 3,
        "planes": 4,
        "stem_width": 6,
        "classes": 5,
    }
    assert json.loads(metadata.pop("preprocessing")) == {
        "scale": 256,
        "crop": 224,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "white": 1,
    }
    assert json.loads(metadata.pop("conversions")) == ["one thing (3 times)", "another, \u00fcber"]
    assert metadata == {
        "format": "pt",
        "preprocessing_origin": "the published network's row",
        "source_file": "resnext_50_32x4d.t7",
        "source_sha256": "ab" * 32,
        "source_bytes": "200631353",
        "published_name": "resnext_11_2x3d",
        "licence": "CC BY-NC 4.0",
        "converted_by": "resnext 1.2.3",
    }


def test_what_is_not_known_is_not_in_the_header(tmp_path: Path) -> None:
    source = replace(SOURCE, published_name=None, licence=None, conversions=())
    original = checkpoint(preprocessing=None, origin=None, provenance=source)
    path = saved(tmp_path, original)
    with safetensors.safe_open(path, framework="numpy") as file:
        names = set(file.metadata())
    assert names & {"published_name", "licence", "preprocessing", "preprocessing_origin"} == set()
    found = Checkpoint.load(path)
    assert (found.provenance, found.preprocessing, found.origin) == (source, None, None)


def test_every_tensor_starts_at_a_multiple_of_its_element(tmp_path: Path) -> None:
    tensors = tensors_of(SPEC, "float16")
    tensors["fc.bias"] = tensors["fc.bias"].astype(np.float64)
    data = saved(tmp_path, checkpoint(tensors=tensors)).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    sizes = {"F16": 2, "F64": 8, "I64": 8}
    starts = [
        (8 + length + entry["data_offsets"][0]) % sizes[entry["dtype"]]
        for name, entry in header.items()
        if name != "__metadata__"
    ]
    assert set(starts) == {0}


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (SOURCE, "resnext_11_2x3d"),
        (replace(SOURCE, published_name=None, source_file="my.model_12.t7"), "my.model_12"),
    ],
    ids=["published", "file"],
)
def test_name_is_the_published_one_else_the_files(source: Provenance, name: str) -> None:
    assert checkpoint(provenance=source).name == name


def test_checkpoints_can_be_compared_and_be_keys() -> None:
    first, second = checkpoint(), checkpoint()
    assert first != second
    assert {first: 1, second: 2}[first] == 1


# Building


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str
)
@pytest.mark.parametrize("stored", ["float16", "float32", "float64"])
def test_network_has_the_precision_that_is_asked_for(stored: str, dtype: torch.dtype) -> None:
    network = checkpoint(stored).build(dtype=dtype)
    state = network.state_dict()
    assert {t.dtype for name, t in state.items() if "num_batches" not in name} == {dtype}
    assert state["bn1.num_batches_tracked"].dtype == torch.int64


def test_network_is_float32_unless_asked_otherwise() -> None:
    assert checkpoint("float64").build().conv1.weight.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_network_answers_in_its_precision(dtype: torch.dtype) -> None:
    network = checkpoint().build(dtype=dtype)
    with torch.inference_mode():
        logits = network(torch.ones(2, 3, 32, 32, dtype=dtype))
    assert (logits.dtype, logits.shape) == (dtype, (2, 5))


def test_network_is_in_evaluation_mode() -> None:
    network = checkpoint().build()
    assert [name for name, module in network.named_modules() if module.training] == []


def test_network_has_the_checkpoints_weights_on_the_device_asked_for() -> None:
    original = checkpoint()
    state = original.build(device="cpu").state_dict()
    assert_same_tensors({name: t.numpy() for name, t in state.items()}, original.tensors)
    assert {t.device.type for t in checkpoint().build(device="meta").state_dict().values()} == {
        "meta"
    }


def test_network_can_be_trained_without_changing_the_checkpoint() -> None:
    original = checkpoint()
    before = original.tensors["fc.bias"].copy()
    network = original.build().train()
    assert all(parameter.requires_grad for parameter in network.parameters())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    np.testing.assert_array_equal(original.tensors["fc.bias"], before)


# Contradictions


def without(name: str) -> dict[str, np.ndarray]:
    return {key: array for key, array in tensors_of(SPEC).items() if key != name}


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (without("fc.bias"), r"^tensor fc\.bias is missing$"),
        ({**tensors_of(SPEC), "x": np.zeros(1)}, r"^tensor x is unexpected$"),
        (
            {**tensors_of(SPEC), "fc.bias": np.zeros(4, np.float32)},
            r"^tensor fc\.bias: .* \(5,\) expected, found float32 \(4,\)$",
        ),
        (
            {**tensors_of(SPEC), "fc.bias": np.zeros(5, np.int64)},
            r"^tensor fc\.bias: float16 or float32 or float64 .*found int64",
        ),
        (
            {**tensors_of(SPEC), "bn1.num_batches_tracked": np.zeros((), np.float32)},
            r"num_batches_tracked: int64 \(\) expected, found float32 \(\)$",
        ),
        ({}, r"^tensor conv1\.weight is missing \(and 79 more\)$"),
    ],
    ids=["missing", "unexpected", "misshapen", "integers", "counter of floats", "none"],
)
def test_tensors_that_are_not_the_specs_are_refused(
    tensors: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        checkpoint(tensors=tensors)


# Errors while writing


def test_nothing_is_left_of_a_checkpoint_that_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.safetensors"
    written = []

    def fail_at_the_end(array: np.ndarray) -> np.ndarray:
        written.append(array)
        if len(written) == 80:
            raise OSError(28, "No space left on device")
        return np.ascontiguousarray(array)

    original = checkpoint()
    monkeypatch.setattr(
        "resnext.tensor_file.np",
        type("numpy", (), {"ascontiguousarray": staticmethod(fail_at_the_end)}),
    )
    with pytest.raises(OSError, match="No space left"):
        original.save(path)
    assert len(written) == 80
    assert list(tmp_path.iterdir()) == []


def test_missing_folder_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        checkpoint().save(tmp_path / "none" / "x.safetensors")


# Files that are no checkpoint


def test_missing_file_is_an_os_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        Checkpoint.load(tmp_path / "x.safetensors")
    assert caught.value.filename == str(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"",
        lambda data: data[:7],
        lambda data: data[:8],
        lambda data: data[:500],
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data + b"\0",
        lambda data: b"\xff" * 8 + data[8:],
        lambda data: data[:8] + b"[" + data[9:],
        lambda data: data[:8] + b"\xff" + data[9:],
        lambda _: b"\x07\0\0\0\0\0\0\0garbage",
        lambda _: bytes(range(256)) * 8,
        lambda data: b"PK\x03\x04" + data,
        lambda data: data.replace(b'"F32"', b'"X32"', 1),
        lambda data: data.replace(b'"shape":[6,3,3,3]', b'"shape":[6,3,3,4]', 1),
    ],
    ids=[
        "empty",
        "cut in the length",
        "length alone",
        "cut in the header",
        "last byte missing",
        "cut in half",
        "byte too many",
        "huge length",
        "list for a header",
        "header that is no text",
        "garbage",
        "noise",
        "zip archive",
        "unknown element",
        "shape that does not fit",
    ],
)
def test_damaged_file_is_refused_by_name(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    path = saved(tmp_path)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(CheckpointError, match="not a whole safetensors file") as caught:
        Checkpoint.load(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_file_that_is_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    data = path.read_bytes()
    for length in range(0, len(data), len(data) // 100):
        path.write_bytes(data[:length])
        with pytest.raises(CheckpointError):
            Checkpoint.load(path)


def test_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    safetensors_numpy.save_file(tensors_of(SPEC), path, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="no spec in its header, so resnext-convert did not"):
        Checkpoint.load(path)


@pytest.mark.parametrize(
    "head",
    [b"\4\0\0\0\1\0\0\0", b"\3\0\0\0\1\0\0\0", b"4\n1\n3\nV 1"],
    ids=["object", "table", "text"],
)
def test_original_file_is_said_to_be_one(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(head + bytes(100))
    with pytest.raises(CheckpointError) as caught:
        Checkpoint.load(path)
    assert str(caught.value) == (
        f"{path}: a converted file expected, found an original .t7; resnext-convert converts it"
    )


def test_file_without_metadata_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    safetensors_numpy.save_file(tensors_of(SPEC), path)
    with pytest.raises(CheckpointError, match="no spec in its header"):
        Checkpoint.load(path)


def rewritten(
    path: Path, tensors: Mapping[str, np.ndarray] | None = None, **metadata: str | None
) -> None:
    """Write a checkpoint's file again with other tensors, or other entries of its header."""
    with safetensors.safe_open(path, framework="numpy") as file:
        old = {name: value for name, value in file.metadata().items() if name not in metadata}
    new = {name: value for name, value in metadata.items() if value is not None}
    arrays = safetensors_numpy.load_file(path) if tensors is None else dict(tensors)
    safetensors_numpy.save_file(arrays, path, metadata={**old, **new})


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("spec", "{", "spec in its header: an object in JSON expected, found '{'; convert"),
        ("spec", "[]", "spec in its header: an object in JSON expected"),
        ("spec", "{}", "spec: blocks is missing"),
        ("spec", '{"blocks": [1, 1, 1], "gates": 3}', "spec: unknown field 'gates'"),
        ("spec", '{"blocks": [1, 1, 1], "classes": -1}', "whole numbers >= 1"),
        ("spec", '{"blocks": [1, 1, 1]}', r"tensor .* expected, found"),
        ("spec", '{"blocks": [1000000000, 1, 1]}', "at most 6000 blocks"),
        ("spec", "[" * 100_000, "spec in its header: an object in JSON expected"),
        ("preprocessing", "3", "preprocessing in its header: an object in JSON expected"),
        ("preprocessing", "{}", "preprocessing: crop must be a whole number"),
        (
            "preprocessing_origin",
            "xx",
            "preprocessing_origin in its header: one of .* found 'xx'",
        ),
        (
            "source_bytes",
            "many",
            "source_bytes in its header: a whole number below .* expected, found 'm",
        ),
        ("source_bytes", "-1", "source_bytes in its header: a whole number below .* found '-1'"),
        ("source_bytes", "9" * 5_000, "source_bytes in its header: a whole number below"),
        ("source_file", "x" * 1_001, "source_file in its header: a text of at most 1000 letters"),
        ("published_name", "x" * 1_001, "published_name in its header: a text of at most 1000"),
        ("licence", "x" * 1_001, "licence in its header: a text of at most 1000 letters expected"),
        ("spec", '{"blocks": [' + "9" * 5_000 + "]}", "spec in its header: an object in JSON"),
        ("spec", '{"blocks": [' + "9" * 4_000 + ", 1, 1]}", "blocks: each must be a whole number"),
        ("spec", '{"' + "x" * 10_000 + '": 1}', "spec: unknown field 'xxx"),
        ("preprocessing", '{"crop": ' + "9" * 4_000 + "}", "found a whole number of about 4,000"),
        ("preprocessing", "[" * 100_000, "preprocessing in its header: an object in JSON"),
        ("training", '{"a":' * 100_000, "training in its header: an object in JSON"),
        ("training", '{"epoch": ' + "9" * 5_000 + "}", "training in its header: an object in"),
        ("classes", "[" * 100_000, "classes in its header: a list of texts in JSON expected"),
        ("proof", "9" * 5_000, "proof in its header: a number from 0 expected"),
        ("source_file", None, "'source_file' is missing in its header"),
        ("source_sha256", None, "'source_sha256' is missing in its header"),
        ("converted_by", None, "'converted_by' is missing in its header"),
        ("conversions", "3", "conversions in its header: a list of texts in JSON expected"),
        ("conversions", "", "conversions in its header: a list of texts in JSON expected"),
        ("classes", "[1]", "classes in its header: a list of texts in JSON expected, found"),
        ("proof", "abc", "proof in its header: a number from 0 expected, found 'abc'"),
        ("proof", "-1", "proof in its header: a number from 0 expected, found '-1'"),
        ("proof", "NaN", "proof in its header: a number from 0 expected, found 'NaN'"),
        ("proof_facts", "[]", "proof_facts in its header: an object of tensors, computed, pict"),
        ("proof_facts", "{}", "proof_facts in its header: an object of tensors, computed, pict"),
        ("proof_facts", '{"tensors": ' + "[" * 100_000, "proof_facts in its header: an object of"),
        (
            "proof_facts",
            '{"tensors": 2, "computed": 3, "pictures": 1, "limit": 1e-12}',
            "proof_facts in its header: an object of tensors, computed, pictures and limit in JSON",
        ),
        (
            "proof_facts",
            '{"tensors": 3, "computed": 2, "pictures": 1.5, "limit": 1e-12}',
            "proof_facts in its header: an object of tensors, computed, pictures and limit in JSON",
        ),
        ("published_name", "resnext_50_32x4d", "spec of resnext_50_32x4d expected, found that of"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_header_that_is_wrong_is_refused_by_name(
    tmp_path: Path, entry: str, value: str | None, message: str
) -> None:
    path = saved(tmp_path)
    rewritten(path, **{entry: value})
    with pytest.raises(CheckpointError, match=message) as caught:
        Checkpoint.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < len(str(path)) + 600


HOSTILE_HEADERS = {
    "deep": b"[" * 100_000,
    "deep entry": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "large number": b'{"a":{"dtype":"F32","shape":[' + b"9" * 5_000 + b'],"data_offsets":[0,4]}}',
    "large shape": b'{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],'
    b'"data_offsets":[0,4]}}',
    "large offset": b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}}',
    "long name": b'{"' + b"x" * 1_000_000 + b'":{"dtype":"F32","shape":[1],"data_offsets":[1,2]}}',
    "long type": b'{"a":{"dtype":"' + b"F" * 1_000_000 + b'","shape":[1],"data_offsets":[0,4]}}',
    "metadata of numbers": b'{"__metadata__":{"spec":1}}',
    "no JSON": b"{" + bytes(100),
}


@pytest.mark.parametrize("name", HOSTILE_HEADERS)
def test_hostile_header_gives_one_bounded_message(tmp_path: Path, name: str) -> None:
    header, path = HOSTILE_HEADERS[name], tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    start = time.monotonic()
    with pytest.raises(CheckpointError) as caught:
        Checkpoint.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: not a whole safetensors file (")
    assert len(message) < len(str(path)) + 400
    assert "\n" not in message
    assert time.monotonic() - start < 10


def test_name_of_an_unexpected_tensor_is_cut(tmp_path: Path) -> None:
    path = saved(tmp_path)
    rewritten(path, {**tensors_of(SPEC), "x" * 10_000: np.zeros(1, np.float32)})
    with pytest.raises(CheckpointError, match=r"tensor x{196} \.\.\. is unexpected$"):
        Checkpoint.load(path)


def test_names_and_wnids_of_other_classes_are_refused() -> None:
    with pytest.raises(CheckpointError, match="5 class names expected, found 2"):
        checkpoint(classes=("a", "b"))
    with pytest.raises(CheckpointError, match="5 wnids expected, found 1"):
        checkpoint(wnids=("n01440764",))


@pytest.mark.parametrize("old", [False, True], ids=["zip", "pickle"])
def test_checkpoint_of_pytorch_is_called_one(tmp_path: Path, old: bool) -> None:
    path = tmp_path / "x.pth"
    torch.save({"a": torch.zeros(1)}, path, _use_new_zipfile_serialization=not old)
    with pytest.raises(CheckpointError, match=r"PyTorch.* checkpoint.*; resnext-convert reads"):
        Checkpoint.load(path)


def test_header_of_another_network_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    rewritten(path, spec=json.dumps(replace(SPEC, norm=Norm.PRE).to_fields()))
    with pytest.raises(CheckpointError, match="is missing"):
        Checkpoint.load(path)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("fc.bias", np.zeros(4, np.float32)),
        ("fc.bias", np.zeros(5, np.int32)),
        ("fc.bias", None),
        ("extra", np.zeros(1, np.float32)),
    ],
    ids=["shape", "integers", "missing", "extra"],
)
def test_file_with_other_tensors_is_refused_by_name(
    tmp_path: Path, name: str, array: np.ndarray | None
) -> None:
    path = saved(tmp_path)
    tensors = {key: value for key, value in tensors_of(SPEC).items() if key != name}
    rewritten(path, tensors if array is None else {**tensors, name: array})
    with pytest.raises(CheckpointError, match=name) as caught:
        Checkpoint.load(path)
    assert str(caught.value).startswith(f"{path}: tensor ")


def test_file_with_elements_that_numpy_does_not_have_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    tensors = safetensors_torch.load_file(path)
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    halves = {name: value.bfloat16() for name, value in tensors.items()}
    safetensors_torch.save_file(halves, path, metadata=metadata)
    with pytest.raises(CheckpointError, match=str(path)):
        Checkpoint.load(path)


def test_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"cos\nmkdir\n(S'" + str(tmp_path / "ran").encode() + b"'\ntR.")
    with pytest.raises(CheckpointError):
        Checkpoint.load(path)
    assert not (tmp_path / "ran").exists()

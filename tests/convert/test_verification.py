"""A converted file against its original: what is the same, what is computed, and what is not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import convert
from convert.description import describe_file
from convert.errors import SourceError, UnprovableError
from convert.export.pth import write_pth
from convert.pytorch.naming import namings
from convert.summary import description_lines
from convert.verification import verify_file
from resnext.checkpoint import Checkpoint, Origin
from resnext.errors import ConvertError
from resnext.preprocessing import CIFAR10
from tests.support.golden import DATA, ROOT, Golden
from tests.support.lua_nets import net
from tests.support.t7_writer import dumps

DIGITS = ROOT / "examples" / "digits" / "resnext_11_8x4d_digits.t7"
CAFFE = DATA / "peers" / "caffe" / "caffe_small.caffemodel"
MXNET = DATA / "peers" / "mxnet" / "mx191_small-0000.params"


def saved(folder: Path, checkpoint: Checkpoint) -> Path:
    path = folder / "x.safetensors"
    checkpoint.save(path)
    return path


def with_tensor(checkpoint: Checkpoint, name: str, array: np.ndarray) -> Checkpoint:
    return replace(checkpoint, tensors={**checkpoint.tensors, name: array})


@pytest.fixture
def digits() -> Checkpoint:
    return convert.load(DIGITS)


@pytest.mark.parametrize(
    ("name", "computed"),
    [
        ("cifar_c", set()),
        ("preact_cifar20", set()),
        ("cuda_half", set()),
        ("conv_bias", {"running_mean"}),
        ("running_std", {"running_var"}),
    ],
)
def test_kept_tensors_of_torch7_lie_in_the_file_byte_for_byte(
    golden: Callable[[str], Golden], tmp_path: Path, name: str, computed: set[str]
) -> None:
    original = golden(name).path
    checkpoint = convert.load(original)
    found = verify_file(saved(tmp_path, checkpoint), original)
    assert found.holds
    data = original.read_bytes()
    assert [n for n in found.kept if checkpoint.tensors[n].tobytes() not in data] == []
    assert {n.rsplit(".", 1)[1] for n in found.computed} == computed | {"num_batches_tracked"}
    assert {*found.kept, *found.computed} == {*checkpoint.tensors}


@pytest.mark.parametrize(
    ("original", "computed"),
    [
        (
            CAFFE,
            # The stem, all variances, and what the factors of five batch norms divide.
            {"conv1.weight": 1, "running_var": 20, "running_mean": 5, "num_batches_tracked": 20},
        ),
        (MXNET, {"running_var": 20, "num_batches_tracked": 20}),
    ],
    ids=["caffe", "mxnet"],
)
def test_kept_tensors_of_graphs_lie_in_the_file_byte_for_byte(
    tmp_path: Path, original: Path, computed: dict[str, int]
) -> None:
    checkpoint = convert.load(original)
    found = verify_file(saved(tmp_path, checkpoint), original)
    assert found.holds
    assert len(found.checksums) == 2
    data = original.read_bytes()
    assert [n for n in found.kept if checkpoint.tensors[n].tobytes() not in data] == []
    counts = {end: sum(n.endswith(end) for n in found.computed) for end in computed}
    assert counts == computed
    assert sum(counts.values()) == len(found.computed)


def test_batch_norm_that_a_file_lacks_is_computed(tmp_path: Path) -> None:
    original = tmp_path / "old.t7"
    original.write_bytes(
        dumps(net(stem_kind="imagenet", counts=(1, 1, 1, 1), projection_norm=False))
    )
    checkpoint = convert.load(original)
    found = verify_file(saved(tmp_path, checkpoint), original)
    assert found.holds
    made = [n for n in found.computed if not n.endswith("num_batches_tracked")]
    assert {name.rsplit(".", 2)[-2] for name in made} == {"1"}  # of layerN.0.downsample.1
    assert len(made) == 4 * sum(n.endswith("downsample.0.weight") for n in checkpoint.tensors)
    data = original.read_bytes()
    assert [n for n in found.kept if checkpoint.tensors[n].tobytes() not in data] == []
    name = made[0]
    other = with_tensor(checkpoint, name, checkpoint.tensors[name] * np.float32(2))
    assert [each.name for each in verify_file(saved(tmp_path, other), original).differences] == [
        name
    ]


def test_widened_tensors_of_pytorch_are_computed(digits: Checkpoint, tmp_path: Path) -> None:
    original = tmp_path / "bf16.pth"
    state = digits.build().state_dict()
    state["fc.weight"] = state["fc.weight"].bfloat16()
    torch.save(state, original)
    found = verify_file(saved(tmp_path, convert.load(original)), original)
    assert found.holds
    assert dict(found.computed) == {"fc.weight": "bfloat16 widened to float32"}


def test_one_changed_bit_is_found(digits: Checkpoint, tmp_path: Path) -> None:
    weight = np.array(digits.tensors["layer2.0.conv2.weight"])
    weight.view(np.uint32)[3, 1, 2, 0] ^= 1
    found = verify_file(
        saved(tmp_path, with_tensor(digits, "layer2.0.conv2.weight", weight)), DIGITS
    )
    (difference,) = found.differences
    assert (difference.name, difference.values) == ("layer2.0.conv2.weight", 1)
    assert difference.largest is not None
    assert 0 < difference.largest < 1e-6
    assert not found.holds


def test_first_difference_count_and_size_are_stated(digits: Checkpoint, tmp_path: Path) -> None:
    bias = np.array(digits.tensors["fc.bias"])
    bias[[2, 5, 7]] += np.float32(0.25)
    mean = np.array(digits.tensors["bn1.running_mean"]) + np.float32(1)
    changed = with_tensor(with_tensor(digits, "fc.bias", bias), "bn1.running_mean", mean)
    found = verify_file(saved(tmp_path, changed), DIGITS)
    first, second = found.differences
    assert (first.name, first.values) == ("bn1.running_mean", 64)
    assert (second.name, second.values) == ("fc.bias", 3)
    assert second.largest == pytest.approx(0.25, rel=1e-6)
    assert found.proof is not None
    assert not found.proof.holds


def test_sign_of_a_zero_is_a_difference(digits: Checkpoint, tmp_path: Path) -> None:
    state = digits.build().state_dict()
    state["bn1.bias"][9] = 0.0
    original = tmp_path / "zero.pth"
    torch.save(state, original)
    checkpoint = convert.load(original)
    bias = np.array(checkpoint.tensors["bn1.bias"])
    bias[9] = -0.0
    found = verify_file(saved(tmp_path, with_tensor(checkpoint, "bn1.bias", bias)), original)
    (difference,) = found.differences
    assert (difference.values, difference.largest) == (1, 0.0)
    assert not found.holds


def test_values_in_another_type_are_a_difference(digits: Checkpoint, tmp_path: Path) -> None:
    wide = digits.tensors["fc.bias"].astype(np.float64)
    found = verify_file(saved(tmp_path, with_tensor(digits, "fc.bias", wide)), DIGITS)
    (difference,) = found.differences
    assert (difference.expected, difference.found) == ("float32 (10,)", "float64 (10,)")
    assert difference.values is None
    assert not found.holds


@pytest.mark.parametrize("rule", ["conv_bias", "running_std"])
def test_computed_tensor_that_follows_no_rule_is_found(
    golden: Callable[[str], Golden], tmp_path: Path, rule: str
) -> None:
    original = golden(rule).path
    checkpoint = convert.load(original)
    end = {"conv_bias": "running_mean", "running_std": "running_var"}[rule]
    name = next(n for n in checkpoint.tensors if n.endswith(end))
    changed = with_tensor(checkpoint, name, checkpoint.tensors[name] + np.float32(1e-3))
    found = verify_file(saved(tmp_path, changed), original)
    assert [each.name for each in found.differences] == [name]
    assert not found.holds


@pytest.mark.parametrize("field", ["source_sha256", "graph_sha256"])
def test_another_file_of_the_same_tensors_does_not_hold(tmp_path: Path, field: str) -> None:
    checkpoint = convert.load(CAFFE)
    changed = replace(checkpoint.provenance, **{field: "0" * 64})
    found = verify_file(saved(tmp_path, replace(checkpoint, provenance=changed)), CAFFE)
    assert found.differences == ()
    assert [each.holds for each in found.checksums] == [
        field != "source_sha256",
        field != "graph_sha256",
    ]
    assert not found.holds


def test_another_architecture_is_named_and_nothing_else_compared(
    digits: Checkpoint, golden: Callable[[str], Golden], tmp_path: Path
) -> None:
    found = verify_file(saved(tmp_path, digits), golden("cifar_c").path)
    assert "base_width 4" not in " ".join(found.spec)
    assert "cardinality 4 expected, found 8" in found.spec
    assert (found.differences, found.proof, found.holds) == ((), None, False)


def test_mean_that_the_graph_does_not_have_does_not_hold(tmp_path: Path) -> None:
    checkpoint = convert.load(CAFFE)
    assert checkpoint.preprocessing is not None
    row = replace(checkpoint.preprocessing, mean=(1.0, 2.0, 3.0))
    found = verify_file(saved(tmp_path, replace(checkpoint, preprocessing=row)), CAFFE)
    assert found.preprocessing is not None
    assert found.preprocessing.startswith("mean 1 2 3 in place of 137.963 ")
    assert not found.holds
    given = replace(checkpoint, preprocessing=row, origin=Origin.GIVEN)
    found = verify_file(saved(tmp_path, given), CAFFE)
    assert found.replaced is not None
    assert found.holds


def test_port_of_others_holds_whatever_its_counters_are(digits: Checkpoint, tmp_path: Path) -> None:
    state = digits.build().state_dict()
    for name in state:
        if name.endswith("num_batches_tracked"):
            state[name] += 7
    torch.save(state, tmp_path / "port.pth")
    found = verify_file(tmp_path / "port.pth", DIGITS)
    assert found.holds
    assert (len(found.kept), len(found.computed), len(found.uncounted)) == (67, 0, 13)
    assert [each.stated for each in found.checksums] == [None]
    state["fc.bias"][4] += 1
    torch.save(state, tmp_path / "port.pth")
    found = verify_file(tmp_path / "port.pth", DIGITS)
    assert [each.name for each in found.differences] == ["fc.bias"]


def test_place_in_the_original_is_taken(golden: Callable[[str], Golden], tmp_path: Path) -> None:
    original = golden("in_a_table").path
    found = verify_file(saved(tmp_path, convert.load(original)), original)
    assert found.holds
    assert found.place is not None
    again = verify_file(tmp_path / "x.safetensors", original, at=found.place)
    assert again.holds
    with pytest.raises(ConvertError, match="nothing"):
        verify_file(tmp_path / "x.safetensors", original, at="nothing")


def test_swapped_files_are_refused_with_the_path(digits: Checkpoint, tmp_path: Path) -> None:
    path = saved(tmp_path, digits)
    with pytest.raises(SourceError, match="the original expected, found a converted file") as error:
        verify_file(DIGITS, path)
    assert error.value.path == path


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_trained_file_is_refused(digits: Checkpoint, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    trained = replace(digits, training={"epoch": 3})
    if suffix == ".pth":
        write_pth(trained, path)
    else:
        trained.save(path)
    described = "\n".join(description_lines(describe_file(path), modules=False))
    assert "trained: epoch 3" in described
    assert "conversion: " not in described
    with pytest.raises(SourceError, match="found one that resnext-train wrote") as error:
        verify_file(path, DIGITS)
    assert error.value.path == path


def test_network_that_ignores_its_input_is_not_verified(digits: Checkpoint, tmp_path: Path) -> None:
    state = digits.build().state_dict()
    state["fc.weight"].zero_()
    original = tmp_path / "zero.pth"
    torch.save(state, original)
    path = saved(tmp_path, convert.load(original))
    with pytest.raises(UnprovableError):
        verify_file(path, original)
    found = verify_file(path, DIGITS)
    assert [each.name for each in found.differences] == ["fc.weight"]
    assert not found.holds


def test_preprocessing_of_a_plain_original_is_the_users(digits: Checkpoint, tmp_path: Path) -> None:
    path = saved(tmp_path, replace(digits, preprocessing=CIFAR10, origin=Origin.GIVEN))
    found = verify_file(path, DIGITS)
    assert (found.preprocessing, found.replaced, found.holds) == (None, None, True)


def test_port_by_cadenes_names_is_compared_with_a_t7(
    golden: Callable[[str], Golden], tmp_path: Path
) -> None:
    original = golden("imagenet_c50").path
    network = convert.load(original)
    naming = next(each for each in namings() if each.words.startswith("Cadene"))
    state = {
        naming.name(name): torch.from_numpy(np.array(array))
        for name, array in network.tensors.items()
        if not name.endswith("num_batches_tracked")  # as of its time
    }
    torch.save(state, tmp_path / "resnext.pth")
    found = verify_file(tmp_path / "resnext.pth", original)
    assert (found.holds, found.differences) == (True, ())
    assert len(found.uncounted) == 53
    state["features.1.running_var"][2] *= 2
    torch.save(state, tmp_path / "resnext.pth")
    (difference,) = verify_file(tmp_path / "resnext.pth", original).differences
    assert (difference.name, difference.values) == ("bn1.running_var", 1)

"""`predict.pictures` against what Torch7 answered, and its oracle."""

import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

import convert
import predict
from benchmarks.growth import TINY
from benchmarks.networks import write_random
from convert.torch7.file import load
from convert.torch7.oracle import run
from convert.torch7.tree import Module, find_network
from resnext.checkpoint import Checkpoint, Origin
from resnext.errors import CheckpointError, DataError, PreprocessingError, ResnextError
from resnext.images.imagenet import NAMES as IMAGENET_NAMES
from resnext.images.imagenet import WNIDS
from resnext.pixels.pipelines import prepare, prepare_ten
from resnext.preprocessing import CIFAR10, Preprocessing
from tests.support.digits import DIGITS, NAMES
from tests.support.golden import DATA

GOLDEN = DATA / "digits_val_logits.npz"
VAL = DIGITS / "val"
CHEAP = "import sys, predict; dir(predict); print(sorted({'torch', 'numpy'} & set(sys.modules)))"


def golden() -> dict[str, np.ndarray]:
    """Return the softmax (10,) float64 of Torch7's logits of each digit, by the file's name."""
    stored = np.load(GOLDEN)
    logits = stored["logits"].astype(np.float64)
    rows = [np.exp(row) / np.exp(row).sum() for row in logits]
    return dict(zip(stored["names"].tolist(), rows, strict=True))


def short(image: str) -> str:
    return Path(image).relative_to(VAL).as_posix()


def test_answers_are_those_that_torch7_gave(checkpoint: Checkpoint) -> None:
    expected = golden()
    found = list(predict.pictures(checkpoint, VAL, top=10))
    assert [short(each.image) for each in found] == sorted(expected)
    for each in found:
        wanted = expected[short(each.image)]
        assert each.top[0].label == wanted.argmax()
        assert [answer.name for answer in each.top] == [NAMES[a.label] for a in each.top]
        given = np.zeros(10)
        given[[answer.label for answer in each.top]] = [a.probability for a in each.top]
        np.testing.assert_allclose(given, wanted, atol=1e-5)
        assert each.top == tuple(sorted(each.top, key=lambda answer: -answer.probability))


def lua_network() -> Module:
    return find_network(load(DIGITS / "resnext_11_8x4d_digits.t7").root)


@pytest.mark.parametrize("crops", [1, 10])
def test_features_are_what_the_lua_modules_give_before_the_last_one(
    checkpoint: Checkpoint, crops: int
) -> None:
    paths = sorted(VAL.glob("*/*.JPEG"))[::60]
    whole = lua_network()
    headless = replace(whole, modules=whole.modules[:-1])
    found = list(predict.pictures(checkpoint, paths, features=True, crops=crops))
    assert checkpoint.preprocessing is not None
    for path, each in zip(paths, found, strict=True):
        data = path.read_bytes()
        inputs = (
            prepare(data, checkpoint.preprocessing)[None]
            if crops == 1
            else prepare_ten(data, checkpoint.preprocessing)
        )
        wanted = cast("Tensor", run(headless, torch.from_numpy(inputs).double()))
        assert each.features is not None
        assert each.features.dtype == np.float32
        np.testing.assert_allclose(
            each.features, wanted.reshape(crops, -1).mean(0).numpy(), atol=1e-5
        )


@pytest.mark.parametrize("layer", ["layer1", "layer2", "layer3"])
def test_features_of_a_stage_are_the_average_over_its_map(
    checkpoint: Checkpoint, layer: str
) -> None:
    path = VAL / "3_three" / "0013.JPEG"
    if layer not in checkpoint.spec.stage_names:
        pytest.skip(f"the network has no {layer}")
    network = checkpoint.build(dtype=torch.float64)
    maps: list[Tensor] = []
    network.get_submodule(layer).register_forward_hook(lambda *found: maps.append(found[2]))
    assert checkpoint.preprocessing is not None
    picture = prepare(path.read_bytes(), checkpoint.preprocessing)
    with torch.inference_mode():
        network(torch.from_numpy(picture)[None].double())
    (each,) = predict.pictures(checkpoint, path, layer=layer)
    assert each.features is not None
    np.testing.assert_allclose(each.features, maps[0][0].mean((1, 2)).numpy(), atol=1e-5)


def test_order_is_that_given_and_a_picture_given_twice_is_there_twice(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    one, other = VAL / "7_seven" / "0044.JPEG", VAL / "1_one" / "1030.JPEG"
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(one.read_bytes()[:100])
    paths = [other, one, broken, str(other), tmp_path / "gone.jpg"]
    found = list(predict.pictures(checkpoint, paths, batch_size=2, features=True))
    assert [each.image for each in found] == [str(path) for path in paths]
    assert [each.top[0].name if each.top else None for each in found] == [
        *("1_one", "7_seven", None, "1_one", None)
    ]
    assert [answer.label for answer in found[0].top] == [a.label for a in found[3].top]
    assert [each.features is None for each in found] == [False, False, True, False, True]
    assert [each.error is None for each in found] == [True, True, False, True, False]
    assert found[4].error == "cannot be read: No such file or directory"


@pytest.mark.parametrize("workers", [1, 2])
def test_other_processes_read_the_same(checkpoint: Checkpoint, workers: int) -> None:
    def rows(count: int) -> list[tuple[object, ...]]:
        found = predict.pictures(checkpoint, VAL / "4_four", workers=count, features=True)
        return [(p.image, p.top, p.features.tobytes()) for p in found if p.features is not None]

    assert len(rows(0)) == 33
    assert rows(workers) == rows(0)


def test_iterator_that_is_left_early_ends_its_processes(checkpoint: Checkpoint) -> None:
    found = predict.pictures(checkpoint, VAL, workers=2, batch_size=4)
    assert next(found).image.endswith("0020.JPEG")
    found.close()  # type: ignore[attr-defined]
    import multiprocessing

    assert multiprocessing.active_children() == []


def test_threshold_and_top_leave_classes_out(checkpoint: Checkpoint) -> None:
    path = VAL / "3_three" / "0013.JPEG"  # 3: 96.05 %, 9: 2.98 %, 5: 0.55 %
    (each,) = predict.pictures(checkpoint, path, threshold=0.01)
    assert [answer.name for answer in each.top] == ["3_three", "9_nine"]
    (each,) = predict.pictures(checkpoint, path, top=1)
    assert [(answer.label, round(answer.probability, 4)) for answer in each.top] == [(3, 0.9605)]
    (each,) = predict.pictures(checkpoint, path, threshold=1)
    assert (each.top, each.error) == ((), None)


def test_network_without_names_answers_labels(checkpoint: Checkpoint) -> None:
    nameless = replace(checkpoint, classes=None)
    (each,) = predict.pictures(nameless, VAL / "3_three" / "0013.JPEG", top=2)
    assert [answer.name for answer in each.top] == ["3", "9"]


def test_network_of_imagenet_answers_names_with_wnids(tmp_path: Path) -> None:
    """Two classes are called crane, and only the wnid tells which is meant."""
    path = tmp_path / "tiny.safetensors"
    write_random(path, replace(TINY, classes=1000), CIFAR10)
    tiny = replace(convert.load(path), classes=IMAGENET_NAMES, wnids=WNIDS)
    (each,) = predict.pictures(tiny, VAL / "3_three" / "0013.JPEG", top=1000)
    names = {answer.label: answer.name for answer in each.top}
    assert len(names) == 1000
    assert names[0] == "tench (n01440764)"
    assert (names[134], names[517]) == ("crane (n02012849)", "crane (n03126707)")
    assert sum(answer.probability for answer in each.top) == pytest.approx(1)


def test_checkpoint_may_be_a_path_or_a_text(network: Path) -> None:
    path = VAL / "8_eight" / "0028.JPEG"
    assert [p.top[0].name for p in predict.pictures(network, [path])] == ["8_eight"]
    assert [p.top[0].name for p in predict.pictures(str(network), str(path))] == ["8_eight"]


def test_preprocessing_of_the_caller_replaces_the_checkpoints(
    checkpoint: Checkpoint, caplog: pytest.LogCaptureFixture
) -> None:
    path = VAL / "3_three" / "0013.JPEG"
    stored = checkpoint.preprocessing
    assumed = replace(
        checkpoint,
        preprocessing=Preprocessing(scale=None, crop=8, mean=(0, 0, 0), std=(1, 1, 1)),
        origin=Origin.ASSUMED,
    )
    with caplog.at_level(logging.WARNING):
        list(predict.pictures(assumed, path))
        assert "preprocessing assumed from the network's shape, crop 8" in caplog.text
        caplog.clear()
        (each,) = predict.pictures(assumed, path, preprocessing=stored)
        assert caplog.text == ""
    assert round(each.top[0].probability, 4) == 0.9605
    text = str(DIGITS / "preprocessing.toml")
    for given in (text, Path(text)):
        (again,) = predict.pictures(assumed, path, preprocessing=given)
        assert again.top == each.top
    (other,) = predict.pictures(checkpoint, path, scale=40)
    assert other.top != each.top


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "layer9"}, "layer: one of layer1, .* expected, found 'layer9'"),
        ({"layer": "fc"}, "layer: one of layer1, "),
        ({"crops": 2}, "crops: one of 1, 10 expected, found 2"),
        ({"top": 0}, "top: a whole number of at least 1 expected, found 0"),
        ({"threshold": float("nan")}, "threshold: 0 to 1 expected, found nan"),
        ({"pipeline": "lanczos"}, "pipeline: one of None, torch7, pil, opencv expected"),
        ({"precision": "fp8"}, "precision: one of fp32, tf32, bf16, fp16 expected"),
        ({"preprocessing": "digits"}, "preprocessing digits: imagenet, "),
        ({"scale": 20}, "scale 20 is smaller than crop 32"),
        ({"batch_size": 0}, "batch_size: a whole number of at least 1"),
        ({"device": "abacus"}, "device 'abacus': cpu, cuda"),
        ({"threshold": "0.5"}, "threshold: 0 to 1 expected, found '0.5'"),
        ({"scale": "256"}, "scale: a whole number of at least 0 expected, found '256'"),
        ({"features": "f.npy"}, "features: True or False expected, found 'f.npy'"),
        ({"preprocessing": 3}, "a resnext.Preprocessing expected, found int"),
    ],
)
def test_option_that_cannot_be_used_is_refused_at_once(
    checkpoint: Checkpoint, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ResnextError, match=message):
        predict.pictures(checkpoint, VAL, **options)  # type: ignore[arg-type]


def test_paths_without_a_picture_are_refused_at_once(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="found no picture"):
        predict.pictures(checkpoint, tmp_path)
    with pytest.raises(DataError, match="found no picture"):
        predict.pictures(checkpoint, [])


def test_checkpoint_without_preprocessing_is_refused(checkpoint: Checkpoint) -> None:
    bare = replace(checkpoint, preprocessing=None, origin=None)
    with pytest.raises(PreprocessingError, match="no preprocessing is known for this network"):
        predict.pictures(bare, VAL)


def test_network_that_answers_no_numbers_is_refused(checkpoint: Checkpoint) -> None:
    tensors = dict(checkpoint.tensors)
    tensors["fc.bias"] = np.full(10, np.nan, np.float32)
    with pytest.raises(CheckpointError, match=r"finite logits expected, .* image .*0020\.JPEG"):
        list(predict.pictures(replace(checkpoint, tensors=tensors), VAL))


def test_import_is_cheap_and_lists_its_names() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHEAP],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
    assert {"pictures", "Prediction", "Answer"} <= set(dir(predict))
    assert predict.Answer(label=1, name="a", probability=0.5).name == "a"
    with pytest.raises(AttributeError, match="module 'predict' has no attribute 'answer'"):
        predict.answer  # noqa: B018

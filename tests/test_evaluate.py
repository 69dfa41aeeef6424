import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import convert
import validate.batches
from resnext.data.sources import ImageSet, Item, class_folders
from resnext.errors import CheckpointError, DataError, ImageError
from resnext.preprocessing import Preprocessing
from validate.batches import memory_explained, read_batches
from validate.evaluate import Candidate, compute_logits, evaluate, tally
from validate.metrics import Counts, count, top_five
from validate.protocols import Protocol

DIGITS = Path(__file__).parents[1] / "examples" / "digits"
GOLDEN = Path(__file__).parent / "data" / "digits_val_logits.npz"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SCALED = Preprocessing(scale=36, crop=32, mean=IMAGENET_MEAN, std=IMAGENET_STD)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Keep tests that run side by side from waiting for each other's threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def images() -> ImageSet:
    """Return the 360 images that Torch7 validated on."""
    return class_folders(DIGITS / "val")


def candidate(preprocessing: Preprocessing = SCALED) -> Candidate:
    network = convert.load(DIGITS / "resnext_11_8x4d_digits.t7").build()
    protocol = Protocol(name="digits", preprocessing=preprocessing)
    return Candidate(checkpoint="digits.t7", protocol=protocol, network=network)


def first(images: ImageSet, number: int) -> ImageSet:
    return replace(images, items=images.items[:number])


def ignore(done: int) -> None:
    """Show no progress."""


def test_digits_logits_are_those_of_torch7(images: ImageSet) -> None:
    with np.load(GOLDEN) as golden:
        names, expected = golden["names"], golden["logits"]
    network = candidate().network
    batches = list(read_batches(images.items, [SCALED], batch_size=16, workers=0))
    found = np.concatenate([compute_logits(network, batch.pixels[0]) for batch in batches])
    assert [name for batch in batches for name in batch.ids] == list(names)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-4
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()


@pytest.mark.parametrize(("batch_size", "workers"), [(16, 0), (7, 2)])
def test_digits_counts_are_those_of_torch7(images: ImageSet, batch_size: int, workers: int) -> None:
    done: list[int] = []
    decisions = evaluate(images, [candidate()], batch_size=batch_size, workers=workers)
    counts = tally(decisions, 1, progress=done.append)
    assert counts == (Counts(images=360, top1_correct=345, top5_correct=359),)
    assert sum(done) == 360
    assert max(done) == batch_size


def test_decisions_carry_ids_labels_and_five_classes_of_each_network(images: ImageSet) -> None:
    few = replace(images, items=(*images.items[:2], *images.items[-2:]))
    (batch,) = evaluate(few, [candidate(), candidate()], batch_size=4, workers=0)
    assert batch.ids[0] == "0_zero/0020.JPEG"
    assert batch.ids[3] == "9_nine/1792.JPEG"
    assert batch.labels.tolist() == [0, 0, 9, 9]
    assert [top.shape for top in batch.top_five] == [(4, 5), (4, 5)]


def test_each_image_is_decoded_once_and_prepared_once_for_each_preprocessing(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    decode, prepare_pixels = validate.batches.decode, validate.batches.prepare_pixels

    def counted_decode(data: bytes) -> np.ndarray:
        calls.append("decode")
        return decode(data)

    def counted_prepare(pixels: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
        calls.append("prepare")
        return prepare_pixels(pixels, preprocessing)

    monkeypatch.setattr(validate.batches, "decode", counted_decode)
    monkeypatch.setattr(validate.batches, "prepare_pixels", counted_prepare)
    other = replace(SCALED, scale=40)
    candidates = [candidate(), candidate(other), candidate()]
    counts = tally(
        evaluate(first(images, 5), candidates, batch_size=2, workers=0), 3, progress=ignore
    )
    assert calls == ["decode", "prepare", "prepare"] * 5
    assert [each.images for each in counts] == [5, 5, 5]


@pytest.mark.parametrize("workers", [0, 1])
def test_image_that_cannot_be_decoded_is_named(
    images: ImageSet, tmp_path: Path, workers: int
) -> None:
    path = tmp_path / "broken.JPEG"
    path.write_bytes(images.items[0].path.read_bytes()[:300])
    broken = Item(id="0_zero/broken.JPEG", path=path, label=0)
    mixed = replace(images, items=(*images.items[:3], broken))
    decisions = evaluate(mixed, [candidate()], batch_size=2, workers=workers)
    with pytest.raises(ImageError) as caught:
        tally(decisions, 1, progress=ignore)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("workers", [0, 1])
def test_image_that_cannot_be_read_is_named(images: ImageSet, tmp_path: Path, workers: int) -> None:
    gone = Item(id="0_zero/gone.JPEG", path=tmp_path / "gone.JPEG", label=0)
    decisions = evaluate(
        replace(images, items=(gone,)), [candidate()], batch_size=2, workers=workers
    )
    with pytest.raises(DataError, match=r"gone\.JPEG: cannot be read: No such file"):
        tally(decisions, 1, progress=ignore)


def test_other_number_of_classes_is_refused_before_anything_is_read(images: ImageSet) -> None:
    fewer = replace(images, classes=images.classes[:3])
    with pytest.raises(DataError, match=r"10 class folders expected.* found 3"):
        evaluate(fewer, [candidate()], batch_size=2, workers=0)


def test_logits_that_are_not_finite_are_refused(images: ImageSet) -> None:
    broken = candidate()
    torch.nn.init.constant_(broken.network.fc.bias, float("nan"))
    decisions = evaluate(first(images, 2), [broken], batch_size=2, workers=0)
    with pytest.raises(CheckpointError, match=r"digits\.t7: finite logits.* 0_zero/0020\.JPEG"):
        tally(decisions, 1, progress=ignore)


# A process of its own: the loader's signal handler may strike at any line.
KILL_A_WORKER = """
import multiprocessing, os, signal, sys
from pathlib import Path
import validate.evaluate as evaluate
import validate.measurement as measurement
from resnext.errors import DataError

def tally(decisions, networks, *, progress, counted=evaluate.tally):
    next(decisions)
    os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
    return counted(decisions, networks, progress=progress)

evaluate.tally = tally
config = measurement.Config(
    data=Path("val"), claims=None, batch_size=1, workers=2, checkpoints=(sys.argv[1],)
)
try:
    measurement.measure(config, note=lambda text: None)
except DataError as error:
    print(error)
"""


def test_killed_worker_is_reported_as_such() -> None:
    command = [sys.executable, "-c", KILL_A_WORKER, "resnext_11_8x4d_digits.t7"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=DIGITS, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("a process that reads images was killed"), done.stderr
    assert "use a smaller --batch-size, or --workers 0" in done.stdout


def test_tensor_that_does_not_fit_in_memory_is_reported_as_such() -> None:
    with pytest.raises(DataError, match="use a smaller --batch-size"), memory_explained():
        torch.empty(2**60, dtype=torch.uint8)


def test_top_five_are_the_largest_logits_the_largest_first() -> None:
    logits = np.array([[0.1, 0.9, -3.0, 0.5, 0.3, 0.2, 0.4]], np.float32)
    assert top_five(logits).tolist() == [[1, 3, 6, 4, 5]]


def test_top_five_of_equal_logits_are_the_lower_classes() -> None:
    logits = np.array([[1, 2, 2, 1, 1, 1, 2]], np.float32)
    assert top_five(logits).tolist() == [[1, 2, 6, 0, 3]]


def test_top_five_of_three_classes_are_three() -> None:
    assert top_five(np.array([[1, 3, 2]], np.float32)).tolist() == [[1, 2, 0]]


def test_counts_tell_the_first_from_the_first_five() -> None:
    decisions = np.array([[7, 1, 2, 3, 4], [1, 7, 2, 3, 4], [1, 2, 3, 4, 7], [1, 2, 3, 4, 5]])
    labels = np.array([7, 7, 7, 7])
    assert count(decisions, labels) == Counts(images=4, top1_correct=1, top5_correct=3)


def test_counts_of_two_sets_add_up() -> None:
    one = Counts(images=4, top1_correct=1, top5_correct=3)
    two = Counts(images=2, top1_correct=2, top5_correct=2)
    assert one + two == Counts(images=6, top1_correct=3, top5_correct=5)

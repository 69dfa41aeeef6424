"""Every form of images gives the same pictures with the same labels, and the same answers."""

import os
import pickle
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import convert
from resnext.errors import DataError
from resnext.images.alignment import aligned
from resnext.images.image_set import ImageSet
from resnext.images.sources.opening import open_images
from resnext.inference.arithmetic import Precision
from resnext.inference.metrics import Counts, count, top_five
from resnext.inference.predictor import Predictor
from resnext.loader.batches import read_batches
from resnext.pixels.transforms import prepare_pixels
from resnext.preprocessing import Preprocessing
from resnext.published import read_table
from tests.support.golden import ROOT
from tests.support.image_forms import CLASSES, FORMS, digits

EXAMPLE = ROOT / "examples" / "digits"


@dataclass(frozen=True)
class Prepare:
    """Return the network input of a picture, as `resnext-validate` prepares it."""

    preprocessing: Preprocessing

    def __call__(self, pixels: np.ndarray, _: int) -> np.ndarray:
        return prepare_pixels(pixels, self.preprocessing)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ImageSet]:
    """Return a function that opens the digits in a form, which it writes at the first call."""

    @cache
    def get(name: str) -> ImageSet:
        arguments: dict[str, Any] = FORMS[name](tmp_path_factory.mktemp(name))
        return open_images(**arguments)

    return get


@pytest.fixture(scope="module")
def decide() -> Callable[[np.ndarray], np.ndarray]:
    """Return what decides the five best classes of inputs (N, 3, H, W), of the same ones once."""
    torch.set_num_threads(1)
    network = convert.load(EXAMPLE / "resnext_11_8x4d_digits.t7").build(device="cpu")
    predictor = Predictor(network, device=torch.device("cpu"), precision=Precision.FP32)
    known: dict[bytes, np.ndarray] = {}

    def decided(inputs: np.ndarray) -> np.ndarray:
        names = [each.tobytes() for each in inputs]
        if new := [at for at, name in enumerate(names) if name not in known]:
            top = top_five(predictor.logits(torch.from_numpy(inputs[new])))
            known.update((names[at], row) for at, row in zip(new, top, strict=True))
        return np.stack([known[name] for name in names])

    return decided


every_form = pytest.mark.parametrize("form", FORMS)

# One form of each kind; the others, at two seconds each, are marked slow.
KINDS = ("class_folders", "flat_by_name", "tar_of_folders", "folder_of_shards", "folder_of_parquet")
others_slow = pytest.mark.parametrize(
    "form",
    [pytest.param(name, marks=() if name in KINDS else pytest.mark.slow) for name in FORMS],
)


@every_form
def test_form_holds_the_same_pictures_with_the_same_labels(
    form: str, opened: Callable[[str], ImageSet]
) -> None:
    images = opened(form)
    found = [(images.reader.read(n), int(images.labels[n])) for n in range(len(images))]
    assert Counter(found) == Counter((data, label) for _, _, data, label in digits())
    assert images.classes in (CLASSES, None)
    assert len(set(images.ids)) == 360


@others_slow
def test_form_gives_the_counts_that_torch7_measured(
    form: str,
    opened: Callable[[str], ImageSet],
    decide: Callable[[np.ndarray], np.ndarray],
) -> None:
    images = aligned(opened(form), classes=10, names=None)
    row = read_table(EXAMPLE / "claims.toml")[0]
    positions = [list(range(start, min(start + 60, 360))) for start in range(0, 360, 60)]
    counts = Counts()
    for batch in read_batches(images, positions, [Prepare(row.preprocessing)], workers=0):
        counts += count(decide(batch.tensor().numpy()), images.labels[batch.positions])
        assert not batch.failures
    assert counts == Counts(images=360, top1_correct=345, top5_correct=359)


@pytest.mark.parametrize("form", KINDS)
def test_form_is_read_in_processes_of_its_own_out_of_order(
    form: str, opened: Callable[[str], ImageSet]
) -> None:
    images = opened(form)
    images.reader.read(7)  # what is open here must not matter there
    positions = [[200, 5], [199, 359], [0, 201], [6, 4]]
    prepare = [Prepare(read_table(EXAMPLE / "claims.toml")[0].preprocessing)]
    batches = list(read_batches(images, positions, prepare, workers=2))
    assert [batch.positions.tolist() for batch in batches] == positions
    for batch in batches:
        again = [
            prepare[0](images.decode(images.reader.read(n)).pixels, n)
            for n in batch.positions.tolist()
        ]
        assert np.array_equal(batch.tensor().numpy(), np.stack(again))


@every_form
def test_form_can_be_sent_to_another_process(form: str, opened: Callable[[str], ImageSet]) -> None:
    images = opened(form)
    copy = pickle.loads(pickle.dumps(images))  # noqa: S301
    assert copy.digest() == images.digest()
    assert copy.reader.read(17) == images.reader.read(17)
    assert list(copy.ids) == list(images.ids)


@pytest.mark.parametrize(
    ("names", "data", "message"),
    [
        (
            [],
            "",
            "^the name of the images is empty; class folders, a flat folder of images with -",
        ),
        ([], "missing", "missing: no such file or folder; class folders, .* or cifar100 expected"),
        ([], "CIFAR-10", "CIFAR-10: no such file or folder; class folders, .* expected"),
        (["list.txt"], "list.txt", "list.txt: class folders, .* found a file of another form"),
        ([], "pipe:cat x.tar", "pipe:cat x.tar: shards at http or https"),
        ([], "https://host/x.parquet", "x.parquet: shards at http or https, whose names end in"),
        ([], "http://[::1/x.tar", "x.tar: shards at http or https"),
        ([], "http://\udcff/x.tar", "x.tar: shards at http or https"),
        ([], "http://me:secret@host/x", "http://me@host/x: shards at http or https"),
        ([], "none-*.tar", "none-.*: files that match the pattern expected, found none"),
        (["0.tar"], "{0..2}.tar", "{0..2}.tar: 3 files expected, missing 1.tar, 2.tar"),
        ([], "{0..2.tar", "{0..2.tar: a pattern like {00..63} expected: Unbalanced braces"),
        ([], "{0..99999999999}.tar", ": 100,000 names at most expected, found more"),
        ([], f"http://host/{{0..{'9' * 50}}}.tar", ": 100,000 names at most expected"),
        ([], "{{a..z},x}{0..99..2}{0..99}.tar", ": 100,000 names at most expected, found more"),
        (["a.tar", "b.parquet"], "[ab].*", ": tars of shards or Parquet files, not both, expected"),
    ],
    ids=lambda value: value if isinstance(value, str) and "expected" not in value else None,
)
def test_data_that_is_not_understood_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], data: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in names:
        Path(name).write_bytes(b"x")
    with pytest.raises(DataError, match=message):
        open_images(data)


@pytest.mark.parametrize("form", ["folder_of_shards", "parquet_by_glob"])
def test_labels_beside_images_that_bring_their_own_are_refused(tmp_path: Path, form: str) -> None:
    arguments: dict[str, Any] = FORMS[form](tmp_path)
    with pytest.raises(
        DataError, match=r"bring labels, so labels\.csv cannot apply; leave out --la"
    ):
        open_images(**arguments, labels=Path("labels.csv"))


def test_split_is_chosen_by_the_names_of_files(tmp_path: Path) -> None:
    arguments: dict[str, Any] = FORMS["folder_of_parquet"](tmp_path)
    assert len(open_images(**arguments, split="train")) == 3


def test_split_that_no_file_is_of_is_refused(tmp_path: Path) -> None:
    arguments: dict[str, Any] = FORMS["folder_of_shards"](tmp_path)
    with pytest.raises(DataError, match="the split 'train' expected, found those of val"):
        open_images(**arguments, split="train")


@pytest.mark.parametrize("name", ["x", "x.tar", "x.parquet"])
def test_pipe_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match=rf"{name}: a file on disk expected, found a pipe; save"):
        open_images(str(tmp_path / name))


@pytest.mark.parametrize("name", ["x.tar", "x.parquet"])
def test_pipe_in_a_folder_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match=rf"{name}: a file on disk expected, found a pipe; save"):
        open_images(str(tmp_path))


def test_device_is_refused() -> None:
    with pytest.raises(DataError, match=r"^/dev/zero: a file on disk expected, found a device; "):
        open_images("/dev/zero")


def test_pipe_among_pictures_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").touch()
    os.mkfifo(tmp_path / "a" / "2.jpg")
    os.mkfifo(tmp_path / "a" / "3")
    images = open_images(str(tmp_path))
    assert tuple(images.ids) == ("a/1.jpg",)
    assert images.notes == (f"{tmp_path}: 2 ignored, hidden or no images: a/2.jpg (no file), a/3",)

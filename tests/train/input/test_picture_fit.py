"""Whether a pipeline fits the pictures, by their sizes, and what a training makes of it."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnext.checkpoint import Checkpoint
from resnext.images.image_set import ImageSet
from resnext.preprocessing import CIFAR10, IMAGENET
from tests.support.train_runs import CLASSES, assert_refused, run, tiny, write_data
from train.input.picture_fit import fitted_preprocessing, picture_fit, sampled_sizes
from train.input.split import Images
from train.recipe.recipe import CIFAR_2017, FINETUNE, IMAGENET_2017

SIZED, PADDED = FINETUNE.augmentation, CIFAR_2017.augmentation


class Pictures:
    """A reader of empty pictures of some sizes (height, width); of None something else."""

    def __init__(self, sizes: list[tuple[int, int] | None], form: str = "PNG") -> None:
        self.sizes, self.form, self.reads = sizes, form, 0

    def read(self, position: int) -> bytes:
        self.reads += 1
        size = self.sizes[position]
        if size is None:
            return b"no image"
        file = io.BytesIO()
        Image.new("RGB", size[::-1]).save(file, self.form)
        return file.getvalue()

    def stamp(self) -> str:
        return "some"

    def as_set(self) -> ImageSet:
        return ImageSet(
            root="set",
            ids=tuple(map(str, range(len(self.sizes)))),
            labels=np.zeros(len(self.sizes), np.int64),
            classes=("a", "b"),
            reader=self,
        )


def of_sizes(*sizes: tuple[int, int] | None) -> Images:
    return Images(train=Pictures(list(sizes)).as_set(), val=Pictures([sizes[0]]).as_set())


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "WEBP"])
def test_sizes_are_read_and_what_is_no_picture_is_left_out(form: str) -> None:
    images = Pictures([(60, 80), None, (300, 200)], form).as_set()
    assert sampled_sizes(images) == [(60, 80), (300, 200)]


def test_few_of_many_pictures_are_read() -> None:
    reader = Pictures([(8, 9)] * 1000)
    assert len(sampled_sizes(reader.as_set())) == 64
    assert reader.reads == 64


def test_crop_of_pictures_that_nothing_scales_shows_little_and_something_else_than_training() -> (
    None
):
    fit = picture_fit([(100, 100), (200, 200), (300, 400)], CIFAR10, SIZED)
    assert fit.sides == (100, 300)
    assert fit.covered == pytest.approx(32 / 200)
    # The middle picture of 200 x 200: 67.5 % of it, on average, become 32 x 32 pixels in training.
    assert fit.enlarged == pytest.approx(200 / 32 * 0.675**0.5)
    assert picture_fit([(200, 200)], CIFAR10, PADDED).enlarged == 1


@pytest.mark.parametrize(
    ("row", "augmentation", "size"),
    [
        (CIFAR10, PADDED, (32, 32)),
        (CIFAR10, SIZED, (32, 32)),
        (CIFAR10, SIZED, (40, 45)),
        (CIFAR10, PADDED, (20, 20)),
        (IMAGENET, IMAGENET_2017.augmentation, (375, 500)),
        (IMAGENET, SIZED, (375, 500)),
        (replace(CIFAR10, scale=36), SIZED, (40, 56)),
    ],
    ids=["CIFAR 2017", "CIFAR", "a margin", "smaller", "ImageNet 2017", "ImageNet", "digits"],
)
def test_pipeline_that_fits_stays_without_a_word(row, augmentation, size) -> None:
    for stated in (False, True):
        assert fitted_preprocessing(row, augmentation, of_sizes(size), scale_stated=stated) == (
            row,
            None,
        )


def test_pictures_that_nothing_scales_get_the_usual_scale() -> None:
    images = of_sizes((60, 90), (180, 200), (300, 300))
    row, note = fitted_preprocessing(CIFAR10, SIZED, images, scale_stated=False)
    assert row == replace(CIFAR10, scale=36)
    assert note == (
        "set: pictures of 60 to 300 pixels (the shorter side), of which the crop of 32 pixels "
        "shows 36%, and things 3.4 times as large as in training, and nothing scales them: scale "
        "36 taken, --scale N is another, --scale 0 none"
    )


@pytest.mark.parametrize(
    ("row", "part"),
    [
        (CIFAR10, "the crop of 32 pixels shows 16%, and things 5.1 times as large as in training"),
        (replace(IMAGENET, scale=1000), "the crop of 224 pixels shows 22%, and things 3.7 times"),
    ],
    ids=["scale 0", "scale 1000"],
)
def test_scale_that_was_stated_stays_and_what_it_does_is_said(row, part: str) -> None:
    found, note = fitted_preprocessing(row, SIZED, of_sizes((200, 200)), scale_stated=True)
    assert found == row
    assert note is not None
    assert part in note
    assert "pictures of 200 pixels" in note


def test_pictures_of_many_sizes_get_a_scale_where_some_are_smaller_than_the_crop() -> None:
    images = of_sizes((28, 28), (30, 40), (36, 36), (40, 36))
    row, note = fitted_preprocessing(CIFAR10, PADDED, images)
    assert row.scale == 36
    assert note is not None
    assert "of which 60% are smaller than the crop of 32 pixels, and nothing scales them" in note


def test_few_pictures_that_are_smaller_are_left_to_the_check_of_all() -> None:
    images = of_sizes(*[(32, 32)] * 20, (20, 20))
    assert fitted_preprocessing(CIFAR10, PADDED, images) == (CIFAR10, None)


def test_crop_of_the_users_own_scales_smaller_pictures() -> None:
    row = replace(CIFAR10, crop=224)
    found, note = fitted_preprocessing(row, SIZED, of_sizes((32, 32)), crop_stated=True)
    assert found == replace(row, scale=256)
    assert note is not None
    assert "100% are smaller than the crop of 224 pixels" in note
    assert fitted_preprocessing(row, SIZED, of_sizes((32, 32))) == (row, None)


def test_set_without_a_readable_picture_is_left_to_the_check_of_all() -> None:
    assert fitted_preprocessing(CIFAR10, SIZED, of_sizes(None), scale_stated=False) == (
        CIFAR10,
        None,
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with pictures of 20 to 90 pixels, and a network that sees 8 of them."""
    root = write_data(tmp_path_factory.mktemp("fit"))
    generator = np.random.default_rng(0)
    for part, each in (("train", 6), ("val", 3)):
        for label, name in enumerate(CLASSES):
            folder = root / "photos" / part / name
            folder.mkdir(parents=True)
            for number in range(each):
                height, width = generator.integers(20, 91, 2)
                pixels = generator.integers(0, 128, (height, width, 3), dtype=np.uint8)
                pixels[:, :, label] += 100
                suffix = ("png", "jpg")[number % 2]
                Image.fromarray(pixels).save(folder / f"{number}.{suffix}")
    return root


FINETUNED = ("--data", "photos", "--recipe", "finetune", "--epochs", "1")


def test_chosen_scale_is_that_of_the_run_its_checkpoint_and_its_resumption(root: Path) -> None:
    done = run(root, *tiny("chosen", *FINETUNED))
    assert done.returncode == 0, done.stderr
    (note,) = [line for line in done.stderr.splitlines() if "--scale" in line]
    assert "photos/train: pictures of 2" in note
    assert "nothing scales them: scale 9 taken, --scale N is another, --scale 0 none" in note
    assert "scale 9, crop 8, mean" in done.stdout
    assert "scale 9, crop 8" in (root / "chosen" / "training.html").read_text()
    for name in ("best", "last"):
        row = Checkpoint.load(root / "chosen" / f"{name}.safetensors").preprocessing
        assert row is not None
        assert (row.scale, row.crop) == (9, 8)
    again = run(root, *tiny("chosen", *FINETUNED, "--resume"))
    assert again.returncode == 0, again.stderr
    assert "this run is done" in again.stderr
    other = run(root, *tiny("chosen", *FINETUNED, "--resume", "--scale", "20"))
    assert_refused(other, "the saved run has preprocessing scale 9, this command 20 (--scale)")


@pytest.mark.parametrize(
    ("words", "plan"),
    [
        (("--scale", "20"), "scale 20, crop 8,"),
        (("--scale", "0"), "; crop 8,"),
        (("--scale", "20", "--crop", "16"), "scale 20, crop 16,"),
        (("--crop", "16"), "scale 18, crop 16,"),
    ],
    ids=["scale", "none", "both", "crop"],
)
def test_scale_and_crop_are_options(root: Path, words: tuple[str, ...], plan: str) -> None:
    output = "_".join(words)
    done = run(root, *tiny(output, *FINETUNED, *words))
    assert done.returncode == 0, done.stderr
    assert plan in done.stdout
    row = Checkpoint.load(root / output / "last.safetensors").preprocessing
    assert row is not None
    assert f"crop {row.crop}," in plan


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("--scale", "4"), "before.t7 with --scale: scale 4 is smaller than crop 8; give both"),
        (("--scale", "9460"), "'--scale': 9460 is not in the range 0<=x<=9459"),
        (("--crop", "0"), "'--crop': 0 is not in the range 1<=x<=9459"),
        (("--scale", "0", "--crop", "30"), "at least 30 x 30 pixels expected, found "),
    ],
    ids=["scale", "large", "crop", "smaller pictures"],
)
def test_side_that_cannot_be_is_refused(root: Path, words: tuple[str, ...], part: str) -> None:
    assert_refused(run(root, *tiny("x", *FINETUNED, *words)), part)
    assert not list((root / "x").glob("*.safetensors"))

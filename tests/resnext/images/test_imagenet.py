"""The classes of ILSVRC2012 and the built-in labels of its validation images."""

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnext.errors import DataError, UnlabelledError
from resnext.images.image_set import ImageSet
from resnext.images.imagenet import NAMES, WNIDS, validation_labels
from resnext.images.sources.opening import open_images
from tests.support.image_forms import add, write_parquet

# Labels of the first six validation images, and wnids of these classes.
LABELS = (65, 970, 230, 809, 516, 57)
FOLDERS = ("n01751748", "n09193705", "n02105855", "n04263257", "n03125729", "n01735189")


BUILT_IN = "the built-in labels of ILSVRC2012's validation set"


def file_name(number: int) -> str:
    return f"ILSVRC2012_val_{number:08d}.JPEG"


FILES = tuple(file_name(number) for number in range(1, 7))


def picture(seed: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (seed, 0, 0)).save(file, "JPEG")
    return file.getvalue()


def folder(root: Path, names: tuple[str, ...]) -> str:
    for seed, name in enumerate(names):
        path = root / "val" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(seed))
    return str(root / "val")


def tar(root: Path, names: tuple[str, ...]) -> str:
    with tarfile.open(root / "ILSVRC2012_img_val.tar", "w") as archive:
        for seed, name in enumerate(names):
            add(archive, name, picture(seed))
    return str(root / "ILSVRC2012_img_val.tar")


both = pytest.mark.parametrize("make", [folder, tar])
Make = Callable[[Path, tuple[str, ...]], str]


def test_thousand_classes_are_those_of_ilsvrc2012() -> None:
    assert (len(WNIDS), len(set(WNIDS)), sorted(WNIDS)) == (1000, 1000, list(WNIDS))
    assert (WNIDS[0], WNIDS[999]) == ("n01440764", "n15075141")
    assert [label for label, name in enumerate(NAMES) if name == "crane"] == [134, 517]


def test_built_in_labels_are_the_published_ones() -> None:
    labels = validation_labels()
    table = np.array(list(labels.numbers.values()))
    assert list(labels.numbers)[::49_999] == ["ILSVRC2012_val_00000001", "ILSVRC2012_val_00050000"]
    assert np.bincount(table).tolist() == [50] * 1000
    assert tuple(WNIDS[label] for label in table[:6]) == FOLDERS
    assert hashlib.sha256(table.astype("<u2").tobytes()).hexdigest() == (
        "f5350687a5a78da7e645040d352767bc06c1c99d9dfb34f1623b2d1a1d046b76"
    )


@both
def test_flat_validation_images_need_no_labels(tmp_path: Path, make: Make) -> None:
    data = make(tmp_path, FILES[::-1])
    images = open_images(data)
    assert tuple(images.ids) == FILES
    assert tuple(images.labels) == LABELS
    assert images.classes == WNIDS
    assert images.notes == (
        f"{BUILT_IN}: 49994 labels are of images that are not in {data}",
        f"{data}: files called ILSVRC2012_val_* are labelled by their names, with {BUILT_IN}",
    )


def test_flat_validation_images_below_the_folder_of_their_split_need_no_labels(
    tmp_path: Path,
) -> None:
    folder(tmp_path, FILES)
    assert tuple(open_images(str(tmp_path)).labels) == LABELS


def test_flat_validation_images_of_another_suffix_need_no_labels(tmp_path: Path) -> None:
    data = folder(tmp_path, tuple(name.replace(".JPEG", ".png") for name in FILES))
    assert tuple(open_images(data).labels) == LABELS


@both
@pytest.mark.parametrize(
    "other", ["cat.JPEG", "ILSVRC2012_test_00000001.JPEG", file_name(0), file_name(50_001)]
)
def test_other_flat_images_need_labels(tmp_path: Path, make: Make, other: str) -> None:
    data = make(tmp_path, (*FILES, other))
    with pytest.raises(UnlabelledError, match="give a file of labels with --labels"):
        open_images(data)


@both
def test_given_labels_win_over_the_built_in_ones(tmp_path: Path, make: Make) -> None:
    (tmp_path / "labels.csv").write_text("".join(f"{name},n01440764\n" for name in FILES))
    images = open_images(make(tmp_path, FILES), labels=tmp_path / "labels.csv")
    assert (set(images.labels.tolist()), images.classes) == ({0}, ("n01440764",))
    assert images.notes == ()


def sorted_files(*misplaced: int) -> tuple[str, ...]:
    """Return files in class folders, those at some places in the folder of the next class."""
    folders = [FOLDERS[(place + (place in misplaced)) % 6] for place in range(6)]
    return tuple(f"{name}/{file}" for name, file in zip(folders, FILES, strict=True))


def parquet(root: Path, names: tuple[str, ...]) -> str:
    rows: list[dict[str, object]] = [
        {
            "image": {"bytes": picture(seed), "path": name.rpartition("/")[2]},
            "label": WNIDS.index(name.partition("/")[0]),
        }
        for seed, name in enumerate(names)
    ]
    return str(write_parquet(root / "x.parquet", rows, names=list(WNIDS)))


every = pytest.mark.parametrize("make", [folder, tar, parquet])


def misplaced_notes(images: ImageSet) -> list[str]:
    return [note for note in images.notes if "folders of other classes" in note]


@every
def test_validation_images_in_their_folders_are_not_spoken_of(tmp_path: Path, make: Make) -> None:
    assert misplaced_notes(open_images(make(tmp_path, sorted_files()))) == []


@every
def test_few_validation_images_in_other_folders_are_said(tmp_path: Path, make: Make) -> None:
    data = make(tmp_path, sorted_files(0, 4))
    images = open_images(data)
    (note,) = misplaced_notes(images)
    assert note.startswith(f"{data}: 2 validation images of ILSVRC2012 in folders of other classes")
    assert all(FILES[place] in note for place in (0, 4))


@every
def test_many_validation_images_in_other_folders_are_refused(tmp_path: Path, make: Make) -> None:
    data = make(tmp_path, sorted_files(*range(6)))
    with pytest.raises(DataError) as caught:
        open_images(data)
    message = str(caught.value)
    assert message.startswith(
        f"{data}: the validation images of ILSVRC2012 by their classes expected, found 6 "
        "validation images of 6 in other classes: "
    )
    first = (
        f"{FILES[0]} lies in n09193705 and is of n01751748 (sea snake); "
        if make is parquet
        else f"n01735189/{FILES[4]} lies in n01735189 and is of n03125729 (cradle); "
    )
    assert first in message
    assert message.endswith("into one folder, for which the labels are built in")


def test_classes_that_are_not_of_ilsvrc2012_are_not_checked(tmp_path: Path) -> None:
    names = tuple(f"{name}/{file}" for name, file in zip("abcdef", FILES, strict=True))
    assert misplaced_notes(open_images(folder(tmp_path, names))) == []

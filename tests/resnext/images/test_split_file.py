"""The file that says which images a training used."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from resnext.errors import DataError
from resnext.images.image_set import ImageSet
from resnext.images.split_file import read_split

ROWS = "image,class,part\na/1.png,a,training\na/2.png,a,validation\nb/1.png,b,training\n"


class Numbers:
    """Images whose bytes are their position."""

    def read(self, position: int) -> bytes:
        return str(position).encode()

    def stamp(self) -> str:
        return "numbers"


IMAGES = ImageSet(
    root="pets",
    ids=("a/1.png", "a/2.png", "b/1.png", "b/new.png"),
    labels=np.array([0, 0, 1, 1]),
    classes=("a", "b"),
    reader=Numbers(),
)


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "split.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("part", "ids", "data"),
    [("train", ("a/1.png", "b/1.png"), [b"0", b"2"]), ("val", ("a/2.png",), [b"1"])],
)
def test_part_has_its_images_in_the_order_of_the_set(
    tmp_path: Path, part: str, ids: tuple[str, ...], data: list[bytes]
) -> None:
    path = write(tmp_path, ROWS)
    images = read_split(path).part(IMAGES, part)
    assert tuple(images.ids) == ids
    assert [images.reader.read(place) for place in range(len(images))] == data
    assert images.notes == (f"{path}: the part {part!r}, {len(ids)} of 4 images",)


@pytest.mark.parametrize(
    "text",
    [
        ROWS.replace("part", "split"),
        ROWS.replace("training", "train").replace("validation", "val"),
        "\ufeff" + ROWS.replace("\n", "\r\n"),
    ],
    ids=["title", "words", "spreadsheet"],
)
def test_other_words_and_line_ends_are_read(tmp_path: Path, text: str) -> None:
    assert tuple(read_split(write(tmp_path, text)).part(IMAGES, "val").ids) == ("a/2.png",)


def test_images_that_were_trained_on_have_their_name_and_class(tmp_path: Path) -> None:
    split = read_split(write(tmp_path, ROWS))
    assert split.trained(IMAGES).tolist() == [True, False, True, False]
    assert split.covers(IMAGES)
    other = replace(IMAGES, classes=("b", "a"))
    assert split.trained(other).tolist() == [False, False, False, False]
    numbers = replace(IMAGES, classes=None)
    assert split.trained(numbers).tolist() == [True, False, True, False]
    assert not split.covers(replace(IMAGES, ids=("a/1.png", "a/2.png", "b/2.png", "b/new.png")))


def test_names_that_are_no_utf_8_are_found(tmp_path: Path) -> None:
    split = read_split(write(tmp_path, b"image,class,part\na/\xff.png,a,validation\n"))
    images = replace(IMAGES, ids=("a/\udcff.png", *IMAGES.ids[1:]))
    assert tuple(split.part(images, "val").ids) == ("a/\udcff.png",)


def test_names_that_a_table_cannot_hold_as_they_are_are_found(tmp_path: Path) -> None:
    text = "image,class,part\n'=1+1/a\\x1b[31m.png,'=1+1,training\nb/1.png,b,validation\n"
    split = read_split(write(tmp_path, text))
    ids = ("=1+1/a\x1b[31m.png", "b/1.png")
    images = replace(IMAGES, ids=ids, labels=np.array([0, 1]), classes=("=1+1", "b"))
    assert tuple(split.part(images, "train").ids) == ids[:1]
    assert split.trained(images).tolist() == [True, False]
    assert split.covers(images)


def test_accents_of_a_class_may_be_stored_in_another_form(tmp_path: Path) -> None:
    split = read_split(write(tmp_path, "image,class,part\na/1.png,caf\u00e9,val\n"))
    images = replace(IMAGES, classes=("cafe\u0301", "b"))
    assert len(split.part(images, "val")) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the columns image, class and split expected, as a training writes it"),
        ("a/1.png,a\n", "the columns image, class and split expected"),
        (ROWS + "b/2.png,b,test\n", "line 5: training or validation expected, found 'test'"),
        (ROWS + "b/2.png,b\n", "line 5: image, class and split expected, found 2 cells"),
        (ROWS + "a/1.png,a,validation\n", "line 5: a/1.png stands there twice"),
        (ROWS + "x" * 200_000, "line 5: not a CSV: field larger than"),
    ],
    ids=["empty", "labels", "part", "cells", "twice", "long"],
)
def test_file_that_is_no_split_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=message) as caught:
        read_split(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_images_of_another_set_are_refused(tmp_path: Path) -> None:
    split = read_split(write(tmp_path, ROWS))
    with pytest.raises(
        DataError, match=r"pets: the 2 images of the part .* found 1; missing are b"
    ):
        split.part(replace(IMAGES, ids=("a/1.png", "a/2.png", "b/2.png", "b/3.png")), "train")
    with pytest.raises(DataError, match=r"pets: a/2.png in the class 'a' expected, as .*, found"):
        split.part(replace(IMAGES, classes=("ab", "b")), "val")
    split = read_split(write(tmp_path, ROWS.replace("validation", "training")))
    with pytest.raises(DataError, match="images of the part 'val' expected, found none"):
        split.part(IMAGES, "val")

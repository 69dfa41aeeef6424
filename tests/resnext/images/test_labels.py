"""Labels from CSV files of every dialect, and files that are none."""

import os
import tarfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resnext.errors import DataError
from resnext.images.labels import read_labels
from resnext.images.sources.opening import open_images

WNID_A, WNID_B = "n01440764", "n15075141"  # the first and the last of the thousand


def labels_of(path: Path, text: str | bytes) -> tuple[dict[str, int], tuple[str, ...] | None]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = read_labels(path)
    return dict(found.numbers), found.classes


@pytest.mark.parametrize(
    "text",
    [
        "a.JPEG,1\nb.JPEG,0\n",
        "file,label\na.JPEG,1\nb.JPEG,0\n",
        "whatever,number\na.JPEG,1\nb.JPEG,0\n",
        '"a.JPEG","1"\r\n"b.JPEG","0"\r\n',
        "a.JPEG;1\nb.JPEG;0\n",
        "a.JPEG\t1\n\nb.JPEG\t0",
        "val/a.JPEG 1\nval/b.JPEG 0\n",
        "C:\\val\\a.JPEG,1\nC:\\val\\b.JPEG,0\n",
        "\ufefffilename, class\na.JPEG, 1\nb.JPEG, 0,\n",
        "file,label\na.JPEG,1.0\nb.JPEG,0.0\n",
        "a.JPEG,1.\nb.JPEG,0\n",
        "a.JPEG 1.000000000000000000e+00\nb.JPEG 0.000000000000000000e+00\n",
    ],
    ids=[
        "plain",
        "titles",
        "other titles",
        "quoted",
        "semicolons",
        "tabs",
        "spaces",
        "backslashes",
        "mark and blanks",
        "pandas with a gap",
        "a point among them",
        "numpy",
    ],
)
def test_numbers_are_labels_in_every_spelling(tmp_path: Path, text: str) -> None:
    assert labels_of(tmp_path / "x.csv", text) == ({"a.JPEG": 1, "b.JPEG": 0}, None)


def test_classes_get_labels_by_the_order_of_their_bytes(tmp_path: Path) -> None:
    numbers, classes = labels_of(tmp_path / "x.csv", "1.png,b\n2.png,é\n3.png,Z\n4.png,b\n")
    assert classes == ("Z", "b", "é")
    assert numbers == {"1.png": 1, "2.png": 2, "3.png": 0, "4.png": 1}


def test_table_of_kaggle_is_read(tmp_path: Path) -> None:
    text = f"ImageId,PredictionString\nval_1,{WNID_B} 85 1 499 272 \nval_2,{WNID_A} 1 2 3 4\n"
    assert labels_of(tmp_path / "x.csv", text) == (
        {"val_1": 1, "val_2": 0},
        (WNID_A, WNID_B),
    )


def test_first_line_that_labels_an_image_is_no_title(tmp_path: Path) -> None:
    numbers, classes = labels_of(tmp_path / "x.csv", "1.png,label\n2.png,n01440764\n")
    assert (len(numbers), classes) == (2, ("label", WNID_A))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.csv: lines of file and class expected, found none"),
        (
            "490\n361\n171\n",
            "line 1: file and class expected, found a number alone; if this is the",
        ),
        ("a.png\n", "line 1: file and class expected, found 1 cells: 'a.png'"),
        ("a.png,1\nb.png\n", "line 2: file and class expected, found 1 cells: 'b.png'"),
        ("a.png,1,2\n", "line 1: file and class expected, found 3 cells: 'a.png,1,2'"),
        ("a.png,1\nx/a.png,2\n", "line 2: a.png has a label already, in line 1"),
        ("a.png,1\nb.png,cat\n", "line 2: a number for the class expected, as in .* found 'cat'"),
        ("a.png,cat\nb.png,1\n", "line 2: a name for the class expected, as in .* found '1'"),
        ("a.png,-1\nb.png,1\n", "line 1: a whole number from 0 for the class ex.* found '-1'"),
        ("val_1,-1\nval_2,1\n", "line 1: a whole number from 0 for the class ex.* found '-1'"),
        ("a.png,0.5\nb.png,1\n", "line 1: a whole number from 0 for the class ex.* found '0.5'"),
        ("a.png,cat\nb.png,1.5\n", "line 2: a whole number from 0 for the class ex.* found '1.5'"),
        ("a.png,1.5\nb.png,2.5\n", "line 1: a whole number from 0 for the class ex.* found '1.5'"),
        ("a.png,-1.0\nb.png,2.0\n", "line 1: a whole number from 0 .* found '-1.0'"),
        ("a.png,1\nb.png,nan\n", "line 2: a number for the class expected, .* found 'nan'"),
        ("a.png,1\nb.png,99999999999\n", "line 2: a whole number from 0 .* found '99999999999'"),
        (b"\x89PNG\0\0\0", "x.csv: a CSV of file and class, in UTF-8, expected, found no"),
        (
            '"' + "a" * 200_000,
            "line 1: file and class in at most 65536 letters expected, found 200",
        ),
        ('"' + ("a" * 99 + "\n") * 2000, r"line 13\d\d: not a CSV: field larger than field limit"),
    ],
    ids=[
        "empty",
        "ground truth alone",
        "one column",
        "a cell short",
        "three columns",
        "twice",
        "name among numbers",
        "number among names",
        "negative",
        "negative without suffix",
        "fraction",
        "fraction among names",
        "fractions alone",
        "negative fraction",
        "no number",
        "too large",
        "no text",
        "endless",
        "endless over lines",
    ],
)
def test_file_that_labels_nothing_is_refused(
    tmp_path: Path, text: str | bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        labels_of(tmp_path / "x.csv", text)


def test_ground_truth_alone_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"leave out --labels for files called ILSVRC2012_val_"):
        labels_of(tmp_path / "ILSVRC2012_validation_ground_truth.txt", "490\n361\n")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.csv", "none.csv: a file of labels expected"),
        (".", "file and class expected, found a folder"),
    ],
)
def test_labels_that_are_no_file_are_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_labels(tmp_path / name)


# Images and labels together


def flat(root: Path, *names: str) -> str:
    root.mkdir()
    for name in names:
        (root / name).write_bytes(b"x")
    return str(root)


def test_images_are_labelled_by_name_with_or_without_suffix(tmp_path: Path) -> None:
    data = flat(tmp_path / "val", "b.JPEG", "a.JPEG", "._a.JPEG", "notes.txt")
    (tmp_path / "x.csv").write_text("a,7\nb.JPEG,9\nc.JPEG,1\nd.JPEG,2\n")
    images = open_images(data, labels=tmp_path / "x.csv")
    assert images.ids == ("a.JPEG", "b.JPEG")
    assert images.labels.tolist() == [7, 9]
    assert images.notes == (
        f"{data}: 2 ignored, hidden or no images: ._a.JPEG, notes.txt",
        f"{tmp_path / 'x.csv'}: 2 labels are of images that are not in {data}",
    )


@pytest.mark.parametrize("above", [False, True], ids=["itself", "above"])
def test_flat_folder_of_a_split_is_found(tmp_path: Path, above: bool) -> None:
    (tmp_path / "set" / "train" / "n1").mkdir(parents=True)
    (tmp_path / "set" / "train" / "n1" / "t.jpg").touch()
    data = flat(tmp_path / "set" / "val", "a.jpg")
    (tmp_path / "x.csv").write_text("a.jpg,3")
    images = open_images(str(tmp_path / "set") if above else data, labels=tmp_path / "x.csv")
    assert (images.root, images.labels.tolist()) == (data, [3])


def test_image_without_a_label_is_refused(tmp_path: Path) -> None:
    data = flat(tmp_path / "val", "a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg")
    (tmp_path / "x.csv").write_text("c.jpg,1")
    message = "each of the 5 images in .*/val expected, found none for a.jpg, b.jpg, d.jpg and 1 mo"
    with pytest.raises(DataError, match=message):
        open_images(data, labels=tmp_path / "x.csv")


def test_flat_folder_without_labels_says_what_to_give(tmp_path: Path) -> None:
    data = flat(tmp_path / "val", "a.jpg")
    with pytest.raises(DataError, match="found images outside of folders; give a file of labels"):
        open_images(data)


def test_class_folders_with_labels_are_refused(tmp_path: Path) -> None:
    data = flat(tmp_path / "val")
    for name in ("cat", "dog"):
        flat(tmp_path / "val" / name, "a.jpg")
    (tmp_path / "x.csv").write_text("a.jpg,1")
    with pytest.raises(DataError, match="folders for classes are labels of their own, and take no"):
        open_images(data, labels=tmp_path / "x.csv")


def devkit_folder(root: Path) -> Path:
    (root / "kit" / "data").mkdir(parents=True)
    (root / "kit" / "data" / "meta.mat").touch()
    return root / "kit"


def devkit_archive(root: Path) -> Path:
    path = root / "ILSVRC2012_devkit_t12.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(devkit_folder(root), "ILSVRC2012_devkit_t12")
    return path


def devkit_tar(root: Path) -> Path:
    path = root / "kit.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(devkit_folder(root), "ILSVRC2012_devkit_t12")
    return path


@pytest.mark.parametrize("make", [devkit_folder, devkit_archive, devkit_tar])
def test_devkit_is_said_not_to_be_needed(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path)
    with pytest.raises(DataError) as caught:
        read_labels(path)
    assert str(caught.value) == (
        f"{path}: a CSV of file and class expected, found an archive or ImageNet's devkit; leave "
        "out --labels for files called ILSVRC2012_val_*.JPEG, whose labels are built in"
    )


@given(st.text(st.sampled_from("a1n.,;\t \n\"'/\\\r\ufeff\udc80é-")) | st.text())
def test_any_text_is_labels_or_refused(text: str) -> None:
    with NamedTemporaryFile(suffix=".csv") as file:
        Path(file.name).write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            found = read_labels(Path(file.name))
        except DataError:
            return
        assert all(number >= 0 for number in found.numbers.values())


def test_labels_come_through_a_pipe_whole(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "labels")
    rows = "".join(f"{number}.jpg,{number % 7}\n" for number in range(50_000))

    def write() -> None:
        with (tmp_path / "labels").open("w") as pipe:
            for start in range(0, len(rows), 100_000):
                pipe.write(rows[start : start + 100_000])
                pipe.flush()
                time.sleep(0.01)

    with ThreadPoolExecutor() as others:
        others.submit(write)
        found = read_labels(tmp_path / "labels")
    assert len(found.numbers) == 50_000
    assert found.numbers["0.jpg"] == 0


def test_device_without_end_is_refused() -> None:
    with pytest.raises(DataError, match=r"^/dev/zero: a text of at most 268435456 bytes expected"):
        read_labels(Path("/dev/zero"))


def test_names_of_files_match_whatever_the_form_of_their_accents(tmp_path: Path) -> None:
    composed, decomposed = "caf\u00e9.jpg", "cafe\u0301.jpg"
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / decomposed).touch()
    (tmp_path / "x.csv").write_text(f"{composed},3\n")
    images = open_images(str(tmp_path / "images"), labels=tmp_path / "x.csv")
    assert images.labels.tolist() == [3]


def test_line_of_millions_of_cells_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a.jpg,1\n" + "b.jpg,2," * 5_000_000)
    begin = time.monotonic()
    with pytest.raises(
        DataError, match=r"x.csv: line 2: file and class in at most 65536 letters expected, found 4"
    ):
        read_labels(tmp_path / "x.csv")
    assert time.monotonic() - begin < 3

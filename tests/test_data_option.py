"""What `resnext-validate --data` says of images that it cannot take: one line, exit code 2."""

import gzip
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support import warm
from tests.support.image_forms import VAL, write_csv, write_parquet

CHECKPOINT = VAL.parent / "resnext_11_8x4d_digits.t7"


def nothing(_: Path) -> list[str]:
    return ["images"]


def flat_without_labels(root: Path) -> list[str]:
    shutil.copytree(VAL / "0_zero", root / "images")
    return ["images"]


def label_missing(root: Path) -> list[str]:
    shutil.copytree(VAL / "0_zero", root / "images")
    write_csv(
        root / "labels.csv", [(path.name, 0) for path in sorted((VAL / "0_zero").iterdir())[1:]]
    )
    return ["images", "--labels", "labels.csv"]


def ground_truth_alone(root: Path) -> list[str]:
    shutil.copytree(VAL / "0_zero", root / "images")
    (root / "truth.txt").write_text("490\n361\n")
    return ["images", "--labels", "truth.txt"]


def devkit_as_labels(root: Path) -> list[str]:
    shutil.copytree(VAL / "0_zero", root / "images")
    (root / "kit.tar.gz").write_bytes(gzip.compress(b"x"))
    return ["images", "--labels", "kit.tar.gz"]


def wrongly_sorted_folders(root: Path) -> list[str]:
    folder = root / "images" / "n01440764"
    folder.mkdir(parents=True)
    for number, path in enumerate(sorted((VAL / "0_zero").iterdir())[:6], start=1):
        shutil.copy(path, folder / f"ILSVRC2012_val_{number:08d}.JPEG")
    return ["images"]


def labels_of_folders(root: Path) -> list[str]:
    write_csv(root / "labels.csv", [("a.JPEG", 0)])
    return [str(VAL), "--labels", "labels.csv"]


def two_classes(root: Path) -> list[str]:
    for name in ("0_zero", "1_one"):
        shutil.copytree(VAL / name, root / "images" / name)
    return ["images"]


def labels_from_one(root: Path) -> list[str]:
    shutil.copytree(VAL / "9_nine", root / "images")
    write_csv(root / "labels.csv", [(path.name, 10) for path in (VAL / "9_nine").iterdir()])
    return ["images", "--labels", "labels.csv"]


def cut_tar(root: Path) -> list[str]:
    with tarfile.open(root / "images.tar", "w") as tar:
        tar.add(VAL, "val")
    data = (root / "images.tar").read_bytes()
    (root / "images.tar").write_bytes(data[: len(data) // 2])
    return ["images.tar"]


def packed_tar(root: Path) -> list[str]:
    (root / "images.tar.gz").write_bytes(gzip.compress(b"x"))
    return ["images.tar.gz"]


def missing_shard(root: Path) -> list[str]:
    (root / "s-0.tar").touch()
    return ["s-{0..1}.tar"]


def no_images_in_parquet(root: Path) -> list[str]:
    write_parquet(root / "x.parquet", [])
    return ["x.parquet"]


def pickled_cifar(root: Path) -> list[str]:
    (root / "images").mkdir()
    for name in ("test_batch", "batches.meta"):
        (root / "images" / name).touch()
    return ["images"]


def empty_name(_: Path) -> list[str]:
    return [""]


def pipe(root: Path) -> list[str]:
    os.mkfifo(root / "images.tar")
    return ["images.tar"]


def device(_: Path) -> list[str]:
    return ["/dev/zero"]


def device_as_labels(root: Path) -> list[str]:
    shutil.copytree(VAL / "0_zero", root / "images")
    return ["images", "--labels", "/dev/zero"]


def fractions_as_labels(root: Path) -> list[str]:
    shutil.copytree(VAL / "0_zero", root / "images")
    write_csv(root / "labels.csv", [(path.name, 0.5) for path in (VAL / "0_zero").iterdir()])
    return ["images", "--labels", "labels.csv"]


def two_label_columns(root: Path) -> list[str]:
    columns = [pa.array([b"x"]), pa.array([1]), pa.array([2])]
    table = pa.Table.from_arrays(columns, names=["image", "label", "label"])
    pq.write_table(table, root / "x.parquet")
    return ["x.parquet"]


def digits_in_a_header(root: Path) -> list[str]:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 60_000
    data = header.tobuf() + b"0" * 60_000 + bytes(-60_000 % 512)
    (root / "images.tar").write_bytes(data + bytes(10240))
    return ["images.tar"]


def path_of_many_folders(root: Path) -> list[str]:
    with tarfile.open(root / "images.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo("a/" * 30_000 + "x.jpg"))
    return ["images.tar"]


CASES: dict[Callable[[Path], list[str]], str] = {
    nothing: "images: no such file or folder; class folders, a flat folder of images with ",
    flat_without_labels: "images: a folder for each class expected, found images outside",
    label_missing: "labels.csv: a label for each of the 29 images in images expected, found none",
    ground_truth_alone: "truth.txt: line 1: file and class expected, found a number alone; if this",
    devkit_as_labels: "kit.tar.gz: a CSV of file and class expected, found an archive or ImageNet",
    wrongly_sorted_folders: "found 6 validation images of 6 in other classes: n01440764/ILSVRC2012",
    labels_of_folders: "val: images directly in the folder expected, as labels.csv labels them, ",
    two_classes: "images: 10 classes expected, as the network has, found 2 (0_zero, 1_one); give",
    labels_from_one: "images: labels from 0 to 9 expected, as the network has 10 classes, found 10",
    cut_tar: "images.tar: a whole tar expected, found ",
    packed_tar: "found a file packed with gzip, whose images cannot be read one by one; unpack it",
    missing_shard: "s-{0..1}.tar: 2 files expected, missing s-1.tar",
    no_images_in_parquet: "x.parquet: rows with images expected, found none",
    empty_name: "the name of the images is empty; class folders, a flat folder of images with",
    pipe: "images.tar: a file on disk expected, found a pipe; save what comes from there in a f",
    device: "/dev/zero: a file on disk expected, found a device; save what comes from there in ",
    device_as_labels: "/dev/zero: a text of at most 268435456 bytes expected, found ",
    fractions_as_labels: "labels.csv: line 1: a whole number from 0 for the class expected, fou",
    two_label_columns: "x.parquet: one column label expected, found 2; write the file anew with",
    digits_in_a_header: "(an extended header that is no list of records); fetch it again",
    path_of_many_folders: "a name of at most 4096 bytes expected, found 60006; pack it anew",
    pickled_cifar: "images: the binary version of cifar10 expected, found the Python version, w",
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_images_that_cannot_be_taken_are_one_line_and_exit_code_2(
    tmp_path: Path, case: Callable[[Path], list[str]]
) -> None:
    words = ["--data", *case(tmp_path), CHECKPOINT]
    done = warm.run("validate.cli", words, cwd=tmp_path, output=tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("resnext-validate: ")
    assert done.stderr.count("\n") == 1
    assert CASES[case] in done.stderr

"""Labels that are numbers, in trainings whose classes are named by numbers."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from resnext.checkpoint import Checkpoint
from tests.support.train_runs import (
    assert_refused,
    assert_same_tensors,
    run,
    tiny,
    write_data,
    write_pictures,
)

# Image sets order these as texts: "10" is class 2.
NUMBERS = tuple(map(str, range(11)))
AS_NAMES = (
    "the numbers that label the images are taken as the names of the network's classes (0, 1, 10 "
    "and 8 more), not as their places: 2 is output 3"
)


def numbered_pictures(folder: Path) -> list[tuple[int, bytes]]:
    """Return the number and the file of each picture below class folders."""
    return [(int(path.parent.name), path.read_bytes()) for path in sorted(folder.glob("*/*"))]


def write_shard(path: Path, pictures: list[tuple[int, bytes]]) -> Path:
    """Write pictures as a WebDataset shard whose labels are numbers."""
    with tarfile.open(path, "w") as tar:
        for place, (number, picture) in enumerate(pictures):
            for suffix, data in ((".png", picture), (".cls", str(number).encode())):
                member = tarfile.TarInfo(f"{place:04d}{suffix}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return path


def write_table(path: Path, pictures: list[tuple[int, bytes]]) -> Path:
    """Write pictures as a Parquet file whose labels are numbers."""
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = arrow.table(
        {
            "image": [{"bytes": picture, "path": None} for _, picture in pictures],
            "label": [number for number, _ in pictures],
        }
    )
    parquet.write_table(table, path)
    return path


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_data(tmp_path_factory.mktemp("numbers"))
    write_pictures(root / "numbered" / "train", each=3, classes=NUMBERS)
    write_pictures(root / "numbered" / "val", each=2, classes=NUMBERS)
    return root


@pytest.fixture(scope="module")
def by_folders(root: Path) -> Path:
    """Return a run whose classes and labels come from folders, which leave nothing to guess."""
    done = run(root, *tiny("by_folders", "--epochs", "2", "--lr", "0.02"), "--data", "numbered")
    assert done.returncode == 0, done.stderr
    return root / "by_folders"


def validations(folder: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [
        {name: row[name] for name in row if name.startswith("val_") or name == "best"}
        for row in rows
    ]


@pytest.mark.parametrize(
    ("name", "write"),
    [("val.tar", write_shard), ("val.parquet", write_table)],
    ids=["shards", "parquet"],
)
def test_numbers_of_the_validation_are_names_where_the_classes_are_numbers(
    root: Path, by_folders: Path, name: str, write: Callable[..., Path]
) -> None:
    path = write(root / name, numbered_pictures(root / "numbered" / "val"))
    output = f"with_{path.suffix[1:]}"
    words = tiny(output, "--epochs", "2", "--lr", "0.02", "--val-data", path)
    done = run(root, *words, "--data", "numbered")
    assert done.returncode == 0, done.stderr
    assert f"{path}: {AS_NAMES}" in done.stderr
    assert validations(root / output) == validations(by_folders)


def test_numbers_of_all_images_are_names_where_those_of_the_checkpoint_are(
    root: Path, by_folders: Path
) -> None:
    train, val = (
        write_shard(root / f"all_{part}.tar", numbered_pictures(root / "numbered" / part))
        for part in ("train", "val")
    )
    init = by_folders / "last.safetensors"
    words = ("--epochs", "1", "--init", init)
    done = run(root, *tiny("all", *words, "--val-data", val), "--data", train)
    assert done.returncode == 0, done.stderr
    assert run(root, *tiny("all_by_folders", *words), "--data", "numbered").returncode == 0
    assert f"{train}: {AS_NAMES}" in done.stderr
    assert "the 11 classes of the checkpoint by their names, which are numbers" in done.stderr
    assert Checkpoint.load(root / "all" / "last.safetensors").classes == tuple(sorted(NUMBERS))
    assert_same_tensors(
        *(root / folder / "last.safetensors" for folder in ("all", "all_by_folders"))
    )
    assert validations(root / "all") == validations(root / "all_by_folders")


def test_number_that_is_a_place_and_no_name_is_refused(root: Path) -> None:
    write_pictures(root / "from_one" / "train", each=2, classes=NUMBERS[1:])
    pictures = [(n - 1, data) for n, data in numbered_pictures(root / "from_one" / "train")]
    val = write_shard(root / "from_zero.tar", pictures)
    done = run(root, *tiny("refused", "--val-data", val), "--data", "from_one/train")
    assert_refused(
        done,
        "from_zero.tar: labels that are names of the network's classes expected",
        "(1, 10, 2 and 7 more), found 0, no such name",
        "label the images by class folders, or by names",
    )
    assert not (root / "refused").exists()

"""Which folder is taken as the root of the images: the same on disk and in a tar."""

import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resnext.errors import DataError
from resnext.images.sources.opening import open_images

Found = tuple[str, tuple[str, ...], list[int], tuple[str, ...] | None]


def written(root: Path, names: list[str]) -> list[Path]:
    """Write empty files as a folder and as a tar of it; a name that ends in a slash is a folder."""
    (root / "x").mkdir()
    for name in names:
        path = root / "x" / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.touch()
    with tarfile.open(root / "x.tar", "w") as tar:
        tar.add(root / "x", ".")
    return [root / "x", root / "x.tar"]


def opened(path: Path, split: str, labels: Path | None = None) -> Found:
    """Return the root relative to the path, and names, labels and classes of the images."""
    images = open_images(str(path), labels=labels, split=split)
    below = images.root.removeprefix(str(path))
    return below, tuple(images.ids), images.labels.tolist(), images.classes


@pytest.mark.parametrize(
    ("names", "root"),
    [
        (["a/1.jpg", "b/1.jpg"], ""),
        (["val/a/1.jpg", "val/b/1.jpg"], "/val"),
        (["imagenet/val/a/1.jpg"], "/imagenet/val"),
        (
            ["imagenet/val/a/1.jpg", "imagenet/train/a/1.jpg", "imagenet/test/1.jpg"],
            "/imagenet/val",
        ),
        (["validation/a/1.jpg", "valid/a/1.jpg", "train/a/1.jpg"], "/validation"),
        (["valid/a/1.jpg", "train/a/1.jpg", "test/a/1.jpg"], "/valid"),
        (["validation/a/1.jpg", "val/a/1.jpg"], "/val"),
        (["valid/1.jpg", "invalid/1.jpg"], ""),
        (["d/a/1.jpg", "d/b/1.jpg"], "/d"),
        (["test/a/1.jpg"], "/test"),
        (["val/all/a/1.jpg", "train/all/a/1.jpg"], "/val/all"),
        (["docs/a/x.txt", "data/a/1.jpg", "data/readme"], "/data"),
        (["val/1.jpg", "wal/1.jpg"], ""),
        (["val/val/1.jpg", "val/train/1.jpg"], "/val"),
        (["a/1.jpg", "a/deep/1.jpg"], ""),
    ],
    ids=[
        "classes",
        "split",
        "split in a folder",
        "splits in a folder",
        "validation",
        "valid",
        "validation beside val",
        "class called valid",
        "classes in a folder",
        "test alone",
        "folder in splits",
        "other files beside",
        "class called val",
        "classes called as splits",
        "images in a class folder",
    ],
)
def test_class_folders_are_found_alike(tmp_path: Path, names: list[str], root: str) -> None:
    folder, tar = (opened(path, "val") for path in written(tmp_path, names))
    assert folder == tar
    assert folder[0] == root


@pytest.mark.parametrize(
    ("names", "root"),
    [
        (["1.jpg"], ""),
        (["val/1.jpg", "train/a/1.jpg"], "/val"),
        (["imagenet/val/1.jpg"], "/imagenet/val"),
        (["any/1.jpg", "notes/x.txt"], "/any"),
    ],
    ids=["directly", "split", "split in a folder", "in a folder"],
)
def test_flat_images_are_found_alike(tmp_path: Path, names: list[str], root: str) -> None:
    (tmp_path / "x.csv").write_text("1.jpg,5\n")
    for path in written(tmp_path, names):
        assert opened(path, "val", tmp_path / "x.csv") == (root, ("1.jpg",), [5], None)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["s/train/a/1.jpg"], "/s: a folder 'val' expected beside train, found none"),
        (["a/x/1.jpg", "b/x/1.jpg"], "found none in a, b, and 2 deeper"),
        (["1.jpg", "d/a/1.jpg"], "found images outside of folders"),
    ],
    ids=["other split", "too deep", "images beside the only folder"],
)
def test_images_that_are_not_found_are_refused_alike(
    tmp_path: Path, names: list[str], message: str
) -> None:
    for path in written(tmp_path, names):
        with pytest.raises(DataError, match=message):
            opened(path, "val")


def test_flat_images_of_another_split_are_refused_alike(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("1.jpg,5\n")
    for path in written(tmp_path, ["val/1.jpg"]):
        with pytest.raises(DataError, match="a folder 'train' expected beside val, found none"):
            opened(path, "train", tmp_path / "x.csv")


def test_links_that_lead_in_circles_are_followed_once(tmp_path: Path) -> None:
    written(tmp_path, ["d/a/1.jpg", "d/b/1.jpg", "e/"])
    (tmp_path / "x" / "e" / "f").symlink_to(tmp_path / "x" / "e")
    assert opened(tmp_path / "x", "val")[0] == "/d"


FOLDERS = st.lists(st.sampled_from(["train", "val", "test", "a", "b"]), max_size=4)
NAMES = st.builds(
    lambda folders, file: "/".join([*folders, file]), FOLDERS, st.sampled_from(["1.jpg", "x", "y/"])
)


@settings(max_examples=60)
@given(
    names=st.lists(NAMES, max_size=5), split=st.sampled_from(["train", "val"]), flat=st.booleans()
)
def test_folder_and_tar_are_alike_whatever_they_hold(
    *, names: list[str], split: str, flat: bool
) -> None:
    with TemporaryDirectory() as root:
        labels = Path(root, "x.csv") if flat else None
        if labels:
            labels.write_text("1.jpg,5\n")
        found: list[Found | None] = []
        for path in written(Path(root), names):
            try:
                found.append(opened(path, split, labels))
            except DataError:
                found.append(None)
    assert found[0] == found[1]


@pytest.mark.parametrize("names", [("Train", "Val"), ("TRAIN", "VALIDATION"), ("train", "Valid")])
def test_folders_of_splits_are_found_in_any_case(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        (tmp_path / name / "cat").mkdir(parents=True)
        (tmp_path / name / "cat" / f"{name}.jpg").touch()
    for split, name in zip(("train", "val"), names, strict=True):
        images = open_images(str(tmp_path), split=split)
        assert tuple(images.ids) == (f"cat/{name}.jpg",)

from pathlib import Path

import pytest

from resnext.data.sources import class_folders
from resnext.errors import DataError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def test_class_folders_are_listed_in_the_order_of_their_names(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.JPEG", "b/10.JPEG", "a/x.png")
    found = class_folders(tmp_path)
    assert found.classes == ("a", "b")
    assert [(item.id, item.label) for item in found.items] == [
        ("a/x.png", 0),
        ("b/10.JPEG", 1),
        ("b/2.JPEG", 1),
    ]
    assert found.items[1].path == tmp_path / "b" / "10.JPEG"
    assert (found.root, found.ignored) == (tmp_path, 0)


def test_numeric_and_capital_names_sort_as_bytes(tmp_path: Path) -> None:
    touch(tmp_path, "2/i.jpg", "10/i.jpg", "a/i.jpg", "Z/i.jpg", "é/i.jpg")
    assert class_folders(tmp_path).classes == ("10", "2", "Z", "a", "é")


def test_empty_class_keeps_its_label(tmp_path: Path) -> None:
    touch(tmp_path, "a/i.jpg", "c/i.jpg")
    (tmp_path / "b").mkdir()
    found = class_folders(tmp_path)
    assert found.classes == ("a", "b", "c")
    assert [item.label for item in found.items] == [0, 2]


def test_hidden_and_other_entries_are_ignored_and_counted(tmp_path: Path) -> None:
    touch(tmp_path, "a/i.jpg", "a/.i.jpg", "a/notes.txt", "a/deep/i.jpg", ".git/i.jpg", "list.txt")
    found = class_folders(tmp_path)
    assert [item.id for item in found.items] == ["a/i.jpg"]
    assert found.classes == ("a",)
    assert found.ignored == 5


@pytest.mark.parametrize(
    "suffix", [".jpg", ".JPEG", ".Png", ".webp", ".bmp", ".gif", ".tif", ".TIFF", ".ppm"]
)
def test_suffix_of_an_image_counts_in_any_case(tmp_path: Path, suffix: str) -> None:
    touch(tmp_path, f"a/i{suffix}")
    assert len(class_folders(tmp_path).items) == 1


def test_linked_folders_and_files_are_followed(tmp_path: Path) -> None:
    touch(tmp_path, "store/a/i.jpg", "store/j.jpg")
    (tmp_path / "set" / "b").mkdir(parents=True)
    (tmp_path / "set" / "a").symlink_to(tmp_path / "store" / "a")
    (tmp_path / "set" / "b" / "j.jpg").symlink_to(tmp_path / "store" / "j.jpg")
    found = class_folders(tmp_path / "set")
    assert [item.id for item in found.items] == ["a/i.jpg", "b/j.jpg"]


def test_root_of_imagenet_gives_its_val(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/i.jpg", "val/a/j.jpg")
    found = class_folders(tmp_path)
    assert found.root == tmp_path / "val"
    assert [item.id for item in found.items] == ["a/j.jpg"]


def test_class_called_val_is_a_class_like_any_other(tmp_path: Path) -> None:
    touch(tmp_path, "val/i.jpg", "wal/i.jpg")
    found = class_folders(tmp_path)
    assert (found.root, found.classes) == (tmp_path, ("val", "wal"))


@pytest.mark.parametrize(
    ("names", "root", "message"),
    [
        ([], "missing", "expected, found nothing there"),
        (["file.jpg"], "file.jpg", "expected, found a file"),
        (["set/i.jpg"], "set", "found no folders; move the images into CLASS/FILE"),
        (["set/a/notes.txt", "set/b/x"], "set", "found 2 folders without any"),
        (["set/val/a/notes.txt"], "set", "val: images in class folders expected, found 1 folders"),
        (["set/val/x.txt"], "set", "val: a folder for each class expected"),
    ],
    ids=["missing", "file", "flat", "no images", "no images in val", "empty val"],
)
def test_set_without_images_is_refused(
    tmp_path: Path, names: list[str], root: str, message: str
) -> None:
    touch(tmp_path, *names)
    with pytest.raises(DataError, match=message):
        class_folders(tmp_path / root)


def test_folder_that_cannot_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a/i.jpg")

    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        class_folders(tmp_path)

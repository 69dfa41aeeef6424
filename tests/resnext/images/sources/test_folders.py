import tarfile
from pathlib import Path

import pytest

from resnext.errors import DataError
from resnext.images.sources.folders import class_folders
from resnext.images.sources.opening import open_images


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
    assert found.ids == ("a/x.png", "b/10.JPEG", "b/2.JPEG")
    assert found.labels.tolist() == [0, 1, 1]
    assert (found.root, found.notes) == (str(tmp_path), ())


def test_bytes_are_read_by_position(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.JPEG", "a/x.png")
    (tmp_path / "b" / "2.JPEG").write_bytes(b"two")
    assert class_folders(tmp_path).reader.read(1) == b"two"


def test_file_that_is_gone_is_named(tmp_path: Path) -> None:
    found = class_folders(touch(tmp_path, "a/x.png"))
    (tmp_path / "a" / "x.png").unlink()
    with pytest.raises(DataError, match=r"a/x\.png: cannot be read: No such file"):
        found.reader.read(0)


def test_digest_tells_other_names_labels_and_sizes(tmp_path: Path) -> None:
    digests = set()
    for name in ("a/1.jpg", "a/2.jpg", "b/1.jpg"):
        touch(tmp_path, "b/x.jpg", name)
        digests.add(class_folders(tmp_path).digest())
    assert class_folders(tmp_path).digest() in digests
    (tmp_path / "a" / "1.jpg").write_bytes(b"x")
    digests.add(class_folders(tmp_path).digest())
    assert len(digests) == 4


def test_numeric_and_capital_names_sort_as_bytes(tmp_path: Path) -> None:
    touch(tmp_path, "2/i.jpg", "10/i.jpg", "a/i.jpg", "Z/i.jpg", "é/i.jpg")
    assert class_folders(tmp_path).classes == ("10", "2", "Z", "a", "é")


def test_empty_class_keeps_its_label(tmp_path: Path) -> None:
    touch(tmp_path, "a/i.jpg", "c/i.jpg")
    (tmp_path / "b").mkdir()
    found = class_folders(tmp_path)
    assert found.classes == ("a", "b", "c")
    assert found.labels.tolist() == [0, 2]
    assert found.notes == (
        f"{tmp_path}: 1 of 3 classes without images, which keep their labels: b",
    )


def test_hidden_and_other_entries_are_ignored_and_counted(tmp_path: Path) -> None:
    touch(tmp_path, "a/i.jpg", "a/.i.jpg", "a/notes.txt", "a/deep/i.jpg", ".git/i.jpg", "list.txt")
    found = class_folders(tmp_path)
    assert found.ids == ("a/i.jpg",)
    assert found.classes == ("a",)
    assert found.notes == (
        (
            f"{tmp_path}: 1 picture not read, lying deeper or higher than the others: "
            "a/deep/i.jpg; move them beside those"
        ),
        f"{tmp_path}: 4 ignored, hidden or no images: .git, list.txt, a/.i.jpg and 1 more",
    )


def test_pictures_in_a_subfolder_are_counted_apart(tmp_path: Path) -> None:
    names = [f"a/sub/x/{number}.jpg" for number in range(3)]
    touch(tmp_path, "a/i.jpg", "a/sub/notes.txt", "a/sub/.h/i.jpg", "a/e/notes.txt", "j.jpg")
    touch(tmp_path, *names)
    assert class_folders(tmp_path).notes == (
        (
            f"{tmp_path}: 4 pictures not read, lying deeper or higher than the others: j.jpg, "
            "a/sub/x/0.jpg, a/sub/x/1.jpg and 1 more; move them beside those"
        ),
        f"{tmp_path}: 1 ignored, hidden or no images: a/e",
    )


def test_pictures_of_other_formats_are_named_and_counted(tmp_path: Path) -> None:
    touch(tmp_path, "a/i.jpg", "a/1.HEIC", "a/2.heic", "a/3.avif", "a/._1.heic")
    assert class_folders(tmp_path).notes == (
        (
            f"{tmp_path}: 3 pictures not read, of formats not taken here (2 HEIC, 1 AVIF): "
            "a/1.HEIC, a/2.heic, a/3.avif; save them as JPEG or PNG"
        ),
        f"{tmp_path}: 1 ignored, hidden or no images: a/._1.heic",
    )


@pytest.mark.parametrize(
    "suffix", [".jpg", ".JPEG", ".Png", ".webp", ".bmp", ".gif", ".tif", ".TIFF", ".ppm"]
)
def test_suffix_of_an_image_counts_in_any_case(tmp_path: Path, suffix: str) -> None:
    touch(tmp_path, f"a/i{suffix}")
    assert len(class_folders(tmp_path)) == 1


def test_linked_folders_and_files_are_followed(tmp_path: Path) -> None:
    touch(tmp_path, "store/a/i.jpg", "store/j.jpg")
    (tmp_path / "set" / "b").mkdir(parents=True)
    (tmp_path / "set" / "a").symlink_to(tmp_path / "store" / "a")
    (tmp_path / "set" / "b" / "j.jpg").symlink_to(tmp_path / "store" / "j.jpg")
    found = class_folders(tmp_path / "set")
    assert found.ids == ("a/i.jpg", "b/j.jpg")


def test_image_whose_link_is_broken_is_missed_and_not_ignored(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jpg")
    (tmp_path / "a" / "2.jpg").symlink_to(tmp_path / "gone.jpg")
    found = class_folders(tmp_path)
    assert found.ids == ("a/1.jpg", "a/2.jpg")
    assert found.notes == ()
    before = found.digest()
    with pytest.raises(DataError, match=r"a/2\.jpg: cannot be read: No such file"):
        found.reader.read(1)
    (tmp_path / "gone.jpg").touch()
    assert class_folders(tmp_path).digest() != before


def test_root_of_imagenet_gives_its_val(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/i.jpg", "val/a/j.jpg")
    found = class_folders(tmp_path)
    assert found.root == str(tmp_path / "val")
    assert found.ids == ("a/j.jpg",)


def test_class_called_val_is_a_class_like_any_other(tmp_path: Path) -> None:
    touch(tmp_path, "val/i.jpg", "wal/i.jpg")
    found = class_folders(tmp_path)
    assert (found.root, found.classes) == (str(tmp_path), ("val", "wal"))


@pytest.mark.parametrize(
    ("names", "root", "message"),
    [
        ([], "missing", "expected, found nothing there"),
        (["file.jpg"], "file.jpg", "expected, found a file"),
        (["set/i.jpg"], "set", "found images outside of folders; give a file"),
        (["set/a/notes.txt", "set/b/x"], "set", "found none in a, b; CLASS/FILE"),
        (["set/a/x/1.jpg", "set/b/y/2.jpg"], "set", "found none in a, b, and 2 deeper"),
        (["set/val/a/notes.txt"], "set", "val: images in class folders expected, found none in a"),
        (["set/val/x.txt"], "set", "val: a folder for each class expected"),
    ],
    ids=["missing", "file", "flat", "no images", "deeper", "no images in val", "empty val"],
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


def test_link_that_leads_back_to_itself_is_like_one_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").write_bytes(b"x")
    for place in (tmp_path, tmp_path / "a"):
        (place / "loop").symlink_to("loop")
        (place / "nowhere").symlink_to("missing")
    (tmp_path / "a" / "2.jpg").symlink_to("2.jpg")
    images = class_folders(tmp_path)
    assert (tuple(images.ids), images.classes) == (("a/1.jpg", "a/2.jpg"), ("a",))
    assert images.digest()
    assert images.notes == (
        f"{tmp_path}: 4 ignored, hidden or no images: loop, nowhere, a/loop and 1 more",
    )
    with pytest.raises(DataError, match=r"2\.jpg: cannot be read: Too many levels of symbol"):
        images.reader.read(1)


@pytest.mark.parametrize("form", ["folder", "tar"])
def test_pictures_of_other_names_are_said(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "set" / "a"
    folder.mkdir(parents=True)
    starts = {"jpeg": b"\xff\xd8\xff\xe0", "png": b"\x89PNG\r\n\x1a\n", "README": b"A picture"}
    starts |= {
        "1.jpg": b"x",
        "2.mpo": b"x",
        "3.jpe": b"x",
        "4.pjpeg": b"x",
        "webp": b"RIFF1234WEBP",
    }
    for name, data in starts.items():
        (folder / name).write_bytes(data)
    path = tmp_path / "set"
    if form == "tar":
        path = tmp_path / "set.tar"
        with tarfile.open(path, "w") as tar:
            for name in sorted(starts):
                tar.add(folder / name, f"a/{name}")
    images = open_images(str(path))
    assert tuple(images.ids) == ("a/1.jpg",)
    notes = " ".join(images.notes)
    assert "3 pictures not read, of formats not taken here (1 MPO, 1 JPE, 1 PJPEG): a/2.m" in notes
    assert "3 pictures not read, whose names have no suffix: a/jpeg, a/png, a/webp; add .j" in notes
    assert notes.endswith("1 ignored, hidden or no images: a/README")


def test_file_larger_than_any_picture_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with (tmp_path / "a" / "x.jpg").open("wb") as file:
        file.truncate(1 << 40)  # 1 TiB, of which the disk holds nothing
    images = class_folders(tmp_path)
    with pytest.raises(
        DataError,
        match=r"a/x.jpg: a picture of at most 1073741824 bytes expected, found 1099511627776$",
    ):
        images.reader.read(0)

"""All images below a folder."""

import os
from pathlib import Path

import pytest

from resnext.errors import DataError
from resnext.images.sources.walk import walk


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())


def test_names_are_sorted_as_bytes_within_each_folder(tmp_path: Path) -> None:
    write(tmp_path, "b.jpg", "a/z.PNG", "a/10.jpg", "a/2.jpg", "a-1.jpg", "Z/é.jpg", "Z/e.jpg")
    assert walk(tmp_path).names == [
        *("Z/e.jpg", "Z/é.jpg", "a/10.jpg", "a/2.jpg", "a/z.PNG", "a-1.jpg", "b.jpg")
    ]


def test_what_is_hidden_or_no_image_is_ignored(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg", "._a.jpg", ".git/b.jpg", "notes.txt", "x/c.tar", "x/.d.tar")
    found = walk(tmp_path)
    assert (found.names, found.archives) == (["a.jpg"], ["x/c.tar"])
    assert found.ignored == ["._a.jpg", ".git", "notes.txt", "x/.d.tar"]


def test_picture_without_suffix_is_named(tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(b"\xff\xd8\xff" + bytes(20))
    assert walk(tmp_path).unnamed == ["photo"]


def test_links_in_a_circle_are_walked_once(tmp_path: Path) -> None:
    write(tmp_path, "a/1.jpg")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert walk(tmp_path).names == ["a/1.jpg", "gone.jpg"]


def test_link_to_another_folder_is_followed(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", "1.jpg")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link").symlink_to(tmp_path / "elsewhere")
    assert walk(tmp_path / "here").names == ["link/1.jpg"]


@pytest.mark.skipif(os.getuid() == 0, reason="root reads every folder")
def test_folder_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a/1.jpg")
    (tmp_path / "a").chmod(0)
    try:
        with pytest.raises(DataError, match="a: cannot be read: Permission denied"):
            walk(tmp_path)
    finally:
        (tmp_path / "a").chmod(0o700)


def test_deep_folders_are_walked(tmp_path: Path) -> None:
    name = "/".join([*["d"] * 300, "x.jpg"])
    write(tmp_path, name)
    assert walk(tmp_path).names == [name]

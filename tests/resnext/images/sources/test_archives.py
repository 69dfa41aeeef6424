"""Images in one tar: class folders or flat; and tars that are damaged or odd."""

import gzip
import io
import os
import tarfile
import time
import tracemalloc
from pathlib import Path

import pytest

from resnext.errors import DataError
from resnext.images.image_set import ImageSet
from resnext.images.sources.opening import open_images
from resnext.images.sources.tar import scan
from tests.support.image_forms import add


def pack(path: Path, *names: str, form: int = tarfile.PAX_FORMAT) -> Path:
    """Write a tar whose members hold their own names; one that ends in a slash is a folder."""
    with tarfile.open(path, "w", format=form) as tar:
        for name in names:
            member = tarfile.TarInfo(name.removesuffix("/"))
            if name.endswith("/"):
                member.type = tarfile.DIRTYPE
                tar.addfile(member)
            else:
                member.size = len(name.encode())
                tar.addfile(member, io.BytesIO(name.encode()))
    return path


def contents(images: ImageSet) -> dict[str, tuple[bytes, int]]:
    return {
        name: (images.reader.read(place), int(images.labels[place]))
        for place, name in enumerate(images.ids)
    }


FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


@pytest.mark.parametrize("form", FORMATS, ids=["ustar", "gnu", "pax"])
def test_members_are_found_in_every_format_of_tars(tmp_path: Path, form: int) -> None:
    deep = "x" * 60 + "/" + "y" * 90 + ".jpg"  # longer than the field for names
    images = open_images(str(pack(tmp_path / "x.tar", "b/2.jpg", "b/10.jpg", deep, form=form)))
    assert images.classes == ("b", "x" * 60)
    assert contents(images) == {
        "b/10.jpg": (b"b/10.jpg", 0),
        "b/2.jpg": (b"b/2.jpg", 0),
        deep: (deep.encode(), 1),
    }


@pytest.mark.parametrize(
    ("names", "root", "found"),
    [
        (["a/1.jpg", "b/2.jpg"], "", {"a/1.jpg": 0, "b/2.jpg": 1}),
        (["./", "./a/", "./a/1.jpg", "./b//2.jpg"], "", {"a/1.jpg": 0, "b/2.jpg": 1}),
        (["a/1.jpg"], "", {"a/1.jpg": 0}),
        (["val/a/1.jpg", "val/b/2.jpg"], "/val", {"a/1.jpg": 0, "b/2.jpg": 1}),
        (["x/y/val/a/1.jpg"], "/x/y/val", {"a/1.jpg": 0}),
        (["s/val/a/1.jpg", "s/train/b/2.jpg", "s/readme"], "/s/val", {"a/1.jpg": 0}),
        (["val/a/1.jpg", "train/b/2.jpg", "test/3.jpg"], "/val", {"a/1.jpg": 0}),
        (["val/1.jpg", "wal/2.jpg"], "", {"val/1.jpg": 0, "wal/2.jpg": 1}),
        (["é/1.jpg", "Z/2.jpg", "a/3.jpg"], "", {"Z/2.jpg": 0, "a/3.jpg": 1, "é/1.jpg": 2}),
    ],
    ids=[
        "folders",
        "dots",
        "one folder",
        "val",
        "deep val",
        "val beside train",
        "val, train, test",
        "class called val",
        "order",
    ],
)
def test_class_folders_are_found(
    tmp_path: Path, names: list[str], root: str, found: dict[str, int]
) -> None:
    images = open_images(str(pack(tmp_path / "x.tar", *names)))
    assert images.root == f"{tmp_path / 'x.tar'}{root}"
    assert dict(zip(images.ids, images.labels.tolist(), strict=True)) == found


def test_other_split_is_chosen(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", "val/a/1.jpg", "train/a/2.jpg")
    assert open_images(str(path), split="train").ids == ("a/2.jpg",)


@pytest.mark.parametrize("names", [["train/a/1.jpg"], ["s/train/a/1.jpg", "s/train/b/1.jpg"]])
def test_split_that_is_not_there_is_refused(tmp_path: Path, names: list[str]) -> None:
    path = pack(tmp_path / "x.tar", *names)
    with pytest.raises(DataError, match="a folder 'val' expected beside train, found none"):
        open_images(str(path))


def test_hidden_and_other_members_are_ignored_and_said(tmp_path: Path) -> None:
    names = ["a/1.jpg", "a/._1.jpg", ".git/2.jpg", "a/notes.txt", "a/deep/3.jpg", "4.jpg"]
    path = pack(tmp_path / "x.tar", *names)
    images = open_images(str(path))
    assert images.ids == ("a/1.jpg",)
    assert images.notes == (
        (
            f"{path}: 2 pictures not read, lying deeper or higher than the others: a/deep/3.jpg, "
            "4.jpg; move them beside those"
        ),
        f"{path}: 3 ignored, hidden or no images: a/._1.jpg, .git/2.jpg, a/notes.txt",
    )


def test_empty_class_keeps_its_label_and_is_said(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", "a/1.jpg", "b/", "c/2.jpg")
    images = open_images(str(path))
    assert (images.classes, images.labels.tolist()) == (("a", "b", "c"), [0, 2])
    assert images.notes == (f"{path}: 1 of 3 classes without images, which keep their labels: b",)


@pytest.mark.parametrize(
    ("names", "root"),
    [
        (["1.jpg", "2.jpg"], ""),
        (["./1.jpg", "./2.jpg", "./"], ""),
        (["val/1.jpg", "val/2.jpg"], "/val"),
        (["any/1.jpg", "any/2.jpg"], "/any"),
        (["val/1.jpg", "val/2.jpg", "train/n1/3.jpg"], "/val"),
    ],
    ids=["flat", "dots", "val", "one folder", "val beside train"],
)
def test_flat_tar_takes_its_labels_from_a_file(tmp_path: Path, names: list[str], root: str) -> None:
    (tmp_path / "x.csv").write_text("1.jpg,5\n2.jpg,3\n")
    path = pack(tmp_path / "x.tar", *names)
    images = open_images(str(path), labels=tmp_path / "x.csv")
    assert images.root == f"{path}{root}"
    assert (images.ids, images.labels.tolist()) == (("1.jpg", "2.jpg"), [5, 3])


def test_flat_tar_without_labels_says_what_to_give(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", "1.jpg", "2.jpg")
    with pytest.raises(DataError, match="found images outside of folders; give a file of labels"):
        open_images(str(path))


def test_class_folders_with_labels_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("1.jpg,5\n2.jpg,3\n")
    path = pack(tmp_path / "x.tar", "a/1.jpg", "b/2.jpg")
    with pytest.raises(DataError, match="folders for classes are labels of their own, and take no"):
        open_images(str(path), labels=tmp_path / "x.csv")


def with_member(path: Path, member: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for name in ("a/1.jpg", "b/2.jpg"):
            tar.addfile(tarfile.TarInfo(name))
        tar.addfile(member)
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    return found


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        (member("a/3.jpg", tarfile.SYMTYPE, "1.jpg"), "a/3.jpg: .* expected, found a link; pack"),
        (member("a/3.jpg", tarfile.LNKTYPE, "a/1.jpg"), "a/3.jpg: .* expected, found a link; pack"),
        (member("a/3.jpg", tarfile.FIFOTYPE), "a/3.jpg: .* expected, found no ordinary file"),
        (member("/a/3.jpg"), "/a/3.jpg: a name inside the tar expected; pack it with relative"),
        (member("a/../b/3.jpg"), "a/../b/3.jpg: a name inside the tar expected"),
        (member("a/1.jpg"), "a/1.jpg: one member of this name expected, found several"),
        (member("./a//1.jpg"), "a/1.jpg: one member of this name expected, found several"),
    ],
    ids=["link", "hard link", "pipe", "absolute", "upwards", "twice", "twice by another spelling"],
)
def test_member_that_is_no_file_of_its_own_is_refused(
    tmp_path: Path, odd: tarfile.TarInfo, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        open_images(str(with_member(tmp_path / "x.tar", odd)))


def test_link_that_is_no_image_is_ignored(tmp_path: Path) -> None:
    path = with_member(tmp_path / "x.tar", member("latest", tarfile.SYMTYPE, "a"))
    assert open_images(str(path)).notes[0] == f"{path}: 1 ignored, hidden or no images: latest"


def test_sparse_member_is_refused(tmp_path: Path) -> None:
    sparse = tmp_path / "a" / "1.jpg"
    sparse.parent.mkdir()
    with sparse.open("wb") as file:
        file.seek(10_000_000)
        file.write(b"x")
    done = os.system(f"tar --sparse -C {tmp_path} -cf {tmp_path}/x.tar a")  # noqa: S605
    assert done == 0
    assert (tmp_path / "x.tar").stat().st_size < 1_000_000
    with pytest.raises(DataError, match=r"a/1\.jpg: .* expected, found no ordinary file; pack it"):
        open_images(str(tmp_path / "x.tar"))


def test_every_proper_prefix_of_a_tar_is_refused(tmp_path: Path) -> None:
    data = pack(tmp_path / "x.tar", "a/1.jpg", "b/2.jpg", form=tarfile.USTAR_FORMAT).read_bytes()
    end = 4 * 512  # two headers and two blocks of content; then zeros
    assert data[end:] == bytes(len(data) - end)
    for size in [*range(0, end, 100), end - 512, end - 1, end, end + 511]:
        (tmp_path / "cut.tar").write_bytes(data[:size])
        with pytest.raises(
            DataError, match=r"cut\.tar: a whole tar expected, found \d+ bytes that"
        ):
            open_images(str(tmp_path / "cut.tar"))
    (tmp_path / "cut.tar").write_bytes(data[: end + 512])
    assert len(open_images(str(tmp_path / "cut.tar"))) == 2


def test_tar_that_is_cut_short_names_the_last_member(tmp_path: Path) -> None:
    data = pack(tmp_path / "x.tar", "a/1.jpg", "b/2.jpg", form=tarfile.USTAR_FORMAT).read_bytes()
    (tmp_path / "x.tar").write_bytes(data[:1600])
    with pytest.raises(DataError, match=r"x\.tar: .* cut short behind b/2\.jpg .*; fetch it again"):
        open_images(str(tmp_path / "x.tar"))


def test_damaged_header_does_not_hide_what_follows(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", "a/1.jpg", "b/2.jpg", form=tarfile.USTAR_FORMAT)
    data = bytearray(path.read_bytes())
    data[1024 + 150] ^= 1  # the checksum of the second header
    path.write_bytes(data)
    with pytest.raises(
        DataError, match=r"damaged or cut short behind a/1\.jpg \(no header at byte"
    ):
        open_images(str(path))


def test_every_flipped_byte_of_a_header_is_an_error_or_an_answer(tmp_path: Path) -> None:
    data = pack(tmp_path / "x.tar", "a/1.jpg", "b/é.jpg", "c/" + "y" * 120 + ".jpg").read_bytes()
    path = tmp_path / "flipped.tar"
    for place in range(len(data) - 1024):
        if data[place] or place % 512 < 257:
            path.write_bytes(data[:place] + bytes([data[place] ^ 0x31]) + data[place + 1 :])
            try:
                scan(path)
            except DataError:
                continue


def test_second_tar_behind_the_first_is_not_overlooked(tmp_path: Path) -> None:
    first, second = (pack(tmp_path / f"{name}.tar", f"{name}/1.jpg") for name in "ab")
    first.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(
        DataError, match=r"one tar expected, found more behind its end \(at byte 10"
    ):
        open_images(str(first))


def test_negative_size_does_not_read_in_circles(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", "a/1.jpg", form=tarfile.GNU_FORMAT)
    data = bytearray(path.read_bytes())
    data[124:136] = b"\xff" * 10 + b"\xfe\x00"  # -512, in base 256
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"x\.tar: "):
        open_images(str(path))


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (gzip.compress(b"x" * 2000), "gzip"),
        (b"BZh91AY&SY", "bzip2"),
        (b"\xfd7zXZ\0\0", "xz"),
        (b"\x28\xb5\x2f\xfd\x04", "zstd"),
        (b"PK\x03\x04\x14", "zip"),
    ],
    ids=["gzip", "bzip2", "xz", "zstd", "zip"],
)
def test_packed_file_says_to_unpack_it(tmp_path: Path, start: bytes, kind: str) -> None:
    for name in ("x.tar.gz", "x.tar"):
        (tmp_path / name).write_bytes(start)
        with pytest.raises(DataError, match=f"found a file packed with {kind}, .*; unpack it"):
            open_images(str(tmp_path / name))


def test_tar_of_tars_says_to_unpack_them(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", "n01440764.tar", "n01443537.tar")
    with pytest.raises(DataError, match=r"images expected, found n01440764\.tar, .*; unpack the t"):
        open_images(str(path))


def test_tar_without_images_is_refused(tmp_path: Path) -> None:
    for names, found in (([], "nothing"), (["a/notes.txt"], "a/notes.txt")):
        path = pack(tmp_path / "x.tar", *names)
        with pytest.raises(DataError, match=f"images expected, found {found}$"):
            open_images(str(path))


def test_tar_is_told_by_its_content(tmp_path: Path) -> None:
    assert len(open_images(str(pack(tmp_path / "images", "a/1.jpg")))) == 1


def test_tar_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", "a/1.jpg")
    images = open_images(str(path))
    path.write_bytes(path.read_bytes()[:520])
    with pytest.raises(DataError, match=r"x\.tar: 10240 bytes expected, found 520; the file was"):
        images.reader.read(0)
    path.unlink()
    with pytest.raises(DataError, match=r"x\.tar: cannot be read: No such file"):
        images.reader.read(0)


def test_stamp_changes_with_the_sizes_and_the_place_of_the_bytes(tmp_path: Path) -> None:
    stamps = {
        open_images(str(pack(tmp_path / "x.tar", *names))).reader.stamp()
        for names in (["a/1.jpg"], ["a/22.jpg"], ["b.txt", "a/1.jpg"], ["a/1.jpg", "a/2.jpg"])
    }
    assert len(stamps) == 4
    again = open_images(str(pack(tmp_path / "y.tar", "a/1.jpg"))).reader.stamp()
    assert again in stamps


@pytest.mark.slow
def test_fifty_thousand_members_take_little_memory(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        for number in range(50_000):
            tar.addfile(tarfile.TarInfo(f"n{number % 1000:08d}/ILSVRC2012_val_{number:08d}.JPEG"))
    tracemalloc.start()
    try:
        images = open_images(str(tmp_path / "x.tar"))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(images) == 50_000
    assert kept < 6_000_000


def records(body: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    """Return an extended header with this body."""
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, len(body)
    return member.tobuf() + body + bytes(-len(body) % 512)


def tar_of(path: Path, names: list[str], before: bytes = b"") -> str:
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for name in names:
            add(tar, name, b"x")
    path.write_bytes(before + path.read_bytes())
    return str(path)


KEYS = b"".join(b"%d k%d=\n" % (len(f"k{n}=") + 4, n) for n in range(10**5, 10**5 + 4000))


@pytest.mark.parametrize(
    ("names", "before", "found"),
    [
        (
            ["a/1.jpg", "a/" * 30000 + "x.jpg"],
            b"",
            "a name of at most 4096 bytes expected, found 6",
        ),
        (["a/1.jpg", "a/" * 1000 + "x.jpg"], b"", "in at most 128 folders expected, found a/a/"),
        (["a/1.jpg"], records(b"0" * 60000), "an extended header that is no list of records"),
        (["a/1.jpg"], records(b"1 " * 30000 + b"="), "an extended header that is no list of rec"),
        (["a/1.jpg"], records(b"60008 a=" + b"7" * 59999 + b"\n"), "that is no list of records"),
        (
            ["a/1.jpg"],
            records(b"0" * (2 << 20)),
            "of at most 1048576 bytes expected, found 2097152",
        ),
        (
            ["a/1.jpg"],
            records(KEYS, tarfile.XGLTYPE) * 2,
            "headers of all members of at most 65536",
        ),
    ],
    ids=["deep", "deep names", "digits", "overlaps", "digits in a value", "long", "for all"],
)
def test_headers_that_would_take_minutes_are_refused_at_once(
    tmp_path: Path, names: list[str], before: bytes, found: str
) -> None:
    path = tar_of(tmp_path / "x.tar", names, before)
    begin = time.monotonic()
    with pytest.raises(DataError, match=found) as refused:
        open_images(path)
    assert time.monotonic() - begin < 2
    assert len(str(refused.value)) < 700


def test_extended_headers_of_real_programs_are_read(tmp_path: Path) -> None:
    long = "é" * 120
    with tarfile.open(
        tmp_path / "x.tar", "w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "0" * 40}
    ) as tar:
        add(tar, f"a/{long}.jpg", b"x")
        add(tar, "b/1.jpg", b"yz")
    images = open_images(str(tmp_path / "x.tar"))
    assert tuple(images.ids) == (f"a/{long}.jpg", "b/1.jpg")
    assert [images.reader.read(place) for place in (0, 1)] == [b"x", b"yz"]


def test_many_folders_take_time_in_proportion(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "x.tar", [f"d{number}/e/x.jpg" for number in range(10000)])
    begin = time.monotonic()
    with pytest.raises(DataError, match=r"found none in d0, d1, d10 and 9997 more, and 10000 deep"):
        open_images(path)
    assert time.monotonic() - begin < 10  # by the square it was a minute


def test_member_larger_than_any_picture_is_not_read(tmp_path: Path) -> None:
    member = tarfile.TarInfo("a/x.jpg")
    member.size = 1 << 40
    path = tmp_path / "x.tar"
    with path.open("wb") as file:
        file.write(member.tobuf(tarfile.GNU_FORMAT))
        file.truncate((1 << 40) + 512 * 20)  # of which the disk holds a block
    images = open_images(str(path))
    with pytest.raises(DataError, match=r"x.tar: a picture of at most 1073741824 bytes expected"):
        images.reader.read(0)

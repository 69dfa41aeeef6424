"""CIFAR in its binary versions: folders, archives, and the download."""

import gzip
import hashlib
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from resnext.errors import DataError, DownloadError, ImageError
from resnext.images.sources.cifar import CIFARS, decode_record
from resnext.images.sources.opening import open_images

NAMES = {
    "batches.meta.txt": "\n".join(f"thing{number}" for number in range(10)) + "\n\n",
    "fine_label_names.txt": "\n".join(f"fine{number}" for number in range(100)) + "\n",
}


def record(label: bytes, red: int, green: int, blue: int) -> bytes:
    """Return a record of one colour, except for pixel (1, 2, 3) in row 1, column 2."""
    planes = [bytearray([value]) * 1024 for value in (red, green, blue)]
    for value, plane in enumerate(planes, 1):
        plane[1 * 32 + 2] = value
    return label + b"".join(planes)


def cifar10(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for number in range(1, 6):
        data = record(bytes([number]), number, 0, 0) + record(bytes([0]), 0, number, 0)
        (folder / f"data_batch_{number}.bin").write_bytes(data)
    test = [record(bytes([number % 10]), number, 100, 200) for number in range(12)]
    (folder / "test_batch.bin").write_bytes(b"".join(test))
    (folder / "batches.meta.txt").write_text(NAMES["batches.meta.txt"])
    return folder


def cifar100(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "train.bin").write_bytes(record(b"\x13\x63", 5, 6, 7))
    (folder / "test.bin").write_bytes(record(b"\x01\x02", 8, 9, 10) + record(b"\x03\x04", 1, 1, 1))
    (folder / "fine_label_names.txt").write_text(NAMES["fine_label_names.txt"])
    (folder / "coarse_label_names.txt").write_text("coarse\n" * 20)
    return folder


def pack(folder: Path, path: Path) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder, folder.name)
    return path


def test_record_is_three_planes_by_rows() -> None:
    picture = decode_record(record(b"", 10, 20, 30))
    assert (picture.pixels.shape, picture.pixels.dtype) == ((32, 32, 3), np.uint8)
    assert picture.pixels[0, 0].tolist() == [10, 20, 30]
    assert picture.pixels[1, 2].tolist() == [1, 2, 3]
    assert picture.pixels[2, 1].tolist() == [10, 20, 30]


def test_record_of_another_size_is_refused() -> None:
    with pytest.raises(ImageError, match="3072 bytes of pixels expected, found 3071"):
        decode_record(bytes(3071))


@pytest.mark.parametrize("inner", [".", "cifar-10-batches-bin"], ids=["itself", "above"])
def test_folder_of_cifar10_is_found(tmp_path: Path, inner: str) -> None:
    cifar10(tmp_path / "x" / inner)
    images = open_images(str(tmp_path / "x"))
    assert images.classes == tuple(f"thing{number}" for number in range(10))
    assert images.ids[:2] == ("test_batch/00", "test_batch/01")
    assert images.ids[11] == "test_batch/11"
    assert images.labels.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert images.decode(images.reader.read(7)).pixels[0, 0].tolist() == [7, 100, 200]


def test_batches_of_training_are_one_set(tmp_path: Path) -> None:
    images = open_images(str(cifar10(tmp_path / "x")), split="train")
    assert images.labels.tolist() == [1, 0, 2, 0, 3, 0, 4, 0, 5, 0]
    assert images.ids[8:] == ("data_batch_5/0", "data_batch_5/1")
    assert images.decode(images.reader.read(9)).pixels[0, 0].tolist() == [0, 5, 0]


def test_cifar100_takes_the_fine_label(tmp_path: Path) -> None:
    folder = str(cifar100(tmp_path / "x"))
    images = open_images(folder)
    assert (images.labels.tolist(), images.ids[1]) == ([2, 4], "test/1")
    assert images.classes == tuple(f"fine{number}" for number in range(100))
    assert images.decode(images.reader.read(0)).pixels[0, 0].tolist() == [8, 9, 10]
    assert open_images(folder, split="train").labels.tolist() == [99]


def test_names_of_classes_may_be_missing(tmp_path: Path) -> None:
    (cifar10(tmp_path / "x") / "batches.meta.txt").unlink()
    assert open_images(str(tmp_path / "x")).classes is None


def test_labels_beside_those_of_the_records_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="these images bring labels"):
        open_images(str(cifar10(tmp_path / "x")), labels=tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("test_batch.bin", bytes(3072), "records of 3073 bytes expected, found 3072 bytes in all"),
        ("test_batch.bin", b"", "records of 3073 bytes expected, found 0 bytes in all"),
        ("test_batch.bin", b"\x0a" + bytes(3072), "labels below 10 expected, found 10 in record 0"),
        ("batches.meta.txt", b"cat\ndog\n", "batches.meta.txt: 10 names expected, found 2"),
    ],
    ids=["cut short", "empty", "label", "names"],
)
def test_damaged_file_is_refused(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (cifar10(tmp_path / "x") / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        open_images(str(tmp_path / "x"))


def test_missing_batches_are_named(tmp_path: Path) -> None:
    (cifar10(tmp_path / "x") / "data_batch_3.bin").unlink()
    with pytest.raises(
        DataError, match=r"data_batch_3.bin and 2 more expected, missing data_batch_3"
    ):
        open_images(str(tmp_path / "x"), split="train")


@pytest.mark.parametrize(
    ("names", "set_name"),
    [
        (["test_batch", "batches.meta", "data_batch_1"], "cifar10"),
        (["train", "test", "meta"], "cifar100"),
    ],
    ids=["cifar10", "cifar100"],
)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
def test_pickled_version_is_refused_unopened(
    tmp_path: Path, names: list[str], set_name: str, packed: bool
) -> None:
    folder = tmp_path / "python"
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(b"cos\nsystem\n(S'touch /tmp/ran'\ntR.")
    path = pack(folder, tmp_path / "x.tar.gz") if packed else folder
    with pytest.raises(
        DataError, match=f"binary version of {set_name} expected, found the Python ver"
    ):
        open_images(str(path), cache=tmp_path / "cache")


def test_archive_is_unpacked_into_the_cache_once(tmp_path: Path) -> None:
    folder = cifar10(tmp_path / "cifar-10-batches-bin")
    path = pack(folder, tmp_path / "mine.tar.gz")
    expected = open_images(str(folder))
    for _ in range(2):
        images = open_images(str(path), cache=tmp_path / "cache")
        assert (images.ids, images.digest()) == (expected.ids, expected.digest())
        assert images.reader.read(5) == expected.reader.read(5)
    (unpacked,) = (tmp_path / "cache").iterdir()
    assert sorted(each.name for each in unpacked.iterdir()) == sorted(
        each.name for each in folder.iterdir()
    )


def test_another_archive_is_not_taken_for_the_first(tmp_path: Path) -> None:
    path = pack(cifar10(tmp_path / "cifar-10-batches-bin"), tmp_path / "mine.tar.gz")
    open_images(str(path), cache=tmp_path / "cache")
    test = tmp_path / "cifar-10-batches-bin" / "test_batch.bin"
    test.write_bytes(record(b"\x03", 9, 9, 9))
    images = open_images(str(pack(test.parent, path)), cache=tmp_path / "cache")
    assert images.labels.tolist() == [3]


def test_archive_that_is_cut_short_is_refused_and_leaves_no_part(tmp_path: Path) -> None:
    folder = cifar10(tmp_path / "cifar-10-batches-bin")
    noise = np.random.default_rng(1).bytes(40 * 3072)
    (folder / "test_batch.bin").write_bytes(
        b"".join(b"\1" + noise[n * 3072 : (n + 1) * 3072] for n in range(40))
    )
    path = pack(folder, tmp_path / "mine.tar.gz")
    path.write_bytes(path.read_bytes()[:-20_000])
    with pytest.raises(
        DataError, match=r"mine\.tar\.gz: a whole archive expected, found a damaged"
    ):
        open_images(str(path), cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*/*test_batch*"))


def extended(body: bytes) -> bytes:
    """Return an extended header with this body."""
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, len(body)
    return header.tobuf() + body + bytes(-len(body) % 512)


@pytest.mark.parametrize(
    "header",
    [
        extended(b"0" * 60000),
        extended(b"17 size=12345678\n" + b"9" * 40),
        extended(b"9999999 a=b\n"),
        extended(b"20 GNU.sparse.map=x\n"),
        extended(b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"),
        extended(b"12 size=abc\n"),
        extended(b"11 size=-9\n"),
        extended(b"23 GNU.sparse.size=abc\n25 GNU.sparse.offset=1\n"),
        extended(b"10 a=bcd\n\n") * 500,
    ],
    ids=["digits", "rest", "length", "map", "sparse", "size", "negative", "offset", "chain"],
)
def test_archive_with_a_hostile_header_is_refused_at_once(tmp_path: Path, header: bytes) -> None:
    folder = cifar10(tmp_path / "cifar-10-batches-bin")
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name)
    data = (tmp_path / "x.tar").read_bytes()
    with tarfile.open(tmp_path / "x.tar") as tar:
        place = tar.getmember("data_batch_2.bin").offset
    hostile = tmp_path / "mine.tar.gz"
    hostile.write_bytes(gzip.compress(data[:place] + header + data[place:], 1))
    begin = time.monotonic()
    with pytest.raises(DataError, match=r"mine\.tar\.gz: .* expected, (found|missing) "):
        open_images(str(hostile), cache=tmp_path / "cache")
    assert time.monotonic() - begin < 3


def test_archive_whose_files_unpack_to_gigabytes_is_refused_at_once(tmp_path: Path) -> None:
    folder = cifar10(tmp_path / "cifar-10-batches-bin")
    (folder / "test_batch.bin").unlink()
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        tar.add(folder, ".")
        end = tar.offset
    member = tarfile.TarInfo("test_batch.bin")
    member.size = 1 << 40
    path = tmp_path / "mine.tar.gz"
    path.write_bytes(gzip.compress((tmp_path / "x.tar").read_bytes()[:end] + member.tobuf()))
    begin = time.monotonic()
    with pytest.raises(DataError, match=r"at most 268435456 bytes expected, found 1099511627776"):
        open_images(str(path), cache=tmp_path / "cache")
    assert time.monotonic() - begin < 3


def test_archive_without_all_files_is_refused(tmp_path: Path) -> None:
    folder = cifar10(tmp_path / "x")
    (folder / "test_batch.bin").unlink()
    with pytest.raises(DataError, match=r"mine\.tar\.gz: .* expected, missing test_batch\.bin"):
        open_images(str(pack(folder, tmp_path / "mine.tar.gz")), cache=tmp_path / "cache")


def test_other_packed_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"x"))
    with pytest.raises(DataError, match="found a file packed with gzip"):
        open_images(str(tmp_path / "x.gz"))


# The download, from a server that stands in for Toronto's


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        super().do_GET()

    def log_message(self, *arguments: object) -> None:
        pass


class Site(ThreadingHTTPServer):
    asked: list[str]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Serve a small CIFAR-10 in place of the real one, whose checksum the table then has."""
    folder = cifar10(tmp_path / "cifar-10-batches-bin")
    (tmp_path / "site").mkdir()
    data = pack(folder, tmp_path / "site" / "cifar-10-binary.tar.gz").read_bytes()
    server = Site(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "site")))
    server.asked = []
    row = replace(
        CIFARS[0],
        url=f"http://127.0.0.1:{server.server_port}/cifar-10-binary.tar.gz",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    monkeypatch.setattr("resnext.images.sources.opening.CIFARS", (row,))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_known_set_is_downloaded_once(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert len(open_images("cifar10", cache=tmp_path / "cache")) == 12
        assert len(open_images("cifar10", cache=tmp_path / "cache", split="train")) == 10
    assert site.asked == ["/cifar-10-binary.tar.gz"]


@pytest.mark.usefixtures("site")
def test_download_of_another_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    archive = tmp_path / "site" / "cifar-10-binary.tar.gz"
    data = bytearray(archive.read_bytes())
    data[-9] ^= 1
    archive.write_bytes(data)
    with pytest.raises(DownloadError, match=r"sha256 .* expected, found"):
        open_images("cifar10", cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*/*"))


def test_folder_of_the_name_comes_before_the_download(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cifar10(tmp_path / "cifar10")
    assert open_images("cifar10").root == "cifar10"
    assert site.asked == []


def test_table_names_the_published_archives() -> None:
    assert [(row.name, row.url, row.size) for row in CIFARS] == [
        ("cifar10", "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", 170_052_171),
        ("cifar100", "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz", 168_513_733),
    ]

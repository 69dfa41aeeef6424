"""Pictures without labels, in every form, in the order given."""

import os
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from resnext.errors import DataError, DownloadError
from resnext.images.image_set import PictureSet
from resnext.images.sources.pictures import open_pictures
from tests.support.image_forms import add, write_parquet


def contents(found: PictureSet) -> list[tuple[str, bytes]]:
    return [(name, found.reader.read(place)) for place, name in enumerate(found.ids)]


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())


def pack(path: Path, *names: str) -> Path:
    with tarfile.open(path, "w") as tar:
        for name in names:
            add(tar, name, name.encode())
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_order_is_that_given_and_names_are_sorted_in_a_folder(folder: Path) -> None:
    write(folder, "z.jpg", "photos/b.jpg", "photos/a/9.png", "photos/a/10.png")
    pack(folder / "x.tar", "q/2.jpg", "q/1.jpg", "a.png")
    rows = [{"image": {"bytes": b"first", "path": "p.jpg"}}, {"image": {"bytes": b"second"}}]
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    write_parquet(folder / "t.parquet", rows, image=image)
    given = ["z.jpg", "x.tar", "photos/", "t.parquet", "z.jpg", "photos/b.jpg"]
    assert contents(open_pictures(given)) == [
        ("z.jpg", b"z.jpg"),
        ("x.tar/a.png", b"a.png"),
        ("x.tar/q/1.jpg", b"q/1.jpg"),
        ("x.tar/q/2.jpg", b"q/2.jpg"),
        ("photos/a/10.png", b"photos/a/10.png"),
        ("photos/a/9.png", b"photos/a/9.png"),
        ("photos/b.jpg", b"photos/b.jpg"),
        ("t.parquet/p.jpg", b"first"),
        ("t.parquet/000001", b"second"),
        ("z.jpg", b"z.jpg"),
        ("photos/b.jpg", b"photos/b.jpg"),
    ]


def test_shard_keeps_its_order_and_needs_no_label_of_each_sample(folder: Path) -> None:
    pack(folder / "s-00.tar", "b.jpg", "b.cls", "a.PNG", "a.seg.png", "__meta__.json")
    pack(folder / "s-01.tar", "c.jpg", "c.cls")
    found = open_pictures(["s-{00..01}.tar"])
    assert found.ids == ("s-00.tar/b.jpg", "s-00.tar/a.PNG", "s-01.tar/c.jpg")
    assert open_pictures(["s-*.tar"]).ids == found.ids


def test_archives_of_a_folder_are_read_where_it_has_no_pictures(folder: Path) -> None:
    (folder / "shards" / "more").mkdir(parents=True)
    pack(folder / "shards" / "2.tar", "b.jpg")
    pack(folder / "shards" / "more" / "1.tar", "a.jpg")
    assert open_pictures(["shards"]).ids == ("shards/2.tar/b.jpg", "shards/more/1.tar/a.jpg")
    write(folder, "shards/c.jpg")
    found = open_pictures(["shards"])
    assert found.ids == ("shards/c.jpg",)
    assert "2 tars or Parquet files beside pictures not read: 2.tar, more/1.tar" in found.notes[0]


def test_parquet_files_without_a_label_are_read(folder: Path) -> None:
    for name in "ab":
        pq.write_table(pa.table({"image": [name.encode()]}), folder / f"{name}.parquet")
    found = open_pictures(["a.parquet", "b.parquet"])
    assert contents(found) == [("a.parquet/000000", b"a"), ("b.parquet/000000", b"b")]


def test_parquet_file_without_images_is_refused(folder: Path) -> None:
    pq.write_table(pa.table({"photo": [b"a"]}), folder / "x.parquet")
    with pytest.raises(DataError, match=r"x\.parquet: a column image expected, found "):
        open_pictures(["x.parquet"])


def test_content_decides_about_a_file_of_another_name(folder: Path) -> None:
    pack(folder / "data", "1.jpg")
    (folder / "photo").write_bytes(b"\xff\xd8\xff" + bytes(600))
    assert open_pictures(["data", "photo"]).ids == ("data/1.jpg", "photo")


def test_what_does_not_exist_keeps_its_place(folder: Path) -> None:
    write(folder, "a.jpg")
    found = open_pictures(["a.jpg", "gone.jpg", "a.jpg"])
    assert found.ids == ("a.jpg", "gone.jpg", "a.jpg")
    with pytest.raises(DataError, match=r"gone\.jpg: cannot be read: No such file"):
        found.reader.read(1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["gone.jpg"], "gone.jpg: no such file or folder; pictures, "),
        (["gone.jpg", "other.jpg"], r"gone.jpg: no such file or folder \(and 1 more\)"),
        (["empty"], "found no picture; empty: no picture in this folder"),
        (["texts"], "texts: .* found no picture; texts: 1 ignored, .*: a.txt"),
        ([], "an empty list: .* found no picture"),
        (["a.jpg", ""], "the name of a picture is empty"),
        (["*.png"], "files that match the pattern expected, found none"),
        (["x{0..1}.jpg"], r"2 files expected, missing x0.jpg, x1.jpg"),
        (["pipe:cat a.jpg"], "an address of http or https expected"),
        (["packed.tgz"], "found a file packed with gzip, .*; unpack it"),
        (["/dev/zero"], "/dev/zero: a file on disk expected, found a device"),
    ],
)
def test_what_holds_no_picture_is_refused(folder: Path, given: list[str], message: str) -> None:
    write(folder, "a.jpg", "texts/a.txt")
    (folder / "empty").mkdir()
    with tarfile.open(folder / "packed.tgz", "w:gz") as tar:
        add(tar, "a.jpg", b"x")
    with pytest.raises(DataError, match=message):
        open_pictures(given)


def test_paths_of_a_list_are_no_patterns(folder: Path) -> None:
    write(folder, "a{1,2}.jpg", "b[1].jpg")
    names = ["a{1,2}.jpg", "b[1].jpg", "c{1,2}.jpg"]
    assert open_pictures(names, literal=range(3)).ids == tuple(names)


def test_name_that_is_no_utf8_is_kept(folder: Path) -> None:
    path = os.fsdecode(b"\xff.jpg")
    (folder / path).write_bytes(b"x")
    assert contents(open_pictures(["."])) == [(f"./{path}", b"x")]


def test_unlabelled_addresses_are_downloaded_and_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, "served/a.jpg")
    pack(folder / "served" / "s.tar", "b.jpg")
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder / "served"))
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        given = [f"{url}/a.jpg", f"{url}/s.tar", f"{url}/gone.jpg"]
        found = open_pictures(given, cache=folder / "cache")
        assert found.ids == (given[0], f"{url}/s.tar/b.jpg", given[2])
        assert [found.reader.read(place) for place in (0, 1)] == [
            b"served/a.jpg",
            b"b.jpg",
        ]
        with pytest.raises(DataError, match="404"):
            found.reader.read(2)
        with pytest.raises(DownloadError, match="404"):
            open_pictures([f"{url}/gone.tar"], cache=folder / "cache")
    finally:
        server.shutdown()
        server.server_close()

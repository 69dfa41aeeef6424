"""WebDataset shards, on disk and behind a real server."""

import io
import signal
import tarfile
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from resnext.download import Progress
from resnext.errors import DataError, DownloadError
from resnext.images.byte_ranges import ByteRanges
from resnext.images.image_set import ImageSet
from resnext.images.sources.opening import open_images
from resnext.images.sources.shards import shard_images
from resnext.images.sources.tar import Index
from tests.support.image_forms import folder_of_shards


def pack(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def contents(images: ImageSet) -> list[tuple[str, bytes, int]]:
    return [
        (name, images.reader.read(place), int(images.labels[place]))
        for place, name in enumerate(images.ids)
    ]


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({"b.jpg": b"B", "b.cls": b"7", "a.cls": b"0\n", "a.PNG": b"A"}, [("b", 7), ("a", 0)]),
        ({"a.jpg": b"A", "a.json": b'{"label": 4, "x": []}'}, [("a", 4)]),
        ({"a.jpg": b"A", "a.json": b"none", "a.cls": b"5"}, [("a", 5)]),
        ({"x.y/a.jpg": b"A", "x.y/a.cls": b"5"}, [("x.y/a", 5)]),
        ({"a.jpg": b"A", "a.cls": b"5.0\n"}, [("a", 5)]),
        ({"a.jpg": b"A", "a.json": b'{"label": 5.0}'}, [("a", 5)]),
        ({"./a.jpeg": b"A", "./a.cls": b"5", "./a.txt": b"words"}, [("a", 5)]),
        ({"__meta__": b"{}", "a.jpg": b"A", "a.cls": b"5"}, [("a", 5)]),
    ],
    ids=[
        "order of members",
        "json",
        "cls before json",
        "folders",
        "float",
        "JSON float",
        "dots",
        "meta",
    ],
)
def test_samples_are_made_of_members_of_one_name(
    tmp_path: Path, members: dict[str, bytes], found: list[tuple[str, int]]
) -> None:
    images = open_images(str(pack(tmp_path / "x.tar", members)))
    assert contents(images) == [(key, key[-1].upper().encode(), label) for key, label in found]
    assert images.classes is None


def test_key_ends_at_the_first_dot_of_the_file_name(tmp_path: Path) -> None:
    members = {
        "a.b.jpg": b"of the sample a, but not its image",
        "a.jpg": b"A",
        "a.cls": b"1",
        "c/d.e/f.jpg": b"F",
        "c/d.e/f.cls": b"2",
    }
    path = pack(tmp_path / "x.tar", members)
    # So did WebDataset(str(path)) of webdataset 1.0.2.
    assert contents(open_images(str(path))) == [("a", b"A", 1), ("c/d.e/f", b"F", 2)]


def test_hidden_members_are_ignored_and_said(tmp_path: Path) -> None:
    members = {"._a.jpg": b"x", "a.jpg": b"A", "a.cls": b"1", "README": b"x"}
    path = pack(tmp_path / "x.tar", members)
    assert open_images(str(path)).notes == (
        f"{path}: 2 ignored, hidden or no images: ._a.jpg, README",
    )


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a.jpg": b"A", "a.cls": b"1", "b.jpg": b"B"}, r"b: an image .* and its label \(cls or j"),
        ({"a.cls": b"1"}, r"a: an image .* expected, found cls"),
        ({"a.jpg": b"A", "a.png": b"A", "a.cls": b"1"}, "a: .* expected, found cls, jpg, png"),
        ({"a.jpg": b"A", "b.cls": b"1", "b.jpg": b"B", "a.cls": b"1"}, "a: .* expected, found jpg"),
        ({"a.jpg": b"A", "a.cls": b"-1"}, "a.cls: a whole number from 0 expected, found b'-1'"),
        (
            {"a.jpg": b"A", "a.cls": b"tench"},
            "a.cls: a whole number from 0 expected, found b'tench",
        ),
        (
            {"a.jpg": b"A", "a.json": b"[1]"},
            "a.json: a whole number from 0 expected as `label`, fo",
        ),
        ({"a.jpg": b"A", "a.json": b'{"label": true}'}, "a.json: a whole number from 0 expected"),
        ({"a.jpg": b"A", "a.json": b"[" * 99_999}, "a.json: a whole number from 0 expected"),
        ({"__x__": b"x", "x.cls/y": b"1", "z.cls": b"1"}, "z: an image .* expected, found cls"),
    ],
    ids=[
        "no label",
        "no image",
        "two images",
        "scattered",
        "negative",
        "name",
        "list",
        "truth",
        "deep",
        "nothing",
    ],
)
def test_sample_without_one_image_and_one_label_is_refused(
    tmp_path: Path, members: dict[str, bytes], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        open_images(str(pack(tmp_path / "x.tar", members)))


def test_keys_that_shards_share_are_told_apart(tmp_path: Path) -> None:
    for shard in ("x-00", "x-01"):
        pack(tmp_path / f"{shard}.tar", {"0.jpg": shard.encode(), "0.cls": b"1"})
    images = open_images(str(tmp_path / "x-{00..01}.tar"))
    assert contents(images) == [("x-00/0", b"x-00", 1), ("x-01/0", b"x-01", 1)]


def test_shard_that_is_there_under_two_names_is_refused(tmp_path: Path) -> None:
    members = {"0.jpg": b"same", "0.cls": b"1"}
    first = pack(tmp_path / "x-00.tar", members)
    second = pack(tmp_path / "x-01.tar", {"1.jpg": b"one", "1.cls": b"1", **members})
    with pytest.raises(DataError) as caught:
        open_images(str(tmp_path / "x-{00..01}.tar"))
    assert str(caught.value) == (
        f"{second}: other samples than in {first} expected, found 0 in both; give each shard once"
    )


@pytest.mark.parametrize(
    "others",
    [{"0.cls": b"2"}, {"0.jpg": b"sane"}, {"1.jpg": b"two", "1.cls": b"1"}],
    ids=["label", "picture", "another sample"],
)
def test_shards_that_share_a_picture_and_are_others_are_taken(
    tmp_path: Path, others: dict[str, bytes]
) -> None:
    members = {"0.jpg": b"same", "0.cls": b"1", "1.jpg": b"one", "1.cls": b"1"}
    pack(tmp_path / "x-00.tar", members)
    members |= others
    if "1.jpg" not in others:
        del members["1.jpg"], members["1.cls"]
    pack(tmp_path / "x-01.tar", members)
    assert len(open_images(str(tmp_path / "x-{00..01}.tar"))) == 2 + len(members) // 2


def test_samples_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    for folder in "ab":
        pack(tmp_path / folder / "x.tar", {"0.jpg": folder.encode(), "0.cls": b"1"})
    with pytest.raises(DataError, match="one sample of each name expected, found several of x/0"):
        open_images(str(tmp_path / "*" / "x.tar"))


def listed(path: Path, keys: list[str]) -> tuple[Path, Index]:
    """Return the path and the index of a shard whose files are one byte long."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"1" if path.parent.name == "a" else b"2")
    count = 2 * len(keys)
    byte_ranges = ByteRanges(
        paths=(str(path),),
        totals=(1,),
        files=np.zeros(count, np.int32),
        offsets=np.zeros(count, np.int64),
        sizes=np.ones(count, np.int64),
    )
    names = [f"{key}.{extension}" for key in keys for extension in ("jpg", "cls")]
    return path, Index(names=names, byte_ranges=byte_ranges, folders=[], ignored=[])


def test_one_name_twice_among_very_many_is_found(tmp_path: Path) -> None:
    keys = [str(number) for number in range(60_000)]
    shards = [listed(tmp_path / "a" / "x.tar", keys), listed(tmp_path / "b" / "x.tar", keys[-1:])]
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("compares each with each"))
    signal.alarm(20)  # for what takes a second, or a minute
    try:
        with pytest.raises(DataError, match="found several of x/59999"):
            shard_images(shards, "x")
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_images_in_folders_with_notes_beside_them_are_no_shard(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", {"cat/a.jpg": b"A", "cat/a.json": b"{}", "dog/b.jpg": b"B"})
    assert open_images(str(path)).classes == ("cat", "dog")


def test_folder_beside_shards_makes_them_no_set(tmp_path: Path) -> None:
    pack(tmp_path / "x.tar", {"a.jpg": b"A", "a.cls": b"1"})
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "c.jpg").touch()
    assert open_images(str(tmp_path)).classes == ("cat",)


# Behind a server


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.server.passwords.append(self.headers["Authorization"])  # type: ignore[attr-defined]
        super().do_GET()

    def log_message(self, *arguments: object) -> None:
        pass


class Site(ThreadingHTTPServer):
    asked: list[str]
    passwords: list[str | None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Serve the folder "site" with three shards of the digits."""
    (tmp_path / "site").mkdir()
    folder_of_shards(tmp_path / "site")
    server = Site(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "site")))
    server.asked, server.passwords = [], []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_shards_of_a_server_are_downloaded_once(site: Site, tmp_path: Path) -> None:
    shown: list[str] = []

    def bar(name: str) -> AbstractContextManager[Progress]:
        shown.append(name)
        return nullcontext(lambda _done, _total: None)

    pattern = f"{site.url}/shards/digits-val-{{00..02}}.tar"
    local = open_images(str(tmp_path / "site" / "shards"))
    names = [f"digits-val-{number:02d}.tar" for number in range(3)]
    for _ in range(2):
        images = open_images(pattern, cache=tmp_path / "cache", progress=bar)
        assert contents(images) == contents(local)
    assert site.asked == [f"/shards/{name}" for name in names]
    assert shown == names * 2


def test_shards_of_one_name_at_two_addresses_are_two(site: Site, tmp_path: Path) -> None:
    for folder, label in (("one", b"1"), ("two", b"2")):
        pack(tmp_path / "site" / folder / "x.tar", {"a.jpg": folder.encode(), "a.cls": label})
    found = [
        contents(open_images(f"{site.url}/{folder}/x.tar", cache=tmp_path / "cache"))
        for folder in ("one", "two")
    ]
    assert found == [[("a", b"one", 1)], [("a", b"two", 2)]]


def test_password_of_an_address_is_used_but_not_shown(site: Site, tmp_path: Path) -> None:
    pack(tmp_path / "site" / "x.tar", {"a.jpg": b"A", "a.cls": b"1"})
    url, plain = (site.url.replace("//", f"//{user}@") for user in ("me:s:e@cret", "me"))
    assert open_images(f"{url}/x.tar", cache=tmp_path / "cache").root == f"{plain}/x.tar"
    assert site.passwords == ["Basic bWU6czplQGNyZXQ="]
    with pytest.raises(DownloadError, match=f"^{plain}/y.tar: the server answers 404"):
        open_images(f"{url}/y.tar", cache=tmp_path / "cache")


def test_shard_that_the_server_does_not_have_is_named(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"digits-val-03\.tar: .*404 Not Found"):
        open_images(f"{site.url}/shards/digits-val-{{02..03}}.tar", cache=tmp_path / "cache")


def test_shard_that_is_cut_on_the_server_is_refused_and_fetched_again(
    site: Site, tmp_path: Path
) -> None:
    path = tmp_path / "site" / "shards" / "digits-val-00.tar"
    whole = path.read_bytes()
    path.write_bytes(whole[:5000])
    url = f"{site.url}/shards/digits-val-00.tar"
    message = r"digits-val-00\.tar: a whole tar expected, .*; fetch it again: it was removed"
    with pytest.raises(DataError, match=message):
        open_images(url, cache=tmp_path / "cache")
    path.write_bytes(whole)
    assert len(open_images(url, cache=tmp_path / "cache")) == 120

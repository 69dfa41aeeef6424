"""Addresses that fsspec cannot open: one line each, whatever its packages raise."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from resnext.download.retries import Patience
from resnext.errors import DownloadError
from resnext.stores.fetching import fetch_file
from resnext.stores.object_store import open_store
from resnext.stores.store import StoredFile

NO_ADDRESS = r"a store that fsspec knows \(s3://, gs://, az:// ...\) expected"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("nosuch://bucket", NO_ADDRESS),
        ("github://x", rf"{NO_ADDRESS}: .* 'org' and 'repo'"),
        ("reference://x", NO_ADDRESS),
        ("dir://x", "dir://x: AttributeError"),
        ("ftp://127.0.0.1:1/x", "ftp://127.0.0.1:1/x: cannot be read .*refused"),
        ("zip://a::/nosuch.zip", "zip://a::/nosuch.zip: no such file or folder"),
        ("root://x//y", "takes fsspec-xrootd, .* pip install fsspec-xrootd"),
    ],
    ids=["scheme", "too little", "no source", "broken", "refused", "chained", "package"],
)
def test_address_that_cannot_be_opened_is_one_line(address: str, said: str) -> None:
    with pytest.raises(DownloadError, match=said) as caught:
        open_store(address)
    assert "\n" not in str(caught.value)


def test_archive_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_text("no tar")
    with pytest.raises(DownloadError, match=r"x\.tar: ReadError: "):
        open_store(f"tar://a::{tmp_path}/x.tar")


def test_store_without_credentials_says_where_they_are_looked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    s3fs = pytest.importorskip("s3fs")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.raises(DownloadError, match=r"s3://b/x: no access .*takes credentials from"):
            open_store("s3://b/x")
    finally:
        s3fs.S3FileSystem.clear_instance_cache()  # or other tests get the one without credentials


DATA = bytes(range(256)) * 8192
FILE = StoredFile(name="a.bin", size=2_097_152, version="1")


class SlowLine(ThreadingHTTPServer):
    """A server whose answers come at once up to a length, and longer ones byte by byte."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Sluggish)
        self.address = f"http://127.0.0.1:{self.server_port}/a.bin"
        self.longest = len(DATA)
        self.plan: list[int] = []  # statuses of the next answers; 0 for one that is cut
        self.asked: list[tuple[int, int]] = []


class Sluggish(BaseHTTPRequestHandler):
    server: SlowLine

    def do_HEAD(self) -> None:
        self.send_response(200)
        for name, value in (("Content-Length", str(len(DATA))), ("Accept-Ranges", "bytes")):
            self.send_header(name, value)
        self.end_headers()

    def do_GET(self) -> None:
        start, end = map(int, (self.headers["Range"] or "=0-0").partition("=")[2].split("-"))
        self.server.asked.append((start, end + 1))
        status = self.server.plan.pop(0) if self.server.plan else 206
        self.send_response(status or 206)
        self.send_header("Content-Length", str(end + 1 - start))
        self.send_header("Content-Range", f"bytes {start}-{end}/{len(DATA)}")
        self.end_headers()
        body = DATA[start : end + 1]
        if not status:
            self.close_connection = True
            body = body[: len(body) // 2]
        is_slow = len(body) > self.server.longest
        try:
            for at in range(len(body)) if is_slow else ():
                self.wfile.write(body[at : at + 1])
                time.sleep(0.05)
            self.wfile.write(b"" if is_slow else body)
        except OSError:  # whoever asked has gone
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowLine]:
    pytest.importorskip("aiohttp")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with SlowLine() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("status", [0, 429, 503], ids=["cut", "429", "503"])
def test_request_of_a_store_that_fails_is_made_again(
    line: SlowLine, tmp_path: Path, status: int
) -> None:
    line.plan = [status]
    pauses: list[float] = []
    patience = Patience(sleep=pauses.append)
    fetch_file(open_store(line.address), FILE, tmp_path / "a.bin", patience=patience)
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert pauses == [1]


@pytest.mark.parametrize("status", [401, 403])
def test_store_that_lets_nobody_in_is_not_asked_again(
    line: SlowLine, tmp_path: Path, status: int
) -> None:
    store = open_store(line.address)
    line.plan = [status] * 9
    pauses: list[float] = []
    with pytest.raises(DownloadError, match=rf"^{line.address}: no access \(.*; the store's own"):
        fetch_file(store, FILE, tmp_path / "a.bin", patience=Patience(sleep=pauses.append))
    assert pauses == []


def test_slow_line_of_a_store_gets_smaller_requests(line: SlowLine, tmp_path: Path) -> None:
    line.longest = 1 << 20
    store = replace(open_store(line.address), window=1.0)
    line.asked.clear()
    fetch_file(store, FILE, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert line.asked == [(0, 1 << 21), (0, 1 << 20), (1 << 20, 1 << 21)]


def test_store_that_only_trickles_ends_with_a_word(line: SlowLine, tmp_path: Path) -> None:
    line.longest = 0
    store = replace(open_store(line.address), window=0.2)
    begin = time.monotonic()
    with pytest.raises(DownloadError) as caught:
        fetch_file(store, FILE, tmp_path / "a.bin", patience=Patience(retries=0))
    assert time.monotonic() - begin < 20
    assert str(caught.value) == (
        f"{line.address}: 65536 bytes did not come in 0.2 seconds; a path to a copy on disk always "
        "works"
    )
    assert not list(tmp_path.iterdir())

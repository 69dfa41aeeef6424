import errno
import fcntl
import hashlib
import io
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from resnext.download import Patience, cache_folder, download, without_password
from resnext.download.bar import download_bar
from resnext.download.partial import partial_of
from resnext.errors import DownloadError
from resnext.terminal.command import exit_on_error

CONTENT = bytes(range(256)) * 4096
SIZE = 1_048_576
SHA256 = "fbbab289f7f94b25736c58be46a994c441fd02552cc6022352e3d86d2fab7c83"
OTHER = CONTENT[::-1]
PAGE = b"\n<!DOCTYPE html><title>Sign in</title>"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the server does with one request.

    Attributes:
        body: the whole file, before ranges and cuts.
        etag, modified, chunked, ranges: what it says of the file, and what it understands.
        cut: bytes of the body before the connection is closed.
        hold: bytes of the body before everything stops until the test lets go.
        extra: headers; they replace those of the same name.
    """

    status: int = 200
    body: bytes = CONTENT
    etag: str | None = '"one"'
    modified: str | None = None
    chunked: bool = False
    unsized: bool = False
    ranges: bool = True
    cut: int | None = None
    hold: int | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Request:
    """What the server was asked for, and how many bytes of a body it sent."""

    path: str
    range: str | None
    if_range: str | None
    encoding: str | None
    sent: int = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Site"

    def do_GET(self) -> None:
        request = Request(
            path=self.path,
            range=self.headers["Range"],
            if_range=self.headers["If-Range"],
            encoding=self.headers["Accept-Encoding"],
        )
        with self.server.lock:
            self.server.requests.append(request)
            plan = self.server.plan
            answer = plan.pop(0) if len(plan) > 1 else plan[0]
        status, start = answer.status, 0
        same = request.if_range in (None, answer.etag, answer.modified)
        headers = {"Content-Type": "application/octet-stream", "Connection": "close"}
        if request.range and answer.ranges and status == 200 and same:
            status, start = 206, int(request.range.removeprefix("bytes=").removesuffix("-"))
            headers["Content-Range"] = f"bytes {start}-{len(answer.body) - 1}/{len(answer.body)}"
            if start >= len(answer.body):
                status, headers["Content-Range"] = 416, f"bytes */{len(answer.body)}"
        body = b"" if status == 416 else answer.body[start:]
        if answer.chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif not answer.unsized:
            headers["Content-Length"] = str(len(body))
        if answer.etag:
            headers["ETag"] = answer.etag
        if answer.modified:
            headers["Last-Modified"] = answer.modified
        self.send_response(status)
        for name, value in {**headers, **answer.extra}.items():
            self.send_header(name, value)
        self.end_headers()
        self.send_body(body, answer, request)

    def send_body(self, body: bytes, answer: Answer, request: Request) -> None:
        self.close_connection = True
        for at in range(0, len(body), 8192):
            if answer.hold is not None and at >= answer.hold:
                self.server.released.wait(10)
            piece = body[at : at + 8192]
            if answer.cut is not None:
                piece = piece[: max(0, answer.cut - at)]
            if not piece:
                return
            frame = b"%x\r\n%b\r\n" % (len(piece), piece) if answer.chunked else piece
            try:
                self.wfile.write(frame)
            except OSError:
                return
            request.sent += len(piece)
        if answer.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def date_time_string(self, timestamp: float | None = None) -> str:
        return self.server.date or super().date_time_string(timestamp)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Site(ThreadingHTTPServer):
    """A server on loopback that answers by a plan, whose last answer is repeated."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.plan = [Answer()]
        self.date: str | None = None
        self.requests: list[Request] = []
        self.lock = threading.Lock()
        self.released = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/net.t7"

    @property
    def ranges(self) -> list[str | None]:
        return [request.range for request in self.requests]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


class Pauses(list[float]):
    """The pauses that were asked for; none of them is made."""

    @property
    def patience(self) -> Patience:
        return Patience(connect=5, read=5, sleep=self.append)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def leave(folder: Path, site: Site, pauses: Pauses, *, kept: int, answer: Answer) -> None:
    """Let a download break off for good after some bytes, and forget the requests for it."""
    impatient = Patience(retries=0, sleep=pauses.append)
    site.plan = [answer]
    with pytest.raises(DownloadError):
        download(site.url, folder / "net.t7", size=None, patience=impatient)
    assert (folder / ".net.t7.part").stat().st_size == kept
    site.requests.clear()
    pauses.clear()


# What comes


@pytest.mark.parametrize("size", [SIZE, None], ids=["known", "unknown"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_download_of_a_good_file_leaves_it_alone_in_its_folder(
    tmp_path: Path, site: Site, pauses: Pauses, size: int | None, chunked: bool
) -> None:
    site.plan = [Answer(chunked=chunked)]
    target = tmp_path / "net.t7"
    assert download(site.url, target, size=size, patience=pauses.patience) == target
    assert target.read_bytes() == CONTENT
    assert names(tmp_path) == ["net.t7"]
    assert (pauses, site.ranges) == ([], [None])
    assert site.requests[0].encoding == "identity"


def test_file_has_the_permissions_of_any_new_file(tmp_path: Path, site: Site) -> None:
    before = os.umask(0o027)
    try:
        download(site.url, tmp_path / "net.t7", size=None)
    finally:
        os.umask(before)
    assert (tmp_path / "net.t7").stat().st_mode & 0o777 == 0o640


def test_progress_counts_from_the_start_to_the_total(tmp_path: Path, site: Site) -> None:
    calls: list[tuple[int, int | None]] = []
    download(
        site.url, tmp_path / "net.t7", size=None, progress=lambda *counts: calls.append(counts)
    )
    assert calls[:2] == [(0, None), (65_536, 1_048_576)]
    assert calls[-1] == (1_048_576, 1_048_576)
    assert len(calls) == 17


def test_file_that_is_there_is_not_asked_for(tmp_path: Path, site: Site) -> None:
    (tmp_path / "net.t7").write_bytes(CONTENT)
    calls: list[tuple[int, int | None]] = []
    download(
        site.url,
        tmp_path / "net.t7",
        size=SIZE,
        sha256=SHA256.upper(),
        progress=lambda *counts: calls.append(counts),
    )
    assert (site.requests, calls) == ([], [])


@pytest.mark.parametrize(
    ("size", "sha256"), [(SIZE, None), (None, SHA256)], ids=["size", "checksum"]
)
def test_file_that_is_there_but_another_is_replaced(
    tmp_path: Path, site: Site, size: int | None, sha256: str | None
) -> None:
    (tmp_path / "net.t7").write_bytes(CONTENT[:-1])
    download(site.url, tmp_path / "net.t7", size=size, sha256=sha256)
    assert (tmp_path / "net.t7").read_bytes() == CONTENT


def test_encoded_archive_stays_encoded(tmp_path: Path, site: Site) -> None:
    site.plan = [Answer(extra={"Content-Encoding": "gzip"})]
    download(site.url, tmp_path / "net.t7", size=None)
    assert (tmp_path / "net.t7").read_bytes() == CONTENT


def test_redirect_is_followed(tmp_path: Path, site: Site) -> None:
    site.plan = [Answer(status=302, body=b"", extra={"Location": "/moved.t7"}), Answer()]
    download(site.url, tmp_path / "net.t7", size=SIZE)
    assert [request.path for request in site.requests] == ["/net.t7", "/moved.t7"]
    assert (tmp_path / "net.t7").read_bytes() == CONTENT


# Broken connections


@pytest.mark.parametrize(
    ("etag", "modified", "if_range"),
    [
        ('"one"', None, '"one"'),
        (None, "Tue, 07 Mar 2017 12:00:00 GMT", "Tue, 07 Mar 2017 12:00:00 GMT"),
        ('W/"one"', "Tue, 07 Mar 2017 12:00:00 GMT", "Tue, 07 Mar 2017 12:00:00 GMT"),
    ],
    ids=["etag", "last-modified", "weak-etag"],
)
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_cut_connection_goes_on_where_it_ended(
    tmp_path: Path,
    site: Site,
    pauses: Pauses,
    etag: str | None,
    modified: str | None,
    if_range: str,
    chunked: bool,
) -> None:
    broken = Answer(etag=etag, modified=modified, chunked=chunked, cut=300_000)
    whole = Answer(etag=etag, modified=modified, chunked=chunked)
    site.plan = [broken, broken, broken, whole]
    download(site.url, tmp_path / "net.t7", size=SIZE, patience=pauses.patience)
    assert (tmp_path / "net.t7").read_bytes() == CONTENT
    assert site.ranges == [None, "bytes=300000-", "bytes=600000-", "bytes=900000-"]
    assert [request.if_range for request in site.requests] == [None, *[if_range] * 3]
    assert sum(request.sent for request in site.requests) == 1_048_576
    assert pauses == [1, 1, 1]


def test_more_cuts_than_retries_are_survived_while_bytes_come(
    tmp_path: Path, site: Site, pauses: Pauses
) -> None:
    site.plan = [Answer(cut=100_000)]
    download(site.url, tmp_path / "net.t7", size=SIZE, patience=pauses.patience)
    assert (tmp_path / "net.t7").read_bytes() == CONTENT
    assert pauses == [1] * 10


@pytest.mark.parametrize(
    "cut",
    [
        Answer(cut=300_000, ranges=False),
        Answer(cut=300_000, etag=None),
        Answer(cut=300_000, etag='W/"one"'),
    ],
    ids=["no-ranges", "no-validator", "weak-validator"],
)
def test_server_without_resume_starts_again_from_zero(
    tmp_path: Path, site: Site, pauses: Pauses, cut: Answer
) -> None:
    site.plan = [cut, Answer(ranges=False)]
    download(site.url, tmp_path / "net.t7", size=SIZE, patience=pauses.patience)
    assert (tmp_path / "net.t7").read_bytes() == CONTENT
    assert [request.sent for request in site.requests] == [300_000, 1_048_576]


def test_last_modified_of_this_very_second_is_no_validator(
    tmp_path: Path, site: Site, pauses: Pauses
) -> None:
    site.date = "Tue, 07 Mar 2017 12:00:00 GMT"
    site.plan = [Answer(cut=300_000, etag=None, modified=site.date), Answer()]
    download(site.url, tmp_path / "net.t7", size=SIZE, patience=pauses.patience)
    assert site.ranges == [None, None]


def test_same_cut_again_and_again_ends(tmp_path: Path, site: Site, pauses: Pauses) -> None:
    site.plan = [Answer(cut=300_000, ranges=False)]
    with pytest.raises(DownloadError, match=r"broke off at byte 300000 of 1048576 .*, 5 times"):
        download(site.url, tmp_path / "net.t7", size=SIZE, patience=pauses.patience)
    assert pauses == [1, 2, 4, 8]
    assert "net.t7" not in names(tmp_path)


@pytest.mark.parametrize("ranges", [True, False], ids=["if-range", "no-ranges"])
def test_file_that_changes_between_two_tries_is_never_stitched(
    tmp_path: Path, site: Site, pauses: Pauses, ranges: bool
) -> None:
    site.plan = [Answer(cut=300_000), Answer(body=OTHER, etag='"two"', ranges=ranges)]
    download(site.url, tmp_path / "net.t7", size=SIZE, patience=pauses.patience)
    assert (tmp_path / "net.t7").read_bytes() == OTHER
    assert [request.sent for request in site.requests] == [300_000, 1_048_576]


@pytest.mark.parametrize(
    "careless",
    [
        Answer(body=OTHER, extra={"ETag": '"two"'}),
        Answer(body=OTHER, extra={"Content-Range": "bytes 300000-1048575/1048577"}),
        Answer(body=OTHER, extra={"Content-Range": "bytes 300001-1048575/1048576"}),
        Answer(body=OTHER, extra={"Content-Range": "bytes 300000-1048575/*"}),
        Answer(status=416, body=b""),
    ],
    ids=["etag", "total", "start", "no-total", "416"],
)
def test_rest_that_does_not_fit_starts_again_from_zero(
    tmp_path: Path, site: Site, pauses: Pauses, careless: Answer
) -> None:
    site.plan = [Answer(cut=300_000), careless, Answer()]
    download(site.url, tmp_path / "net.t7", size=SIZE, patience=pauses.patience)
    assert (tmp_path / "net.t7").read_bytes() == CONTENT
    assert site.ranges == [None, "bytes=300000-", None]
    assert pauses == [1, 0]


def test_server_that_sends_less_than_the_rest_is_asked_for_more(
    tmp_path: Path, site: Site, pauses: Pauses
) -> None:
    some = {"Content-Range": "bytes 300000-599999/1048576"}
    site.plan = [
        Answer(chunked=True, cut=300_000),
        Answer(body=CONTENT[:600_000], extra=some),
        Answer(),
    ]
    download(site.url, tmp_path / "net.t7", size=None, patience=pauses.patience)
    assert (tmp_path / "net.t7").read_bytes() == CONTENT
    assert site.ranges == [None, "bytes=300000-", "bytes=600000-"]


def test_length_that_promises_too_much_ends_without_a_file(
    tmp_path: Path, site: Site, pauses: Pauses
) -> None:
    site.plan = [Answer(extra={"Content-Length": "1048577"})]
    with pytest.raises(DownloadError, match="5 times in a row"):
        download(site.url, tmp_path / "net.t7", size=None, patience=pauses.patience)
    assert "net.t7" not in names(tmp_path)


def test_stalled_server_is_asked_again(tmp_path: Path, site: Site, pauses: Pauses) -> None:
    site.plan = [Answer(hold=524_288), Answer()]
    patience = Patience(read=0.2, sleep=pauses.append)
    download(site.url, tmp_path / "net.t7", size=SIZE, patience=patience)
    assert (tmp_path / "net.t7").read_bytes() == CONTENT
    assert site.ranges == [None, "bytes=524288-"]
    assert pauses == [1]


# What another run left


def test_later_call_goes_on_where_an_earlier_ended(
    tmp_path: Path, site: Site, pauses: Pauses
) -> None:
    leave(tmp_path, site, pauses, kept=300_000, answer=Answer(cut=300_000))
    assert names(tmp_path) == [".net.t7.part", ".net.t7.part.json"]
    site.plan = [Answer()]
    calls: list[tuple[int, int | None]] = []
    download(
        site.url, tmp_path / "net.t7", size=SIZE, progress=lambda *counts: calls.append(counts)
    )
    assert (tmp_path / "net.t7").read_bytes() == CONTENT
    assert (site.ranges, site.requests[0].sent) == (["bytes=300000-"], 748_576)
    assert calls[0] == (300_000, 1_048_576)
    assert names(tmp_path) == ["net.t7"]


def test_later_call_of_a_changed_file_starts_from_zero(
    tmp_path: Path, site: Site, pauses: Pauses
) -> None:
    leave(tmp_path, site, pauses, kept=300_000, answer=Answer(cut=300_000))
    site.plan = [Answer(body=OTHER, etag='"two"')]
    download(site.url, tmp_path / "net.t7", size=SIZE)
    assert (tmp_path / "net.t7").read_bytes() == OTHER


@pytest.mark.parametrize(
    "note",
    [
        "",
        "[]",
        "{",
        '{"url": "URL", "validator": "\\"one\\"", "total": "1048576"}',
        '{"url": "http://elsewhere.invalid/net.t7", "validator": "\\"one\\"", "total": 1048576}',
        '{"url": "URL", "validator": "\\"one\\"", "total": 1048577}',
        '{"url": "URL", "validator": "\\"one\\"", "total": 299999}',
        '{"url": "URL", "validator": null, "total": 1048576}',
    ],
    ids=["empty", "list", "cut", "type", "url", "size", "shorter", "no-validator"],
)
def test_later_call_with_an_unusable_note_starts_from_zero(
    tmp_path: Path, site: Site, note: str
) -> None:
    (tmp_path / ".net.t7.part").write_bytes(OTHER[:300_000])
    (tmp_path / ".net.t7.part.json").write_text(note.replace("URL", site.url))
    download(site.url, tmp_path / "net.t7", size=SIZE)
    assert (tmp_path / "net.t7").read_bytes() == CONTENT
    assert site.ranges == [None]


def test_later_call_with_more_bytes_than_the_file_has_starts_from_zero(
    tmp_path: Path, site: Site
) -> None:
    (tmp_path / ".net.t7.part").write_bytes(CONTENT + b"1")
    note = f'{{"url": "{site.url}", "validator": "\\"one\\"", "total": 1048576}}'
    (tmp_path / ".net.t7.part.json").write_text(note)
    download(site.url, tmp_path / "net.t7", size=SIZE)
    assert (tmp_path / "net.t7").read_bytes() == CONTENT
    assert site.ranges == [None]


def test_later_call_with_all_bytes_asks_nothing(tmp_path: Path, site: Site) -> None:
    (tmp_path / ".net.t7.part").write_bytes(CONTENT)
    note = f'{{"url": "{site.url}", "validator": "\\"one\\"", "total": 1048576}}'
    (tmp_path / ".net.t7.part.json").write_text(note)
    download(site.url, tmp_path / "net.t7", size=SIZE)
    assert (tmp_path / "net.t7").read_bytes() == CONTENT
    assert (site.requests, names(tmp_path)) == ([], ["net.t7"])


def start_process(site: Site, target: Path) -> subprocess.Popen[bytes]:
    code = (
        "import sys; from pathlib import Path; from resnext.download import download;"
        f"download({site.url!r}, Path(sys.argv[1]), size={SIZE})"
    )
    return subprocess.Popen([sys.executable, "-c", code, target], stderr=subprocess.DEVNULL)


def wait_for_bytes(path: Path, count: int) -> None:
    deadline = time.monotonic() + 10
    while not (path.exists() and path.stat().st_size == count):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill", "ctrl-c"])
def test_call_after_a_killed_process_gets_only_the_rest(
    tmp_path: Path, site: Site, number: signal.Signals
) -> None:
    site.plan = [Answer(hold=786_432), Answer()]
    process = start_process(site, tmp_path / "net.t7")
    wait_for_bytes(tmp_path / ".net.t7.part", 786_432)
    process.send_signal(number)
    process.wait(10)
    assert names(tmp_path) == [".net.t7.part", ".net.t7.part.json"]
    download(site.url, tmp_path / "net.t7", size=SIZE)
    assert (tmp_path / "net.t7").read_bytes() == CONTENT
    assert (site.ranges[1], site.requests[1].sent) == ("bytes=786432-", 262_144)
    assert names(tmp_path) == ["net.t7"]


def test_second_process_waits_and_takes_what_the_first_brought(tmp_path: Path, site: Site) -> None:
    site.plan = [Answer(hold=786_432)]
    process = start_process(site, tmp_path / "net.t7")
    wait_for_bytes(tmp_path / ".net.t7.part", 786_432)
    calls: list[tuple[int, int | None]] = []

    def progress(*counts: int | None) -> None:
        calls.append(counts)  # type: ignore[arg-type]
        site.released.set()

    download(site.url, tmp_path / "net.t7", size=SIZE, progress=progress)
    assert process.wait(10) == 0
    assert (tmp_path / "net.t7").read_bytes() == CONTENT
    assert calls[0] == (786_432, 1_048_576)
    assert len(site.requests) == 1
    assert names(tmp_path) == ["net.t7"]


def test_second_process_takes_over_when_the_first_is_killed(tmp_path: Path, site: Site) -> None:
    site.plan = [Answer(hold=786_432), Answer()]
    process = start_process(site, tmp_path / "net.t7")
    wait_for_bytes(tmp_path / ".net.t7.part", 786_432)
    download(
        site.url, tmp_path / "net.t7", size=SIZE, progress=lambda _done, _total: process.kill()
    )
    process.wait(10)
    assert (tmp_path / "net.t7").read_bytes() == CONTENT
    assert site.ranges == [None, "bytes=786432-"]


def test_many_at_once_make_one_file(tmp_path: Path, site: Site) -> None:
    site.plan = [Answer(cut=400_000)]
    patience = Patience(sleep=lambda _: time.sleep(0.001))
    failures: list[BaseException] = []

    def work() -> None:
        try:
            download(site.url, tmp_path / "net.t7", size=SIZE, patience=patience)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert failures == []
    assert (tmp_path / "net.t7").read_bytes() == CONTENT
    assert sum(request.sent for request in site.requests) == 1_048_576
    assert names(tmp_path) == ["net.t7"]


def test_lock_on_a_file_that_was_removed_meanwhile_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note, flock = tmp_path / ".net.t7.part.json", fcntl.flock
    calls: list[int] = []

    def remove_and_lock(file: io.FileIO, operation: int) -> None:
        if not calls:
            note.unlink()
        calls.append(operation)
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", remove_and_lock)
    with partial_of(tmp_path / "net.t7", wait=lambda _: None):
        with note.open() as other, pytest.raises(BlockingIOError):
            flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert len(calls) == 2


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.mark.usefixtures("no_locks")
def test_file_system_without_locks_still_survives_a_cut(
    tmp_path: Path, site: Site, pauses: Pauses
) -> None:
    site.plan = [Answer(cut=300_000), Answer()]
    download(site.url, tmp_path / "net.t7", size=SIZE, patience=pauses.patience)
    assert (tmp_path / "net.t7").read_bytes() == CONTENT
    assert site.ranges == [None, "bytes=300000-"]
    assert names(tmp_path) == ["net.t7"]


@pytest.mark.usefixtures("no_locks")
def test_file_system_without_locks_keeps_nothing_for_a_later_run(
    tmp_path: Path, site: Site, pauses: Pauses
) -> None:
    site.plan = [Answer(cut=300_000, ranges=False)]
    with pytest.raises(DownloadError) as caught:
        download(site.url, tmp_path / "net.t7", size=SIZE, patience=pauses.patience)
    assert "kept" not in str(caught.value)
    assert names(tmp_path) == []


# Answers that are no file


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "404 Not Found"), (403, "403 Forbidden"), (410, "410 Gone"), (204, "204 No Content")],
)
def test_refusal_fails_at_once(
    tmp_path: Path, site: Site, pauses: Pauses, status: int, words: str
) -> None:
    site.plan = [Answer(status=status, body=b"")]
    with pytest.raises(DownloadError) as caught:
        download(site.url, tmp_path / "net.t7", size=SIZE, patience=pauses.patience)
    assert str(caught.value) == (
        f"{site.url}: the server answers {words}; a path to a copy on disk always works"
    )
    assert (pauses, len(site.requests), names(tmp_path)) == ([], 1, [])


def test_server_that_fails_once_is_asked_again(tmp_path: Path, site: Site, pauses: Pauses) -> None:
    site.plan = [Answer(status=500, body=b"broken"), Answer()]
    download(site.url, tmp_path / "net.t7", size=SIZE, patience=pauses.patience)
    assert (tmp_path / "net.t7").read_bytes() == CONTENT
    assert pauses == [1]


def test_server_that_fails_always_is_left_alone(tmp_path: Path, site: Site, pauses: Pauses) -> None:
    site.plan = [Answer(status=502, body=b"broken")]
    with pytest.raises(DownloadError) as caught:
        download(site.url, tmp_path / "net.t7", size=SIZE, patience=pauses.patience)
    assert str(caught.value) == (
        f"{site.url}: the server answers 502 Bad Gateway, 5 times in a row;"
        " a path to a copy on disk always works"
    )
    assert (pauses, names(tmp_path)) == ([1, 2, 4, 8], [])


@pytest.mark.parametrize(
    ("asked", "pause"),
    [
        ("7", 7),
        ("0", 0),
        ("86400", 60),
        ("-5", 1),
        ("soon", 1),
        ("Tue, 07 Mar 2017 12:00:09 GMT", 9),
        ("Tue, 07 Mar 2017 11:00:00 GMT", 0),
    ],
)
@pytest.mark.parametrize("status", [503, 429])
def test_server_says_how_long_to_wait(
    tmp_path: Path, site: Site, pauses: Pauses, status: int, asked: str, pause: float
) -> None:
    site.plan = [Answer(status=status, body=b"", extra={"Retry-After": asked}), Answer()]
    site.date = "Tue, 07 Mar 2017 12:00:00 GMT"
    download(site.url, tmp_path / "net.t7", size=SIZE, patience=pauses.patience)
    assert (tmp_path / "net.t7").read_bytes() == CONTENT
    assert pauses == [pause]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"Sign in", extra={"Content-Type": "text/html; charset=utf-8"}),
        Answer(body=b"Sign in", extra={"Content-Type": "application/xhtml+xml"}),
        Answer(body=PAGE),
        Answer(body=PAGE, chunked=True),
        Answer(body=b"\xef\xbb\xbf<HTML>"),
    ],
    ids=["html", "xhtml", "body", "chunked", "mark"],
)
@pytest.mark.parametrize("size", [SIZE, None], ids=["known", "unknown"])
def test_web_page_is_called_one(
    tmp_path: Path, site: Site, pauses: Pauses, answer: Answer, size: int | None
) -> None:
    site.plan = [answer]
    with pytest.raises(DownloadError) as caught:
        download(site.url, tmp_path / "net.t7", size=size, patience=pauses.patience)
    assert str(caught.value) == (
        f"{site.url}: a web page came instead of the file: the login page of this network, or the"
        " file has moved; a path to a copy on disk always works"
    )
    assert (pauses, names(tmp_path)) == ([], [])


def test_web_page_in_the_middle_costs_nothing_of_what_arrived(
    tmp_path: Path, site: Site, pauses: Pauses
) -> None:
    leave(tmp_path, site, pauses, kept=300_000, answer=Answer(cut=300_000))
    site.plan = [Answer(body=PAGE, etag=None, extra={"Content-Type": "text/html"}), Answer()]
    with pytest.raises(DownloadError, match="a web page"):
        download(site.url, tmp_path / "net.t7", size=SIZE)
    download(site.url, tmp_path / "net.t7", size=SIZE)
    assert site.ranges == ["bytes=300000-", "bytes=300000-"]
    assert (tmp_path / "net.t7").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(body=CONTENT[:-1]), "1048576 bytes expected, 1048575 are offered"),
        (Answer(body=CONTENT + b"1"), "1048576 bytes expected, 1048577 are offered"),
        (Answer(body=CONTENT[:-1], chunked=True), "1048576 bytes expected, 1048575 came"),
        (Answer(body=CONTENT + b"1", chunked=True), "1048576 bytes expected, more are sent"),
        (Answer(body=CONTENT + b"1", unsized=True), "1048576 bytes expected, more are sent"),
    ],
    ids=["short", "long", "short-chunked", "long-chunked", "long-unsized"],
)
def test_file_of_another_size_is_refused(
    tmp_path: Path, site: Site, pauses: Pauses, answer: Answer, words: str
) -> None:
    site.plan = [answer]
    with pytest.raises(DownloadError) as caught:
        download(site.url, tmp_path / "net.t7", size=SIZE, patience=pauses.patience)
    assert str(caught.value) == (
        f"{site.url}: {words}; it is another file; a path to a copy on disk always works"
    )
    assert (pauses, names(tmp_path)) == ([], [])


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_empty_file_is_refused(tmp_path: Path, site: Site, pauses: Pauses, chunked: bool) -> None:
    site.plan = [Answer(body=b"", chunked=chunked)]
    with pytest.raises(DownloadError, match=r"net\.t7: a file expected, found an empty one"):
        download(site.url, tmp_path / "net.t7", size=None, patience=pauses.patience)
    assert (pauses, names(tmp_path)) == ([], [])


def test_endless_body_is_cut_at_the_known_size(tmp_path: Path, site: Site, pauses: Pauses) -> None:
    site.plan = [Answer(body=CONTENT * 32, chunked=True)]
    with pytest.raises(DownloadError, match="more are sent"):
        download(site.url, tmp_path / "net.t7", size=SIZE, patience=pauses.patience)
    assert site.requests[0].sent < 32 * SIZE


def test_file_with_the_checksum_is_kept_and_another_refused(
    tmp_path: Path, site: Site, pauses: Pauses
) -> None:
    assert hashlib.sha256(CONTENT).hexdigest() == SHA256
    download(site.url, tmp_path / "one", size=None, sha256=SHA256, patience=pauses.patience)
    site.plan = [Answer(body=CONTENT[:-1] + b"?")]
    with pytest.raises(DownloadError, match=f"sha256 {SHA256} expected, found"):
        download(site.url, tmp_path / "two", size=SIZE, sha256=SHA256, patience=pauses.patience)
    assert (pauses, names(tmp_path)) == ([], ["one"])


def test_body_that_only_ends_with_the_connection_needs_a_size_or_checksum(
    tmp_path: Path, site: Site, pauses: Pauses
) -> None:
    site.plan = [Answer(unsized=True)]
    download(site.url, tmp_path / "size", size=SIZE, patience=pauses.patience)
    download(site.url, tmp_path / "sum", size=None, sha256=SHA256, patience=pauses.patience)
    with pytest.raises(DownloadError, match="does not say how long the file is"):
        download(site.url, tmp_path / "none", size=None, patience=pauses.patience)
    assert (pauses, names(tmp_path)) == ([], ["size", "sum"])


def test_unsized_body_that_is_cut_goes_on(tmp_path: Path, site: Site, pauses: Pauses) -> None:
    site.plan = [Answer(unsized=True, cut=300_000), Answer()]
    download(site.url, tmp_path / "net.t7", size=SIZE, patience=pauses.patience)
    assert (tmp_path / "net.t7").read_bytes() == CONTENT
    assert site.ranges == [None, "bytes=300000-"]


@pytest.mark.parametrize("place", ["ftp://127.0.0.1/net.t7", "file:///etc/passwd"])
def test_redirect_out_of_http_is_not_followed(
    tmp_path: Path, site: Site, pauses: Pauses, place: str
) -> None:
    site.plan = [Answer(status=302, body=b"", extra={"Location": place})]
    with pytest.raises(DownloadError, match="No connection adapters were found"):
        download(site.url, tmp_path / "net.t7", size=None, patience=pauses.patience)
    assert (pauses, names(tmp_path)) == ([], [])


def test_redirect_to_no_address_is_one_error(tmp_path: Path, site: Site, pauses: Pauses) -> None:
    site.plan = [Answer(status=302, body=b"", extra={"Location": "http://[::1"})]
    with pytest.raises(DownloadError, match=r"net\.t7: Invalid IPv6 URL"):
        download(site.url, tmp_path / "net.t7", size=None, patience=pauses.patience)
    assert (pauses, names(tmp_path)) == ([], [])


def test_redirects_in_a_circle_end(tmp_path: Path, site: Site, pauses: Pauses) -> None:
    site.plan = [Answer(status=302, body=b"", extra={"Location": "/net.t7"})]
    with pytest.raises(DownloadError, match="Exceeded 10 redirects"):
        download(site.url, tmp_path / "net.t7", size=None, patience=pauses.patience)
    assert pauses == []


@pytest.mark.parametrize("url", ["net.t7", "http://", "ftp://127.0.0.1/net.t7"])
def test_address_that_is_none_fails_at_once(tmp_path: Path, pauses: Pauses, url: str) -> None:
    with pytest.raises(DownloadError):
        download(url, tmp_path / "net.t7", size=None, patience=pauses.patience)
    assert (pauses, names(tmp_path)) == ([], [])


# Offline


def test_closed_port_is_tried_and_explained(
    tmp_path: Path, pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/net.t7"
        try:
            int("what the caller was busy with")
        except ValueError:
            with pytest.raises(DownloadError) as caught:
                download(url, tmp_path / "net.t7", size=SIZE, patience=pauses.patience)
    assert str(caught.value) == (
        f"{url}: cannot be reached (Connection refused; offline?), 5 times in a row;"
        " a path to a copy on disk always works"
    )
    assert (pauses, names(tmp_path)) == ([1, 2, 4, 8], [])


def test_name_that_nobody_knows_is_explained(
    tmp_path: Path, pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    # The machine's own resolver may be slow where there is no network.
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setenv("NO_PROXY", "nowhere.invalid")
    url = "http://nowhere.invalid/net.t7"
    with pytest.raises(DownloadError, match=r"\(Name or service not known; offline\?\)"):
        download(url, tmp_path / "net.t7", size=SIZE, patience=pauses.patience)


def test_offline_keeps_what_arrived(tmp_path: Path, site: Site, pauses: Pauses) -> None:
    leave(tmp_path, site, pauses, kept=300_000, answer=Answer(cut=300_000))
    site.plan = [Answer(status=503, body=b"")]
    with pytest.raises(DownloadError, match="; the 300000 bytes that arrived are kept"):
        download(site.url, tmp_path / "net.t7", size=SIZE, patience=pauses.patience)
    assert (tmp_path / ".net.t7.part").read_bytes() == CONTENT[:300_000]


# The disk


def test_read_only_folder_is_an_error_that_names_the_file(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    download(site.url, tmp_path / "first", size=None)  # imports what is needed
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o555)
    monkeypatch.chdir(folder)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(PermissionError) as caught:
            download(site.url, Path("net.t7"), size=SIZE)
    finally:
        if root:
            os.seteuid(0)
    assert caught.value.filename == "net.t7"
    assert names(folder) == []


def test_missing_folder_is_an_error_that_names_the_file(tmp_path: Path, site: Site) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        download(site.url, tmp_path / "none" / "net.t7", size=SIZE)
    assert caught.value.filename == str(tmp_path / "none" / "net.t7")
    assert site.requests == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_an_error_that_names_the_file(
    tmp_path: Path, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".net.t7.part").symlink_to("/dev/full")
    with pytest.raises(SystemExit, match="2"), exit_on_error("resnext-convert"):
        download(site.url, tmp_path / "net.t7", size=SIZE)
    assert capsys.readouterr().err == (
        f"resnext-convert: {tmp_path / 'net.t7'}: No space left on device\n"
    )
    assert names(tmp_path) == []


def test_disk_that_is_full_after_some_bytes_gets_them_back(
    tmp_path: Path, site: Site, pauses: Pauses
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            download(site.url, tmp_path / "net.t7", size=SIZE, patience=pauses.patience)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.filename == str(tmp_path / "net.t7")
    assert (pauses, names(tmp_path)) == ([], [])


def test_folder_in_place_of_the_file_is_an_error(tmp_path: Path, site: Site) -> None:
    (tmp_path / "net.t7").mkdir()
    with pytest.raises(IsADirectoryError):
        download(site.url, tmp_path / "net.t7", size=SIZE)
    assert names(tmp_path) == ["net.t7"]


def test_cache_folder_is_the_override_or_the_systems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert cache_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert (tmp_path / "a" / "b").is_dir()
    assert cache_folder(None).is_dir()
    if sys.platform == "linux":
        assert cache_folder(None) == tmp_path / "caches" / "resnext"


# What a person sees


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("http://me:secret@host/x.tar", "http://me@host/x.tar"),
        ("--data=HTTPS://me:a:b@c@host:80/{0..9}.tar", "--data=HTTPS://me@host:80/{0..9}.tar"),
        ("http://me@host/a:b@c", "http://me@host/a:b@c"),
        ("http://host:80/x@y", "http://host:80/x@y"),
        ("http://[::1]:80/x@y", "http://[::1]:80/x@y"),
        ("s3://key:secret@bucket/x.tar", "s3://key@bucket/x.tar"),
        ("https://h/x?X-Amz-Signature=ab%2F&a=1", "https://h/x?X-Amz-Signature=...&a=1"),
        ("az://c/x?sv=2&sig=abc)", "az://c/x?sv=2&sig=..."),
    ],
    ids=["password", "word", "user", "port", "number", "store", "signed", "end"],
)
def test_address_is_shown_without_its_password(text: str, seen: str) -> None:
    assert without_password(text) == seen


def test_bar_without_a_terminal_is_a_line_at_both_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with download_bar("net.t7") as progress:
        progress(0, 1_048_576)
        progress(1_048_576, 1_048_576)
    assert capsys.readouterr() == ("", "net.t7: downloading, 1048576 bytes\nnet.t7: complete\n")


def test_bar_of_a_failure_does_not_call_it_complete(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with download_bar("net.t7") as progress:
            progress(300_000, None)
            raise DownloadError("no")

    with pytest.raises(DownloadError):
        fail()
    assert capsys.readouterr() == ("", "net.t7: downloading, 300000 are here already\n")


def test_bar_that_is_never_called_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with download_bar("net.t7"):
        pass
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("change", ["", "2>&-"], ids=["without a reader", "closed"])
def test_stderr_that_takes_nothing_does_not_end_a_download(change: str) -> None:
    code = (
        "from resnext.download.bar import download_bar\n"
        "with download_bar('net.t7') as progress: progress(0, 10)\n"
        "print('went on')"
    )
    reader, writer = os.pipe()
    os.close(reader)
    command = ["sh", "-c", f'exec "$0" -c "$1" {change}', sys.executable, code]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=writer, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stdout) == (0, "went on\n")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bar_on_a_terminal_names_the_file_and_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    with download_bar("[net].t7") as progress:
        progress(0, None)
        progress(524_288, 1_048_576)
    assert "[net].t7" in screen.getvalue()
    assert "0.5/1.0 MiB" in screen.getvalue()


def test_import_of_the_module_brings_no_slow_library() -> None:
    code = (
        "import sys; import resnext.download, resnext.download.bar;"
        "print({'requests', 'urllib3', 'rich', 'platformdirs', 'ssl'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_file_without_length_and_end_is_refused(tmp_path: Path, site: Site, pauses: Pauses) -> None:
    site.plan = [Answer(body=CONTENT * 8, chunked=True)]
    patience = replace(pauses.patience, most=300_000)
    with pytest.raises(DownloadError, match=r"at most 300000 bytes expected where its length is"):
        download(site.url, tmp_path / "x.tar", size=None, patience=patience)
    assert list(tmp_path.iterdir()) == []
    (request,) = site.requests
    assert request.sent < len(CONTENT) * 8


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_download_that_only_trickles_ends_with_a_word(
    tmp_path: Path, site: Site, pauses: Pauses, chunked: bool
) -> None:
    """The server sends a little, and would send more for hours."""
    site.plan = [Answer(hold=8192, chunked=chunked)]
    times = iter([0.0, 601.0])
    patience = replace(pauses.patience, clock=lambda: next(times))
    begin = time.monotonic()
    with pytest.raises(DownloadError) as caught:
        download(site.url, tmp_path / "net.t7", size=None, patience=patience)
    assert time.monotonic() - begin < 4
    arrived = (tmp_path / ".net.t7.part").stat().st_size
    assert 0 < arrived <= 8192
    assert str(caught.value) == (
        f"{site.url}: {arrived} bytes arrived in the last 601 seconds, where at least 60000 in 600 "
        f"are expected; the {arrived} bytes that arrived are kept for another try; a path to a "
        "copy on disk always works"
    )
    site.released.set()
    site.plan = [Answer(chunked=chunked)]
    assert download(site.url, tmp_path / "net.t7", size=SIZE).read_bytes() == CONTENT
    assert site.ranges == [None, f"bytes={arrived}-"]

"""Files of the Hub, read by threads while processes are forked."""

import multiprocessing
import os
import re
import threading
import time
from pathlib import Path

import pytest

from resnext.download.retries import Patience
from resnext.errors import DownloadError
from resnext.stores.fetching import fetch_file
from resnext.stores.hub import _LED, open_hub
from resnext.stores.hub_address import HubAddress
from resnext.stores.store import read_range
from tests.support.hub_server import Fault, Hub
from tests.support.ports import free_port

BRIEF = Patience(window=0.5, least=1000)
DATA = bytes(range(256)) * 8192


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_processes_that_are_forked_while_threads_read_do_not_hang(hub: Hub, tmp_path: Path) -> None:
    """huggingface_hub closes its connections in each of them, with a lock that all share."""
    hub.add("me/network", {"a.txt": b"a" * 100})
    store = open_hub(HubAddress.parse("hf://me/network"), tmp_path)
    (file,) = store.files()
    ended, failures = threading.Event(), []

    def read() -> None:
        try:
            while not ended.is_set():
                assert b"".join(store.stream(file, 0, file.size)) == b"a" * 100
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    forked = [multiprocessing.get_context("fork").Process(target=int) for _ in range(60)]
    try:
        for process in forked:
            process.start()
        for process in forked:
            process.join(timeout=20)
        codes = [process.exitcode for process in forked]
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        for process in forked:
            process.kill()
    assert (codes, failures) == ([0] * 60, [])


def test_file_that_only_trickles_ends_with_a_word_and_is_resumed(hub: Hub, tmp_path: Path) -> None:
    hub.add("me/network", {"a.bin": DATA})
    store = open_hub(HubAddress.parse("hf://me/network"), tmp_path)
    (file,) = store.files()
    hub.plan("a.bin", Fault(trickle=300_000))
    begin = time.monotonic()
    with pytest.raises(DownloadError) as caught:
        fetch_file(store, file, tmp_path / "a.bin", patience=BRIEF)
    assert time.monotonic() - begin < 5
    arrived = (tmp_path / ".a.bin.part").stat().st_size
    assert arrived >= 300_000
    assert re.fullmatch(
        rf"{store.address}/a.bin: \d+ bytes arrived in the last [01] seconds, where at least 1000 "
        rf"in 0 are expected; the {arrived} bytes that arrived are kept for another try; a path to "
        "a copy on disk always works",
        str(caught.value),
    )
    fetch_file(store, file, tmp_path / "a.bin", patience=BRIEF)
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert hub.asked("a.bin")[-1].range == f"bytes={arrived}-{len(DATA) - 1}"


def test_range_that_only_trickles_ends_with_a_word(hub: Hub, tmp_path: Path) -> None:
    hub.add("me/network", {"a.txt": DATA})
    store = open_hub(HubAddress.parse("hf://me/network"), tmp_path)
    (file,) = store.files()
    hub.plan("a.txt", Fault(trickle=10))
    with pytest.raises(DownloadError, match=rf"^{store.address}/a.txt: \d+ bytes arrived in the "):
        read_range(store, file, 1000, 5000, patience=BRIEF)
    assert read_range(store, file, 1000, 5000, patience=BRIEF) == DATA[1000:5000]


def test_pause_that_the_hub_asks_for_does_not_count_as_slow(hub: Hub, tmp_path: Path) -> None:
    hub.add("me/network", {"a.bin": DATA})
    store = open_hub(HubAddress.parse("hf://me/network"), tmp_path)
    (file,) = store.files()
    busy = Fault(status=429, headers={"Retry-After": "1"})
    hub.plan("a.bin", Fault(cut=10), busy)
    fetch_file(store, file, tmp_path / "a.bin", patience=Patience(window=0.9, least=1 << 30))
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_small_ranges_are_asked_where_the_hub_led_to_before(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is signed for a while: one that is refused is asked for anew."""
    data = bytes(range(256)) * 100
    hub.add("me/private", {"a.parquet": data})
    hub.repos["model", "me/private"].private = True
    hub.tokens["hf_0"] = {"me/private"}
    monkeypatch.setenv("HF_TOKEN", "hf_0")
    store = open_hub(HubAddress.parse("hf://me/private"), tmp_path)
    (file,) = store.files()
    for start in (0, 1000, 2000):
        assert read_range(store, file, start, start + 300) == data[start : start + 300]
    asked = [each.path.partition("/")[2].partition("/")[0] for each in hub.asked("a.parquet")]
    assert asked == ["me", "cdn", "cdn", "cdn"]
    assert [each.token for each in hub.asked("a.parquet")] == ["hf_0", None, None, None]
    hub.plan("a.parquet", Fault(status=403))
    assert read_range(store, file, 7, 9) == data[7:9]
    asked = [each.path.partition("/")[2].partition("/")[0] for each in hub.asked("a.parquet")]
    assert asked[4:] == ["cdn", "me", "cdn"]


def test_server_that_cannot_be_reached_any_more_is_asked_of_the_hub_anew(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("me/network", {"a.bin": DATA})
    store = open_hub(HubAddress.parse("hf://me/network"), tmp_path)
    (file,) = store.files()
    assert read_range(store, file, 0, 5) == DATA[:5]
    (url,) = (each for each in _LED if each.startswith(hub.url))
    monkeypatch.setitem(_LED, url, f"http://127.0.0.1:{free_port()}/a.bin")
    patience = Patience(retries=1, pause=0)
    assert read_range(store, file, 5, 9, patience=patience) == DATA[5:9]


def test_other_bytes_than_were_asked_for_are_refused(hub: Hub, tmp_path: Path) -> None:
    hub.add("me/network", {"a.bin": DATA})
    store = open_hub(HubAddress.parse("hf://me/network"), tmp_path)
    hub.plan("a.bin", Fault(headers={"Content-Range": f"bytes 5-9/{len(DATA)}"}))
    with pytest.raises(DownloadError) as caught:
        read_range(store, store.files()[0], 3, 8)
    assert str(caught.value) == (
        f"{store.address}/a.bin: bytes from 3 expected, those from 5 are sent; is there a proxy?"
    )

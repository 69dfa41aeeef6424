"""Files whose names state the beginning of their sha256, local and downloaded."""

import hashlib
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

import convert
from convert.description import describe_file
from convert.errors import DigitsError, SourceError
from convert.location import Location, named_row
from resnext.download import no_bar
from resnext.errors import DownloadError
from resnext.published import Row
from tests.support.golden import DATA
from tests.support.torch_nets import TorchvisionNet, randomised


class Silent(SimpleHTTPRequestHandler):
    """Serve a folder without a word."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Serve the folder `served` on loopback."""
    (tmp_path / "served").mkdir()
    handler = partial(Silent, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def weights(path: Path) -> str:
    """Write a state dict, and return its sha256."""
    torch.save(randomised(TorchvisionNet()).state_dict(), path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("suffix", ["pth", "pt", "bin", "pth.tar", "safetensors"])
def test_digits_in_the_name_of_a_file_are_checked(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "net.pth"
    digits = weights(path)
    for name in (f"net-{digits[:8]}.{suffix}", f"net-{digits}.{suffix}", f"net-1234567.{suffix}"):
        assert convert.load(path.replace(tmp_path / name)).spec.classes == 7
        path = tmp_path / name
    wrong = path.replace(tmp_path / f"net-7cdf4587.{suffix}")
    for read in (convert.load, describe_file):
        with pytest.raises(DigitsError) as caught:
            read(wrong)
        assert str(caught.value).startswith(
            f"{wrong}: sha256 7cdf4587... expected, as the file's name says, found {digits}; "
        )


def test_download_is_checked_by_the_first_digits(tmp_path: Path, address: str) -> None:
    digits = weights(tmp_path / "served" / "net.pth")
    target = tmp_path / f"net-{digits[:8]}.pth"
    row = Row(name="net", url=f"{address}/net.pth", file=target.name, sha256=digits[:8])
    found = convert.fetch(Location(path=target, output=target, row=row), no_bar)
    assert hashlib.sha256(found.read_bytes()).hexdigest() == digits
    (tmp_path / "served" / "net.pth").unlink()  # it is not asked for again
    assert convert.fetch(Location(path=target, output=target, row=row), no_bar) == target


def test_download_of_another_file_is_refused_and_nothing_stays(
    tmp_path: Path, address: str
) -> None:
    digits = weights(tmp_path / "served" / "net.pth")
    target = tmp_path / "net-7cdf4587.pth"
    row = Row(name="net", url=f"{address}/net.pth", file=target.name, sha256="7cdf4587")
    with pytest.raises(DownloadError) as caught:
        convert.fetch(Location(path=target, output=target, row=row), no_bar)
    assert str(caught.value).startswith(
        f"{address}/net.pth: sha256 7cdf4587... expected, found {digits};"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["served"]


def test_download_brings_the_graph_that_lies_beside_the_arrays(
    tmp_path: Path, address: str
) -> None:
    peers = DATA / "peers" / "mxnet"
    for name in ("mx191_small-0000.params", "mx191_small-symbol.json"):
        shutil.copy(peers / name, tmp_path / "served" / name)
    target = tmp_path / "mx191_small-0000.params"
    row = Row(name="net", file=target.name, url=f"{address}/{target.name}")
    found = convert.fetch(Location(path=target, output=target, row=row), no_bar)
    expected = convert.load(peers / "mx191_small-0000.params")
    assert convert.load(found).spec == expected.spec


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("", "--as: the name of a published network expected, found ''"),
        ("resnext50-32x4d", "did you mean resnext_50_32x4d?"),
        ("mine.pth", "--as: the name of a published network expected, found 'mine.pth'"),
    ],
    ids=["empty", "other spelling", "file"],
)
def test_name_that_is_not_published_is_refused(name: str, text: str) -> None:
    with pytest.raises(SourceError) as caught:
        named_row(name)
    assert text in str(caught.value)


def test_folder_without_a_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="a file expected, found a folder"):
        convert.find(str(tmp_path))
    with pytest.raises(SourceError, match="a file expected, found a folder"):
        convert.load(tmp_path)


@pytest.mark.parametrize("text", ["", "file:", "file://", "local://"])
def test_word_that_names_nothing_is_called_empty(text: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="published network expected, found an empty word"):
        convert.find(text, cache=tmp_path)

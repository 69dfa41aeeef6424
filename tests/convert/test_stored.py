"""Checkpoints at addresses of the Hub, on a server on loopback."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import convert
from convert.errors import SourceError
from resnext.download import no_bar
from resnext.errors import DownloadError
from tests.support.golden import ROOT
from tests.support.hub_server import SIGNATURE, Fault, Hub

T7 = ROOT / "examples/digits/resnext_11_8x4d_digits.t7"
TOKEN = "hf_0123456789"  # noqa: S105 - of no one


@pytest.fixture(scope="module")
def safetensors(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("converted") / "model.safetensors"
    convert.load(T7).save(path)
    return path.read_bytes()


def fetched(text: str, cache: Path) -> Path:
    return convert.fetch(convert.find(text, cache=cache), no_bar)


def refused(text: str, cache: Path) -> str:
    with pytest.raises((DownloadError, SourceError)) as caught:
        fetched(text, cache)
    message = str(caught.value)
    assert "\n" not in message
    assert SIGNATURE not in message
    assert TOKEN not in message
    return message


@pytest.mark.parametrize("slashes", ["//", "/"], ids=["address", "path"])
def test_safetensors_of_a_repository_are_taken_with_the_configuration(
    hub: Hub, tmp_path: Path, safetensors: bytes, slashes: str
) -> None:
    files = {"model.safetensors": safetensors, "pytorch_model.bin": b"x", "config.json": b"{}"}
    commit = hub.add("timm/net", files)
    location = convert.find(f"hf:{slashes}timm/net", cache=tmp_path)
    assert location.address == f"hf://timm/net@{commit}/model.safetensors"
    assert location.output == Path("net.safetensors")
    assert not list(tmp_path.rglob("*.safetensors"))
    path = convert.fetch(location, no_bar)
    assert path.read_bytes() == safetensors
    assert path.with_name("config.json").read_bytes() == b"{}"
    assert (path.parent.name, commit in str(path)) == ("net", True)
    assert not list(tmp_path.rglob("*.part*"))


def test_only_other_checkpoint_of_a_repository_is_taken(hub: Hub, tmp_path: Path) -> None:
    hub.add("me/digits", {"README.md": b"hi", "digits.t7": T7.read_bytes()})
    path = fetched("hf://me/digits", tmp_path)
    assert convert.load(path).spec == convert.load(T7).spec
    assert convert.find("hf://me/digits", cache=tmp_path).output == Path("digits.t7")


def test_several_checkpoints_are_named_and_asked_for(
    hub: Hub, tmp_path: Path, safetensors: bytes
) -> None:
    commit = hub.add("me/nets", {"a.safetensors": safetensors, "b.safetensors": b"b", "c.t7": b"c"})
    message = refused("hf://me/nets", tmp_path)
    assert message == (
        f"hf://me/nets@{commit}: one checkpoint expected, found a.safetensors, b.safetensors; name "
        f"the one that is meant: hf://me/nets@{commit}/a.safetensors"
    )
    assert fetched("hf://me/nets/a.safetensors", tmp_path).read_bytes() == safetensors
    assert fetched(f"hf://me/nets@{commit}/c.t7", tmp_path).read_bytes() == b"c"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hf://me/none", "no such model on the Hub, or a private one"),
        ("hf://me/net@other", "no revision other of it (the Hub answers 404)"),
        ("hf://me/net/other.t7", "no file 'other.t7' in it; it has README.md"),
        ("hf://me/net", "a checkpoint (.safetensors .t7 .pth .pt .bin .params .caffemodel"),
        ("hf://net", "hf://OWNER/MODEL or hf://datasets/OWNER/NAME expected"),
        ("hf://datasets/net", "hf://OWNER/MODEL or hf://datasets/OWNER/NAME expected"),
        ("hf:///me/net", "hf://OWNER/MODEL or hf://datasets/OWNER/NAME expected"),
    ],
    ids=["repository", "revision", "file", "checkpoint", "owner", "prefix", "slash"],
)
def test_what_is_not_there_is_one_line(hub: Hub, tmp_path: Path, text: str, said: str) -> None:
    hub.add("me/net", {"README.md": b"hi"})
    assert said in refused(text, tmp_path)


@pytest.mark.parametrize("has_token", [False, True], ids=["none", "token"])
def test_gated_repository_without_access_names_the_page_where_to_ask(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_token: bool
) -> None:
    hub.add("me/net", {"model.safetensors": b"x"})
    hub.repos["model", "me/net"].gated = True
    hub.tokens[TOKEN] = set()
    if has_token:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
    message = refused("hf://me/net", tmp_path)
    assert "ask for access at https://huggingface.co/me/net" in message
    assert ("HF_TOKEN" in message, "403" in message) == (not has_token, has_token)


def test_token_that_is_not_accepted_is_told_without_it(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("me/net", {"model.safetensors": b"x"})
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    message = refused("hf://me/net", tmp_path)
    assert "the Hub does not accept the token (it answers 401)" in message


def test_token_of_other_letters_is_told_without_it(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("me/net", {"model.safetensors": b"x"})
    monkeypatch.setenv("HF_TOKEN", f"{TOKEN}\u2026")
    message = refused("hf://me/net", tmp_path)
    assert "a token of ASCII letters expected in HF_TOKEN or in the login file" in message


def test_token_opens_a_private_repository_and_is_not_sent_elsewhere(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, safetensors: bytes
) -> None:
    hub.add("me/net", {"model.safetensors": safetensors})
    hub.repos["model", "me/net"].private = True
    hub.tokens[TOKEN] = {"me/net"}
    assert "a private one that takes a token to see" in refused("hf://me/net", tmp_path)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert fetched("hf://me/net", tmp_path).read_bytes() == safetensors
    assert [each.token for each in hub.requests if each.path.startswith("/cdn/")] == [None]
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert TOKEN.encode() not in kept


def test_cut_connection_goes_on_where_it_ended(
    hub: Hub, tmp_path: Path, safetensors: bytes
) -> None:
    hub.add("me/net", {"model.safetensors": safetensors})
    hub.plan("model.safetensors", Fault(cut=300_000))
    assert fetched("hf://me/net", tmp_path).read_bytes() == safetensors
    first, second = (each.range for each in hub.requests if each.path.startswith("/cdn/"))
    assert first == f"bytes=0-{len(safetensors) - 1}"
    assert second is not None
    assert int(second.removeprefix("bytes=").partition("-")[0]) > 200_000


def test_later_run_fetches_only_the_rest(hub: Hub, tmp_path: Path, safetensors: bytes) -> None:
    hub.add("me/net", {"model.safetensors": safetensors})
    hub.plan("model.safetensors", Fault(cut=300_000), Fault(status=404))
    assert "the Hub answers 404" in refused("hf://me/net", tmp_path)
    assert not list(tmp_path.rglob("model.safetensors"))
    hub.requests.clear()
    assert fetched("hf://me/net", tmp_path).read_bytes() == safetensors
    (again,) = (each.range for each in hub.requests if each.path.startswith("/cdn/"))
    assert again is not None
    assert not again.startswith("bytes=0-")


def test_server_says_how_long_to_wait(hub: Hub, tmp_path: Path, safetensors: bytes) -> None:
    hub.add("me/net", {"model.safetensors": safetensors})
    hub.plan(
        "model.safetensors", Fault(status=429, headers={"Retry-After": "0"}), Fault(status=503)
    )
    assert fetched("hf://me/net", tmp_path).read_bytes() == safetensors


def test_damaged_file_is_refused_and_not_kept(hub: Hub, tmp_path: Path, safetensors: bytes) -> None:
    hub.add("me/net", {"model.safetensors": safetensors})
    hub.plan("model.safetensors", Fault(body=safetensors[:-1] + b"?"))
    message = refused("hf://me/net", tmp_path)
    assert f"sha256 {hashlib.sha256(safetensors).hexdigest()} expected, found " in message
    assert not list(tmp_path.rglob("*safetensors*"))


def test_file_of_another_size_is_refused_at_once(
    hub: Hub, tmp_path: Path, safetensors: bytes
) -> None:
    commit = hub.add("me/net", {"model.safetensors": safetensors})
    location = convert.find("hf://me/net", cache=tmp_path)
    hub.repos["model", "me/net"].commits[commit]["model.safetensors"] = safetensors + b"more"
    hub.keep({"": safetensors + b"more"})
    with pytest.raises(DownloadError, match=f"{len(safetensors)} bytes expected, .* are offered"):
        convert.fetch(location, no_bar)
    assert not list(tmp_path.rglob("*safetensors*"))


@pytest.mark.parametrize("by", ["commit", "offline"])
def test_second_run_needs_no_network(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, safetensors: bytes, by: str
) -> None:
    commit = hub.add("me/net", {"model.safetensors": safetensors})
    first = fetched("hf://me/net", tmp_path)
    hub.requests.clear()
    text = "hf://me/net"
    if by == "commit":
        text = f"hf://me/net@{commit}"
    else:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert fetched(text, tmp_path) == first
    assert hub.requests == []


def test_offline_run_without_a_first_one_says_so(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("me/net", {"model.safetensors": b"x"})
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE is set" in refused("hf://me/net", tmp_path)
    assert hub.requests == []


def test_name_that_leads_out_of_the_cache_is_refused(hub: Hub, tmp_path: Path) -> None:
    hub.add("me/net", {"../../../../out.safetensors": b"x"})
    assert "leads out of it" in refused("hf://me/net", tmp_path / "cache")
    assert not list(tmp_path.rglob("out.safetensors"))


def test_without_huggingface_hub_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "pip install 'resnext[hub]'" in refused("hf://me/net", tmp_path)


def test_command_converts_a_checkpoint_of_the_hub(hub: Hub, tmp_path: Path) -> None:
    hub.add("me/digits", {"digits.t7": T7.read_bytes()})
    command = [sys.executable, "-m", "convert.cli", "hf://me/digits", "--cache", "cache"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
    assert (tmp_path / "digits.safetensors").is_file()

"""Addresses of the Hub, and of another Hub."""

import pytest

from resnext.errors import DownloadError
from resnext.stores.hub_address import HubAddress, hub_endpoint


@pytest.mark.parametrize(
    ("text", "kind", "repo", "revision", "path"),
    [
        ("hf://timm/net", "model", "timm/net", None, ""),
        ("hf://models/timm/net/a/b.bin", "model", "timm/net", None, "a/b.bin"),
        ("hf://datasets/me/set@v1.0/data", "dataset", "me/set", "v1.0", "data"),
        ("hf://datasets/me/set@refs/pr/12/x", "dataset", "me/set", "refs/pr/12", "x"),
        ("hf:/datasets/me/set@refs%2Fpr%2F12", "dataset", "me/set", "refs/pr/12", ""),
        (
            "hf://datasets/me/set@refs/convert/parquet/default",
            *("dataset", "me/set", "refs/convert/parquet", "default"),
        ),
        ("hf://datasets/me/set/val-{0..2}.tar", "dataset", "me/set", None, "val-{0..2}.tar"),
    ],
)
def test_address_is_read(text: str, kind: str, repo: str, revision: str | None, path: str) -> None:
    found = HubAddress.parse(text)
    assert (found.kind, found.repo, found.revision, found.path) == (kind, repo, revision, path)


@pytest.mark.parametrize(
    "text",
    [
        *("hf://", "hf://net", "hf://datasets/set", "hf://spaces/me/app", "hf://me/net@"),
        *("hf:///a/b", "hf://me/net@a\udcff", "hf://me/net/a\nb"),
    ],
)
def test_text_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(DownloadError, match=r"hf://OWNER/MODEL or hf://datasets/OWNER/NAME"):
        HubAddress.parse(text)


@pytest.mark.parametrize(
    "text",
    ["nonsense", "ftp://hub", "http://", "http://[::x", "http://u:s3cret@hub:99999", "http://h\n"],
)
def test_endpoint_that_is_no_address_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", text)
    with pytest.raises(DownloadError, match="HF_ENDPOINT: http:// or https:// and") as caught:
        hub_endpoint()
    assert "s3cret" not in str(caught.value)


def test_endpoint_is_another_hub_or_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example:8443/hf")
    assert hub_endpoint() == "https://hub.example:8443/hf"
    monkeypatch.setenv("HF_ENDPOINT", "")
    assert hub_endpoint() is None

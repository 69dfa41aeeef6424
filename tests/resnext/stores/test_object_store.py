"""Addresses that fsspec cannot open: one line each, whatever its packages raise."""

from pathlib import Path

import pytest

from resnext.errors import DownloadError
from resnext.stores.object_store import open_store

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

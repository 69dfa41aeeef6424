"""Addresses that name nothing: one line of ours, before any package or server is asked."""

from pathlib import Path

import fsspec
import pytest

from resnext.errors import DownloadError
from resnext.stores.opening import find_stored, is_address, local_path

NO_HUB = (
    "hf://OWNER/MODEL or hf://datasets/OWNER/NAME expected, with @REVISION and /PATH where they "
    "are needed"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("s3://", "s3://: s3://BUCKET/FOLDER expected, found no bucket"),
        ("s3:///", "s3:///: s3://BUCKET/FOLDER expected, found no bucket"),
        ("s3:///val", "s3:///val: s3://BUCKET/FOLDER expected, found no bucket"),
        ("s3a://", "s3a://: s3a://BUCKET/FOLDER expected, found no bucket"),
        ("s3://me:secr3t@/x", "s3://me@/x: s3://BUCKET/FOLDER expected, found no bucket"),
        ("s3://me:secr3t@bucket/x", "s3://me@bucket/x: s3://BUCKET/FOLDER expected, found cred"),
        ("s3://*", "s3://*: s3://BUCKET/FOLDER expected, found a pattern for the bucket"),
        ("s3://{a,b}/x", "s3://{a,b}/x: s3://BUCKET/FOLDER expected, found a pattern for the"),
        ("s3:", "s3:: s3://BUCKET/FOLDER expected, found no // behind s3:"),
        ("s3:/bucket/x", "s3:/bucket/x: s3://BUCKET/FOLDER expected, found no // behind s3:"),
        ("S3://bucket", "S3://bucket: s3:// in small letters expected, found S3://"),
        ("gs://", "gs://: gs://BUCKET/FOLDER expected, found no bucket"),
        ("gcs:bucket", "gcs:bucket: gcs://BUCKET/FOLDER expected, found no // behind gcs:"),
        ("az://", "az://: az://CONTAINER/FOLDER expected, found no container"),
        ("az://@account/x", "az://@account/x: az://CONTAINER/FOLDER expected, found no container"),
        ("abfs:///x", "abfs:///x: abfs://CONTAINER/FOLDER expected, found no container"),
        ("ftp://", "ftp://: ftp://HOST/FOLDER expected, found no host"),
        ("sftp://me@", "sftp://me@: sftp://HOST/FOLDER expected, found no host"),
        ("zip::s3://", "zip::s3://: s3://BUCKET/FOLDER expected, found no bucket"),
        ("zip://*.jpg::gs:///x.zip", "zip://*.jpg::gs:///x.zip: gs://BUCKET/FOLDER expected, "),
        ("hf:", f"hf:: {NO_HUB}"),
        ("hf://", f"hf://: {NO_HUB}"),
        ("hf://datasets", f"hf://datasets: {NO_HUB}"),
        ("hf://datasets/", f"hf://datasets/: {NO_HUB}"),
        ("hf://datasets/set", f"hf://datasets/set: {NO_HUB}"),
        ("hf://datasets/@main", f"hf://datasets/@main: {NO_HUB}"),
        ("HF://me/net", "HF://me/net: hf:// in small letters expected, found HF://"),
    ],
)
def test_address_that_names_nothing_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    assert is_address(text)
    with pytest.raises(DownloadError) as caught:
        find_stored(text, tmp_path)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)
    assert "secr3t" not in str(caught.value)


@pytest.mark.parametrize("text", ["val", "/data/s3", "a:b", "C:\\data", "pipe:cat a.tar", "x{0:1}"])
def test_path_is_no_address(text: str) -> None:
    assert not is_address(text)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("file:///data", "/data"),
        ("file:data", "data"),
        ("file://", ""),
        ("file:///", "/"),
        ("local://", ""),
        ("s3://x", None),
    ],
)
def test_address_of_this_machine_is_a_path_or_nothing(text: str, path: str | None) -> None:
    assert local_path(text) == path


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "memory://empty: files expected there, found none; it is empty"),
        ("/*.tar", "memory://empty/*.tar: no file '*.tar' in it; it is empty"),
    ],
)
def test_folder_that_is_empty_is_called_so(tmp_path: Path, pattern: str, said: str) -> None:
    fs = fsspec.filesystem("memory")
    fs.makedirs("/empty", exist_ok=True)
    with pytest.raises(DownloadError) as caught:
        find_stored(f"memory://empty{pattern}", tmp_path)
    assert str(caught.value) == said

"""Images in object stores: a real server of S3 on loopback, and what fsspec brings itself."""

import hashlib
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from uuid import uuid4

import fsspec
import pytest

import convert
from resnext.download import no_bar
from resnext.errors import DataError, DownloadError, ResnextError
from resnext.images.sources.opening import open_images
from resnext.images.sources.pictures import open_pictures
from tests.support import warm
from tests.support.golden import ROOT
from tests.support.image_forms import CLASSES, FORMS, digits
from tests.support.s3_server import S3

T7 = ROOT / "examples/digits/resnext_11_8x4d_digits.t7"


@pytest.fixture
def bucket(s3: S3) -> str:
    name = f"digits-{uuid4().hex}"
    s3.client.create_bucket(Bucket=name)
    return name


def upload(s3: S3, bucket: str, folder: Path, below: str = "set") -> str:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            key = f"{below}/{path.relative_to(folder).as_posix()}"
            s3.client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
    return f"s3://{bucket}/{below}"


def by_content(images: object) -> dict[bytes, int]:
    labels = images.labels.tolist()  # type: ignore[attr-defined]
    reader = images.reader  # type: ignore[attr-defined]
    return {reader.read(at): label for at, label in enumerate(labels)}


DIGITS = {data: label for _, _, data, label in digits()}


@pytest.mark.parametrize(
    "form",
    ["folder_of_parquet", "above_class_folders", "folder_of_shards", "shards_by_braces"],
)
def test_forms_of_sets_are_read_from_a_bucket(
    s3: S3, bucket: str, tmp_path: Path, form: str
) -> None:
    root = tmp_path / "there"
    root.mkdir()
    data = Path(str(FORMS[form](root)["data"]))
    base = data.parent if "*" in data.name or "{" in data.name else data
    address = upload(s3, bucket, base)
    text = f"{address}/{data.name}" if base != data else address
    images = open_images(text, cache=tmp_path / "cache")
    assert by_content(images) == DIGITS
    assert images.root.startswith(f"s3://{bucket}/set")
    again = open_images(text, cache=tmp_path / "cache")
    assert not [note for note in again.notes if "to fetch" in note]


def test_tar_in_a_bucket_is_read(s3: S3, bucket: str, tmp_path: Path) -> None:
    data = (ROOT / "examples/digits/train.tar").read_bytes()
    s3.client.put_object(Bucket=bucket, Key="train.tar", Body=data)
    images = open_images(f"s3://{bucket}/train.tar", cache=tmp_path, split="train")
    local = open_images(str(ROOT / "examples/digits/train.tar"), split="train")
    assert list(images.ids) == list(local.ids)
    assert images.reader.read(17) == local.reader.read(17)


def test_object_that_changed_is_fetched_anew(s3: S3, bucket: str, tmp_path: Path) -> None:
    address = f"s3://{bucket}/net.bin"
    for data in (b"a" * 1000, b"b" * 1000):
        s3.client.put_object(Bucket=bucket, Key="net.bin", Body=data)
        path = convert.fetch(convert.find(address, cache=tmp_path), no_bar)
        assert path.read_bytes() == data


def test_md5_of_an_object_is_compared(s3: S3, bucket: str, tmp_path: Path) -> None:
    s3.client.put_object(Bucket=bucket, Key="x.t7", Body=b"first" * 500_000)
    location = convert.find(f"s3://{bucket}/x.t7", cache=tmp_path)
    s3.client.put_object(Bucket=bucket, Key="x.t7", Body=b"other" * 500_000)
    expected = hashlib.md5(b"first" * 500_000, usedforsecurity=False).hexdigest()
    with pytest.raises(DownloadError, match=f"x.t7: md5 {expected} expected, found "):
        convert.fetch(location, no_bar)
    assert not list(tmp_path.rglob("*x.t7*"))


def upload_in_parts(s3: S3, bucket: str, data: bytes) -> None:
    upload_id = s3.client.create_multipart_upload(Bucket=bucket, Key="x.t7")["UploadId"]
    parts = []
    for number, part in enumerate((data[:5_300_000], data[5_300_000:]), start=1):
        done = s3.client.upload_part(
            Bucket=bucket, Key="x.t7", UploadId=upload_id, PartNumber=number, Body=part
        )
        parts.append({"ETag": done["ETag"], "PartNumber": number})
    s3.client.complete_multipart_upload(
        Bucket=bucket, Key="x.t7", UploadId=upload_id, MultipartUpload={"Parts": parts}
    )


def test_object_in_parts_has_no_md5_and_is_taken(s3: S3, bucket: str, tmp_path: Path) -> None:
    data = Random(0).randbytes(6_000_000)  # noqa: S311
    upload_in_parts(s3, bucket, data)
    path = convert.fetch(convert.find(f"s3://{bucket}/x.t7", cache=tmp_path), no_bar)
    assert path.read_bytes() == data


def test_object_in_parts_that_is_replaced_meanwhile_is_refused(
    s3: S3, bucket: str, tmp_path: Path
) -> None:
    upload_in_parts(s3, bucket, b"first" * 1_200_000)
    location = convert.find(f"s3://{bucket}/x.t7", cache=tmp_path)
    upload_in_parts(s3, bucket, b"other" * 1_200_000)
    with pytest.raises(DownloadError, match=r"x\.t7: the version that was listed expected"):
        convert.fetch(location, no_bar)
    assert not list(tmp_path.rglob("*x.t7*"))


@pytest.fixture
def memory() -> Iterator[str]:
    """Return an address in the store of fsspec that this process holds."""
    fs, root = fsspec.filesystem("memory"), f"/{uuid4().hex}"
    for name, file, data, _ in digits():
        fs.pipe(f"{root}/val/{name}/{file}", data)
    yield f"memory:/{root}"
    fs.rm(root, recursive=True)


def test_folders_in_any_store_of_fsspec_are_read(memory: str, tmp_path: Path) -> None:
    images = open_images(memory, cache=tmp_path)
    assert images.classes == CLASSES
    assert by_content(images) == DIGITS


def test_pictures_in_a_store_are_taken_in_any_form(memory: str, tmp_path: Path) -> None:
    name, file, data, _ = next(digits())
    one = open_pictures([f"{memory}/val/{name}/{file}"], cache=tmp_path)
    assert (list(one.ids), one.reader.read(0)) == ([f"{memory}/val/{name}/{file}"], data)
    every = open_pictures([f"{memory}/val/*/*.*"], cache=tmp_path)
    assert {every.reader.read(at) for at in range(len(every))} == set(DIGITS)


def test_archive_in_a_store_is_read_by_a_chain_of_addresses(tmp_path: Path) -> None:
    path = tmp_path / "val.zip"
    with zipfile.ZipFile(path, "w") as file:
        for folder, name, data, _ in digits():
            file.writestr(f"{folder}/{name}", data)
    images = open_images(f"zip://::file://{path}", cache=tmp_path / "cache")
    assert by_content(images) == DIGITS


def test_address_of_this_machine_is_a_path(tmp_path: Path) -> None:
    data = ROOT / "examples/digits/val"
    assert open_images(f"file://{data}", cache=tmp_path).root == str(data)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gs://bucket/val", "gs:// takes gcsfs, which cannot be imported"),
        ("az://bucket/val", "az:// takes adlfs, which cannot be imported"),
        ("store://bucket/{0..1}.tar", "an address of the Hub (hf://) or of a store that fsspec"),
        ("memory://none/val", "memory://none/val: a file or a folder in the store expected"),
    ],
    ids=["google", "azure", "scheme", "nothing"],
)
def test_store_that_cannot_be_read_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ResnextError) as caught:
        open_images(text, cache=tmp_path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_s3fs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(DownloadError, match=r"s3:// takes s3fs, .*; pip install s3fs"):
        open_images("s3://bucket/val", cache=tmp_path)


def test_credentials_that_are_wrong_are_not_told(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError) as caught:
        open_images(f"s3://me:secr3t@{bucket}/none", cache=tmp_path)
    assert "secr3t" not in str(caught.value)


def test_nothing_in_a_bucket_is_one_line(s3: S3, bucket: str, tmp_path: Path) -> None:
    s3.client.put_object(Bucket=bucket, Key="val/a.txt", Body=b"x")
    with pytest.raises(DownloadError, match=r"no file 'train-\*.tar' in it; it has a.txt"):
        open_images(f"s3://{bucket}/val/train-*.tar", cache=tmp_path)
    with pytest.raises(DataError, match=r"tars or images expected, found a.txt"):
        open_images(f"s3://{bucket}/val", cache=tmp_path)


def test_command_measures_a_bucket(s3: S3, bucket: str, tmp_path: Path) -> None:
    address = upload(s3, bucket, Path(str(FORMS["folder_of_parquet"](tmp_path)["data"])))
    words = [f"--data={address}", "--cache=cache", "--json", "--limit=32"]
    words += ["--claims", str(ROOT / "examples/digits/claims.toml"), str(T7)]
    output = tmp_path / "out"
    process = warm.start("validate.cli", words, cwd=tmp_path, output=output)
    process.join()
    assert process.exitcode == 0, warm.errors(output)
    assert json.loads(output.read_text())["images"]["root"] == address
    assert f"{address}: 2 files of " in warm.errors(output)

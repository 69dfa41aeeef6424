"""Files of other kinds are said to be what they are, with the next step."""

import io
import lzma
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from safetensors.numpy import save

from convert.torch7 import file as t7
from convert.torch7.errors import NotT7Error
from convert.torch7.file import kind_of_file


def torch_file(**options: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save({"weight": torch.zeros(2)}, buffer, **options)
    return buffer.getvalue()


def zip_file() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", "b")
    return buffer.getvalue()


def tar_file() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return buffer.getvalue()


def npz_file() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(2))
    return buffer.getvalue()


KINDS = {
    "zip": (zip_file, "a zip archive: if a .t7 file is in it, unpack it first (unzip)"),
    "npz": (npz_file, "a zip archive: if a .t7 file is in it"),
    "torch": (
        torch_file,
        "a PyTorch checkpoint (.pth, .pt, .bin: a zip archive); resnext-convert reads those of",
    ),
    "old torch": (
        lambda: torch_file(_use_new_zipfile_serialization=False),
        "a Python pickle, such as PyTorch's older checkpoints are; resnext-convert reads those of",
    ),
    "pickle": (lambda: pickle.dumps({}), "a Python pickle"),
    "safetensors": (lambda: save({"a": np.zeros(2)}), "a safetensors file: it needs no conversion"),
    "tar": (tar_file, "a tar archive: if a .t7 file is in it, unpack it first (tar xf)"),
    "gzip": (lambda: b"\x1f\x8b\x08\0\0\0\0\0", "a gzip archive: unpack it first"),
    "xz": (lambda: lzma.compress(b"x"), "an xz archive: unpack it first"),
    "bzip2": (lambda: b"BZh91AY&SY", "a bzip2 archive: unpack it first"),
    "hdf5": (lambda: b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    "lfs": (
        lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "a Git LFS pointer: fetch the file itself",
    ),
    "web page": (
        lambda: b"<!DOCTYPE html><html><body>403 Forbidden</body></html>",
        "a web page: the download failed",
    ),
    "error of a server": (
        lambda: b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
        "a web page: the download failed",
    ),
    "text": (lambda: b"Not found\n", "a text file"),
    "source": (lambda: b"import torch\n" * 100, "a text file"),
    "Windows' text": (
        lambda: b"3\r\n1\r\n0\r\n",
        "a Torch7 text with Windows' line ends: copy the original in binary mode",
    ),
    "old Mac's text": (lambda: b"3\r1\r0\r", "a Torch7 text whose line ends were changed"),
    "byte order mark": (
        lambda: b"\xef\xbb\xbf3\n1\n0\n",
        "a Torch7 text behind a byte order mark",
    ),
    "UTF-16": (lambda: "3\n1\n0\n".encode("utf-16"), "a text in UTF-16"),
    "noise": (lambda: bytes(range(200, 250)), "unknown bytes c8 c9 ca cb cc cd ce cf"),
}


@pytest.mark.parametrize("name", KINDS)
def test_other_kind_of_file_is_named(name: str) -> None:
    make, description = KINDS[name]
    assert kind_of_file(make()[:512]).startswith(description)


@pytest.mark.parametrize("name", KINDS)
def test_other_kind_of_file_is_refused_by_the_reader(name: str) -> None:
    make, description = KINDS[name]
    with pytest.raises(NotT7Error, match="a Torch7 file expected, found ") as caught:
        t7.loads(make())
    assert caught.value.found.startswith(description)
    assert caught.value.offset == 0

"""Files of PyTorch that are damaged, hostile or need code are refused, and run nothing."""

import argparse
import contextlib
import io
import pickle
import random
import re
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import convert
from convert.description import describe_file
from convert.pytorch.archive import MOST_PICKLED, FileKind
from convert.pytorch.errors import (
    DamagedFileError,
    InflatedFileError,
    PickledCodeError,
    ProgramError,
    PyTorchError,
    UnreadPickleError,
)
from convert.pytorch.reader import read_values
from convert.pytorch.state_dicts import to_arrays
from convert.source.errors import RefusedError, WeightError
from tests.support.torch_nets import TorchvisionNet, randomised

BOTH = pytest.mark.parametrize("old", [False, True], ids=["zip", "old format"])


def written(path: Path, value: Any, *, old: bool = False, **options: Any) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=not old, **options)
    return path


class Touch:
    """A pickle of it creates a file where code is run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@BOTH
def test_pickled_code_is_named_and_not_run(tmp_path: Path, old: bool) -> None:
    target = tmp_path / "touched"
    path = written(tmp_path / "x.pth", {"state_dict": Touch(target)}, old=old)
    with pytest.raises(PickledCodeError, match=r"a pickle that needs .*pathlib.*nothing in a file"):
        convert.load(path)
    assert not target.exists()


@BOTH
def test_training_state_with_objects_is_refused_with_what_it_holds(
    tmp_path: Path, old: bool
) -> None:
    value = {"state_dict": {}, "args": argparse.Namespace(lr=1), "best": np.float64(77)}
    path = written(tmp_path / "x.pth", value, old=old)
    with pytest.raises(PickledCodeError) as caught:
        convert.load(path)
    assert caught.value.names == (
        "argparse.Namespace",
        "numpy._core.multiarray.scalar",
        "numpy.dtype",
    )
    assert str(caught.value).startswith(f"{path}: tensors and plain values expected, found a ")


def test_command_of_the_refusal_writes_a_plain_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = randomised(TorchvisionNet())
    plain = convert.load(written(tmp_path / "state.pth", network.state_dict()))
    monkeypatch.chdir(tmp_path)
    values = (
        network,
        {"model": network, "epoch": 1},
        {"state_dict": network.state_dict(), "args": argparse.Namespace(lr=1)},
    )
    for value in values:
        path = written(tmp_path / "FILE", value)
        with pytest.raises(PickledCodeError) as caught:
            convert.load(path)
        [code] = re.findall('python -c "(.*)"', str(caught.value))
        exec(code, {})  # noqa: S102 - what the message tells the user to run
        assert convert.load(tmp_path / "plain.pth").digest() == plain.digest()


def test_archive_without_checksums_is_read_and_its_pickled_code_named(tmp_path: Path) -> None:
    network = randomised(TorchvisionNet())
    torch.serialization.set_crc32_options(False)
    try:
        plain = written(tmp_path / "x.pth", network.state_dict())
        pickled = written(tmp_path / "y.pth", {"args": argparse.Namespace(lr=1)})
    finally:
        torch.serialization.set_crc32_options(True)
    assert convert.load(plain).spec.classes == 7
    with pytest.raises(PickledCodeError, match=r"needs argparse\.Namespace, and"):
        convert.load(pickled)


def test_pickle_of_another_protocol_is_refused_with_a_way(tmp_path: Path) -> None:
    path = written(tmp_path / "x.pth", {"a": torch.zeros(1)}, pickle_protocol=4)
    with pytest.raises(UnreadPickleError, match=r"Unsupported operand 149; where you trust"):
        convert.load(path)


def test_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    entries = {"x/data.pkl": b"", "x/constants.pkl": b"", "x/code/a.py": b""}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    with pytest.raises(ProgramError, match="TorchScript"):
        convert.load(path)


def rewritten(path: Path, compression: int, add: dict[str, bytes] | None = None) -> Path:
    """Write the entries of an archive again, with others beside them."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in (entries | (add or {})).items():
            archive.writestr(name, data)
    return path


def test_archive_that_grows_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "x.pth", {"conv1.weight": torch.zeros(64, 3, 7, 7)})
    rewritten(path, zipfile.ZIP_DEFLATED)
    with pytest.raises(InflatedFileError, match=r"entry '.*': \d+ bytes that become \d+"):
        convert.load(path)


def test_entries_that_share_bytes_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "x.pth", {"conv1.weight": torch.zeros(64, 3, 7, 7)})
    rewritten(path, zipfile.ZIP_STORED, {"x/data/1": b"\1" * 40000})
    data = bytearray(path.read_bytes())
    # The last entry's record in the list points to where the largest one lies.
    records = [found.start() for found in re.finditer(rb"PK\x01\x02", data)]
    lengths = {at: struct.unpack_from("<H", data, at + 28)[0] for at in records}
    names = {bytes(data[at + 46 : at + 46 + length]): at for at, length in lengths.items()}
    one, other = names[b"x/data/0"], names[b"x/data/1"]
    data[other + 16 : other + 28] = data[one + 16 : one + 28]  # checksum and sizes
    data[other + 42 : other + 46] = data[one + 42 : one + 46]
    path.write_bytes(data)
    with pytest.raises(PyTorchError):
        convert.load(path)


def test_large_pickle_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "x.pth", {"text": "x" * (MOST_PICKLED + 1)})
    with pytest.raises(InflatedFileError, match="beside the tensors"):
        convert.load(path)
    written(path, {"text": "x" * (MOST_PICKLED + 1)}, old=True)
    with pytest.raises(InflatedFileError, match="beside the tensors"):
        convert.load(path)


def test_changed_byte_of_a_stored_tensor_is_found_by_its_checksum(tmp_path: Path) -> None:
    path = written(tmp_path / "x.pth", randomised(TorchvisionNet()).state_dict())
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo("x/data/0").header_offset
    data[place + 200] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedFileError, match="CRC"):
        convert.load(path)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.zeros(1).expand(8, 3, 7, 7),
        lambda: torch.zeros(8, 3, 7, 7).as_strided((8, 3, 7, 7), (1, 1, 1, 1)),
        lambda: torch.zeros(1).expand(10**6, 10**6, 7, 7),
    ],
    ids=["expanded", "overlapping", "huge"],
)
@BOTH
def test_tensor_that_repeats_its_elements_is_refused(
    tmp_path: Path, make: Callable[[], torch.Tensor], old: bool
) -> None:
    state = {**randomised(TorchvisionNet()).state_dict(), "conv1.weight": make()}
    path = written(tmp_path / "x.pth", state, old=old)
    with pytest.raises(WeightError, match=r"conv1.weight: (its elements repeat|the tensors up to)"):
        convert.load(path)


@BOTH
def test_two_tensors_of_one_memory_are_refused(tmp_path: Path, old: bool) -> None:
    state = randomised(TorchvisionNet()).state_dict()
    state["layer1.0.bn1.bias"] = state["layer1.0.bn1.weight"]
    with pytest.raises(WeightError, match=r"bn1\.\w+: shares memory with layer1\.0\.bn1\.\w+"):
        convert.load(written(tmp_path / "x.pth", state, old=old))


def test_storage_of_which_the_file_has_no_values_is_refused(tmp_path: Path) -> None:
    """PyTorch would hand out memory as it found it."""
    path = tmp_path / "x.pth"
    written(path, randomised(TorchvisionNet()).state_dict(), old=True)
    with path.open("rb") as file:
        for _ in range(3):
            pickle.load(file)  # noqa: S301 - written above
        for _ in _opcodes(file):
            pass
        start = file.tell()
        keys = pickle.load(file)  # noqa: S301
        rest = file.read()
    data = path.read_bytes()[:start] + pickle.dumps(keys[:-1], protocol=2) + rest
    path.write_bytes(data)
    with pytest.raises(WeightError, match="the file has no values of it"):
        convert.load(path)


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_tensor_outside_what_the_file_filled_is_refused(dtype: torch.dtype) -> None:
    """Of any type: which storage of a file is the last one differs from run to run."""
    tensor = torch.ones(4, dtype=dtype)
    start, size = tensor.data_ptr(), 4 * tensor.element_size()
    for filled in ((), ((start - 64, 64),), ((start, size - 1),), ((start + 1, size),)):
        with pytest.raises(WeightError, match="n: the file has no values of it"):
            to_arrays({"n": tensor}, most=size, filled=filled)
    halves = ((start, size // 2), (start + size // 2, size // 2))
    for filled in (((start, size),), halves, None):
        arrays, _ = to_arrays({"n": tensor}, most=size, filled=filled)
        assert arrays["n"].tolist() == [1, 1, 1, 1]


def _opcodes(file: io.BufferedReader) -> Any:
    import pickletools

    return pickletools.genops(file)


@BOTH
def test_every_beginning_of_a_file_is_refused(tmp_path: Path, old: bool) -> None:
    path = written(tmp_path / "x.pth", {"conv1.weight": torch.ones(2, 3, 3, 3)}, old=old)
    whole = path.read_bytes()
    kind = FileKind.OLD if old else FileKind.ZIP
    for length in range(64, len(whole), 13):
        path.write_bytes(whole[:length])
        with pytest.raises(PyTorchError):
            read_values(path, kind)


@BOTH
def test_changed_bytes_give_refusals_or_networks(tmp_path: Path, old: bool) -> None:
    small = TorchvisionNet((1, 1, 1), planes=2, width=1, classes=2)
    path = written(tmp_path / "x.pth", {"state_dict": randomised(small).state_dict()}, old=old)
    whole, generator = path.read_bytes(), random.Random(0)  # noqa: S311
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(generator.choice((1, 2, 8))):
            data[generator.randrange(min(len(data), 12000))] = generator.randrange(256)
        path.write_bytes(data)
        with contextlib.suppress(convert.ConvertError):
            convert.load(path)


@BOTH
def test_attributes_from_the_file_hide_no_method(tmp_path: Path, old: bool) -> None:
    state = OrderedDict(randomised(TorchvisionNet()).state_dict())
    plain = convert.load(written(tmp_path / "plain.pth", state))
    # torch.save calls the methods itself, so they are hidden by other names until it has.
    names = ("items", "keys", "values", "get", "numel", "stride", "detach", "numpy", "is_conj")
    aliases = {f"{name[:-1]}Z".encode(): name.encode() for name in names}
    vars(state).clear()
    for alias in aliases:
        vars(state)[alias.decode()] = 3
        setattr(state["fc.bias"], alias.decode(), 3)
    path = written(tmp_path / "x.pth", OrderedDict(state_dict=state), old=old)
    if old:
        path.write_bytes(replaced(path.read_bytes(), aliases))
    else:
        with zipfile.ZipFile(path) as archive:
            values = archive.read("x/data.pkl")
        rewritten(path, zipfile.ZIP_STORED, {"x/data.pkl": replaced(values, aliases)})
    found: Any = torch.load(path, weights_only=True)
    assert set(vars(found["state_dict"])) == set(names)
    assert found["state_dict"]["fc.bias"].numel == 3
    assert convert.load(path).digest() == plain.digest()
    assert describe_file(path).refusal is None


def replaced(data: bytes, texts: dict[bytes, bytes]) -> bytes:
    """Replace texts by others of the same length."""
    for one, other in texts.items():
        data = data.replace(one, other)
    return data


def test_pickle_that_torch_did_not_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(convert.ConvertError, match="a Python pickle"):
        convert.load(path)


@pytest.mark.parametrize(
    "value",
    [
        [1, 2],
        {},
        {"a": torch.zeros(3)},
        {"state_dict": {"conv1.weight": torch.zeros(2, 3, 3, 3).to_sparse()}},
        {"conv1.weight": torch.zeros(2, 3, 7, 7, dtype=torch.int8)},
        {"conv1.weight": torch.zeros(2, 3, 7, 7, dtype=torch.complex64)},
        {"conv1.weight": torch.zeros(2, 3, 7, 7), 3: torch.zeros(1), "text": "x"},
    ],
    ids=["list", "empty", "no network", "sparse", "int8", "complex", "other keys"],
)
def test_values_without_a_network_are_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(RefusedError):
        convert.load(written(tmp_path / "x.pth", value))

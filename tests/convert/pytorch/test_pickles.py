"""Pickles that are small in a file and large when they are hashed."""

import pickle
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch

import convert
from convert.pytorch.archive import FileKind
from convert.pytorch.errors import DamagedFileError, InflatedFileError
from convert.pytorch.pickles import check_pickles
from tests.support.torch_nets import TorchvisionNet, randomised


def doubled(times: int) -> bytes:
    """Return a pickle of {t: 1}, where t is (s, s), s is (r, r) and so on."""
    steps = [b"\x80\x02)q\x00"]
    steps += [b"h%ch%c\x86q%c" % (step - 1, step - 1, step) for step in range(1, times)]
    return b"".join((*steps, b"}h%cK\x01s." % (times - 1)))


def as_archive(path: Path, pickled: bytes) -> Path:
    """Write an archive as torch.save lays one out."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", pickled)
        archive.writestr("x/version", b"3\n")
    return path


def as_old(path: Path, pickled: bytes, names: bytes) -> Path:
    """Write the pickles of a file of the old format."""
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    head = (0x1950A86A20F9469CFC6C, 1001, machine)
    path.write_bytes(b"".join((*(pickle.dumps(each, 2) for each in head), pickled, names)))
    return path


def test_that_the_pickle_is_one() -> None:
    assert pickle.loads(doubled(3)) == {(((), ()), ((), ())): 1}  # noqa: S301


@pytest.mark.parametrize("place", ["archive", "values", "names"])
def test_a_key_that_takes_years_to_be_hashed_is_refused(tmp_path: Path, place: str) -> None:
    bomb, nothing = doubled(60), pickle.dumps([], 2)
    path = {
        "archive": lambda: as_archive(tmp_path / "x.pth", bomb),
        "values": lambda: as_old(tmp_path / "x.pth", bomb, nothing),
        "names": lambda: as_old(tmp_path / "x.pth", nothing, bomb),
    }[place]()
    with pytest.raises(InflatedFileError, match="tuples that repeat others"):
        convert.load(path)


# Python's hash of a whole number is its rest by this prime: these keys are all in one place.
PRIME = 2**61 - 1


def dict_of(keys: Iterable[object]) -> bytes:
    """Return the part of a pickle that makes a dict of keys, which is not made here."""
    return b"}(" + b"".join(pickle.dumps(key, 2)[2:-1] + b"K\x01" for key in keys) + b"u"


def whole(part: bytes) -> bytes:
    """Return the pickle of one part."""
    return b"\x80\x02" + part + b"."


def test_that_a_dict_of_keys_is_one() -> None:
    keys = (PRIME, 1 + 0j, (2, 1), "a")
    assert pickle.loads(whole(dict_of(keys))) == dict.fromkeys(keys, 1)  # noqa: S301


SEVERAL = b"".join(
    dict_of(n * PRIME for n in range(first, first + 10)) for first in range(0, 10_010, 10)
)


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize(
    "pickled",
    [
        whole(dict_of(n * PRIME for n in range(20_001))),
        whole(b"](" + SEVERAL + b"e"),
        whole(dict_of(complex(n, 0) for n in range(10_001))),
        whole(dict_of((n, 1) for n in range(10_001))),
        pickle.dumps(set(range(10_001)), 2),
    ],
    ids=["numbers", "in several dicts", "complex numbers", "tuples", "a set"],
)
def test_more_keys_than_a_training_has_are_refused(
    tmp_path: Path, pickled: bytes, old: bool
) -> None:
    nothing = pickle.dumps([], 2)
    path = tmp_path / "x.pth"
    as_old(path, pickled, nothing) if old else as_archive(path, pickled)
    with pytest.raises(InflatedFileError, match="more than 10000 keys of dicts that are no texts"):
        convert.load(path)


def test_texts_and_the_parameters_of_an_optimiser_may_be_keys(tmp_path: Path) -> None:
    texts = {f"name {n}": n for n in range(20_000)}
    state = {n: {"step": 1} for n in range(9_000)}
    values = {"texts": texts, "again": dict(texts), "state": state, "losses": list(range(50_000))}
    check_pickles(as_archive(tmp_path / "x.pth", pickle.dumps(values, 2)), FileKind.ZIP)


def test_pickle_without_a_checksum_that_is_not_where_the_archive_says_is_damage(
    tmp_path: Path,
) -> None:
    path = as_archive(tmp_path / "x.pth", pickle.dumps({}, 2))
    data = bytearray(path.read_bytes())
    listed = data.index(b"PK\x01\x02")
    data[14:18] = data[listed + 16 : listed + 20] = bytes(4)  # no checksum of data.pkl
    data[listed + 42] = 1  # where it is
    path.write_bytes(data)
    with pytest.raises(DamagedFileError, match="Bad magic number for file header"):
        convert.load(path)


@pytest.mark.parametrize("old", [False, True])
def test_the_state_of_a_training_is_not(tmp_path: Path, old: bool) -> None:
    network = randomised(TorchvisionNet((1, 1, 1), planes=2, width=1, classes=2))
    optimizer = torch.optim.AdamW(network.parameters())
    for each in network.parameters():
        each.grad = torch.ones_like(each)
    optimizer.step()
    state = network.state_dict()
    shared = tuple(range(1000))
    values = {
        "state_dict": state,
        "same": state,
        "optimizer": optimizer.state_dict(),
        "shared": [shared] * 1000,
    }
    torch.save(values, tmp_path / "x.pth", _use_new_zipfile_serialization=not old)
    check_pickles(tmp_path / "x.pth", FileKind.OLD if old else FileKind.ZIP)
    assert convert.load(tmp_path / "x.pth").spec.classes == 2

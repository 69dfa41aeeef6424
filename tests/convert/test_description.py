"""`--info` of a file of each kind: what a person needs, in a moment and in a screenful."""

import json
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import convert
from convert.cli import main
from tests.support.golden import ROOT
from tests.support.lua_nets import net
from tests.support.t7_writer import Object, Pairs, Storage, dumps, tensor

DIGITS = ROOT / "examples" / "digits" / "resnext_11_8x4d_digits.t7"
SCREENFUL = 60  # lines
LONGEST_LINE = 2_100  # of the facts of a training; others are far shorter

Make = Callable[[Path], None]
SMALL = "network: resnext_11_2x3d, written in form C"


def integers(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def number(value: float) -> bytes:
    return struct.pack("<id", 1, value)


def text(value: bytes) -> bytes:
    return integers(2, len(value)) + value


def table(index: int, *pairs: tuple[bytes, bytes]) -> bytes:
    return integers(3, index, len(pairs)) + b"".join(key + value for key, value in pairs)


def torch_object(index: int, version: bytes, name: bytes, body: bytes) -> bytes:
    return integers(4, index, len(version)) + version + integers(len(name)) + name + body


def shared_tables() -> bytes:
    """Written out, the key would have 2**40 tables."""
    value = table(2)
    for depth in range(40):
        value = table(3 + depth, (number(1), value), (number(2), integers(3, 2 + depth)))
    return table(1, (value, number(7)))


def beside_tds() -> bytes:
    classes = torch_object(1_000_002, b"V 0", b"tds.Vec", struct.pack("<q", 1) + text(b"cat"))
    pairs = ((text(b"model"), dumps(net())), (text(b"classes"), classes))
    return table(1_000_001, *pairs)


def as_file(data: Callable[[], bytes]) -> Make:
    return lambda path: path.write_bytes(data()) and None


def of(value: Callable[[], Any], encoding: Any = "binary") -> Make:
    return as_file(lambda: dumps(value(), encoding))


def training_checkpoint() -> Any:
    return Pairs(
        [
            ("epoch", 12),
            ("model", net()),
            ("optimState", {"learningRate": 0.1, "dfdx": tensor(np.zeros(9, np.float32))}),
            ("images", 1_281_167),
        ]
    )


def foreign() -> Object:
    value = net()
    value.fields["modules"][3] = Object("nn.SpatialDropout", {"p": 0.5})
    return value


def without_finite_logits(path: Path) -> None:
    checkpoint = convert.load(DIGITS)
    tensors = {name: np.array(array) for name, array in checkpoint.tensors.items()}
    weight = tensors["layer2.0.bn3.weight"]
    weight *= np.float32(3e38 / np.abs(weight).max())
    replace(checkpoint, tensors=tensors).save(path)


def trained(path: Path) -> None:
    names = ("circle", "square", "star shape", *(f"class {n}" for n in range(7)))
    facts = {"epoch": 3, "weights": "weights", "recipe": {"name": "finetune", "stem": "imagenet"}}
    replace(convert.load(DIGITS), classes=names, training=facts).save(path)


def hostile(path: Path) -> None:
    """Write a checkpoint with a header that is legal and as long as it can be."""
    checkpoint = convert.load(DIGITS)
    facts = {
        "k" * 100_000: "v" * 100_000,
        "number": 10**300,
        "list": list(range(100_000)),
        **{f"group {n}": {f"fact {m}": m for m in range(1_000)} for n in range(50)},
    }
    provenance = replace(
        checkpoint.provenance,
        conversions=("z" * 1_000,) * 1_000,
        published_name="n" * 900,
        licence="l" * 900,
    )
    classes = tuple("c" * 10_000 + str(n) for n in range(10))
    facts_of = {"classes": classes, "training": facts, "provenance": provenance}
    replace(checkpoint, **facts_of).save(path)  # type: ignore[arg-type]


class Case(NamedTuple):
    """A file: how it is made, the exit code, lines that are there, and words that are not."""

    make: Make
    code: int
    there: tuple[str, ...]
    absent: tuple[str, ...]


CASES = {
    "key_is_a_shared_table.t7": Case(
        as_file(shared_tables),
        0,
        ("file: table of 1", "  [a table]: 7", "tensors: none"),
        (),
    ),
    "key_is_a_large_table.t7": Case(
        of(lambda: Pairs([({n: n for n in range(20_000)}, 7)])),
        0,
        ("file: table of 1", "  [a table]: 7"),
        (),
    ),
    "key_is_an_object.t7": Case(
        of(lambda: Pairs([(Object("Thing"), 7), (True, 8)])),
        0,
        ("  [an object of class Thing]: 7", "  [true]: 8"),
        (),
    ),
    "tds_vec.t7": Case(
        as_file(
            lambda: torch_object(
                1, b"V 0", b"tds.Vec", struct.pack("<q", 2) + number(5) + text(b"six")
            )
        ),
        0,
        ("file: tds.Vec", "  [1]: 5", '  [2]: "six"'),
        (),
    ),
    "tds_hash.t7": Case(
        as_file(
            lambda: torch_object(
                1, b"V 0", b"tds.Hash", struct.pack("<q", 1) + text(b"key") + number(5)
            )
        ),
        0,
        ("file: tds.Hash", "  key: 5"),
        (),
    ),
    "network_beside_tds.t7": Case(
        as_file(beside_tds),
        0,
        ("beside the network:", "  classes: tds.Vec", '    [1]: "cat"', SMALL),
        ("not convertible",),
    ),
    "network_two_tables_down.t7": Case(
        of(lambda: {"epoch": 3, "state": {"model": net()}}),
        0,
        ("place of the network: file.state.model", "  epoch: 3", SMALL),
        ("not convertible",),
    ),
    "two_values.t7": Case(
        as_file(lambda: number(1) + number(2)),
        0,
        (
            "file: 1",
            (
                "note: the first of 2 values of the file is read, as Torch7's torch.load does; "
                "save another one to a file of its own"
            ),
        ),
        (),
    ),
    "windows_line_ends.t7": Case(
        as_file(lambda: b"3\r\n1\r\n1\r\n1\r\n1\r\n1\r\n5\r\n"),
        2,
        (
            (
                "resnext-convert: windows_line_ends.t7: byte 0: a Torch7 file expected, found a "
                "Torch7 text with Windows' line ends: copy the original in binary mode, or undo it "
                r"with `tr -d '\r' < FILE > NEW`"
            ),
        ),
        (),
    ),
    "training_checkpoint.t7": Case(
        of(training_checkpoint),
        0,
        (
            "  epoch: 12",
            "    learningRate: 0.1",
            "    dfdx: torch.FloatTensor (9,)",
            "  images: 1281167",
            SMALL,
        ),
        (),
    ),
    "several_networks.t7": Case(
        of(lambda: {"a": net(1), "b": {"net": net(2)}}),
        0,
        (
            "  a: nn.Sequential of 9 modules",
            "    net: nn.Sequential of 9 modules",
            (
                "not convertible: one network expected, found 2: file.a, file.b.net; "
                "resnext-convert --at PLACE takes one"
            ),
        ),
        ("  cudnn.",),
    ),
    "optimiser.t7": Case(
        of(lambda: {"dfdx": tensor(np.zeros(9, np.float32)), "log": list(range(5_000))}),
        0,
        (
            "  dfdx: torch.FloatTensor (9,)",
            "    and 4,994 more: 4,994 number",
            "tensors: 1 torch.FloatTensor",
            "not convertible: no network in this file: it holds a table of dfdx, log",
        ),
        (),
    ),
    "sizes.t7": Case(
        of(lambda: Storage("Long", [1, 2, 3])),
        0,
        ("file: torch.LongStorage of 3",),
        (),
    ),
    "text.t7": Case(
        of(training_checkpoint, "ascii"),
        0,
        ("  epoch: 12", SMALL),
        (),
    ),
    "windows.t7": Case(
        of(training_checkpoint, "long32"),
        0,
        ("  epoch: 12", SMALL),
        (),
    ),
    "foreign_layer.t7": Case(
        of(lambda: {"net": foreign()}),
        0,
        (
            "place of the network: file.net",
            (
                "not convertible: file.net.modules[4] (nn.SpatialDropout @ byte 3494): no layer of "
                "the ResNeXt and ResNet family, and leaving it out would change the answers; not "
                "converted"
            ),
        ),
        (),
    ),
    "nan.safetensors": Case(
        without_finite_logits,
        0,
        ("tensors: 67 float32, 13 int64", "network: resnext_11_8x4d", "conversion: not proven"),
        ("conv1.weight",),
    ),
    "best.safetensors": Case(
        trained,
        0,
        (
            (
                "classes: circle, square, star shape, class 0, class 1, class 2, class 3, class 4, "
                "class 5, class 6"
            ),
            "trained: epoch 3, weights as after the last step",
            "  recipe: name finetune",
        ),
        ("stem imagenet", "weights weights"),
    ),
    "hostile.safetensors": Case(
        hostile,
        0,
        (
            f"network: {'n' * 196} ...",
            f"licence of the weights: {'l' * 196} ...",
            "parameters: 972,106",
        ),
        ("conv1.weight",),
    ),
    "foreign.safetensors": Case(
        lambda path: save_file({"a": np.zeros(2)}, path),
        0,
        (
            "foreign.safetensors: 80 bytes, safetensors",
            "file: dict of 1",
            "  a: float64 (2,)",
            (
                "not convertible: no spec in its header, so resnext-convert did not write it, and "
                "no network in this file: it holds a dict of a"
            ),
        ),
        (),
    ),
    "cut.safetensors": Case(
        as_file(lambda: struct.pack("<Q", 100) + b'{"a"'),
        2,
        (),
        ("Traceback",),
    ),
    "pytorch.pth": Case(
        lambda path: torch.save({"a": torch.zeros(1)}, path),
        0,
        (
            "file: dict of 1",
            "  a: float32 (1,)",
            "tensors: 1 float32",
            "not convertible: no network in this file: it holds a dict of a",
        ),
        (),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_info_of_each_kind_of_file_says_what_a_person_needs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make, code, there, absent = CASES[name]
    monkeypatch.chdir(tmp_path)
    make(Path(name))
    start = time.process_time()
    with pytest.raises(SystemExit) as stop:
        main(["--info", name])
    seconds = time.process_time() - start
    out, err = capsys.readouterr()
    lines = [*out.splitlines(), *err.splitlines()]
    assert stop.value.code == code, err
    assert (out == "") == (code == 2)
    assert len(err.splitlines()) == (1 if code else 0)
    assert [line for line in there if line not in lines] == []
    assert [word for word in absent if word in out + err] == []
    assert len(lines) <= SCREENFUL
    assert max(map(len, lines)) <= LONGEST_LINE
    assert seconds < 1


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].code == 0])
def test_info_of_each_kind_of_file_is_data_too(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    CASES[name].make(Path(name))
    with pytest.raises(SystemExit):
        main(["--info", "--json", name])
    (found,) = json.loads(capsys.readouterr().out)["results"]
    assert (found["file"], found["bytes"]) == (name, Path(name).stat().st_size)
    assert ("network" in found) == (found["refusal"] is None)
    nothing_found = found["contents"] is not None
    assert nothing_found == (found["refusal"] is not None and name != "foreign_layer.t7")
    if nothing_found:
        assert found["contents"]["name"] == "file"
        assert found["contents"]["kind"] in ("table", "object", "storage", "number", "dict")

"""The outline of what a file holds: its bounds, its words and its values for JSON."""

import json
import time
from typing import Any

import numpy as np
import pytest

from convert.torch7 import file as t7
from convert.torch7.contents import beside, outline, tensor_types
from tests.support.lua_nets import net
from tests.support.t7_writer import Function, Object, Pairs, Storage, Tensor, dumps, tensor


def read(value: Any) -> Any:
    return t7.loads(dumps(value)).root


def lines(value: Any) -> list[str]:
    return list(outline("file", read(value)).lines())


def test_each_kind_of_value_is_said() -> None:
    nothing: Any = None
    value = Pairs(
        [
            ("whole", 1_281_167),
            ("part", 0.1),
            ("many digits", 1 / 3),
            ("huge", 2.0**70),
            ("nan", float("nan")),
            ("yes", True),
            ("text", "a\nb"),
            ("1", "named one"),
            (1, "at one"),
            (True, "at true"),
            ("run", Function(b"1234")),
            ("sizes", Storage("Long", [1, 2, 3])),
            ("weight", tensor(np.zeros((2, 3), np.float32))),
            ("empty", Tensor("Double", nothing, (), ())),
            ("state", Object("my.State", {"epoch": 3})),
            ("old", Object("my.Old", 5)),
            ("net", net()),
        ]
    )
    assert lines(value) == [
        "file: table of 17",
        "  whole: 1281167",
        "  part: 0.1",
        '  ["many digits"]: 0.333333333333333',
        "  huge: 1.18059162071741e+21",
        "  nan: nan",
        "  yes: true",
        r'  text: "a\nb"',
        '  ["1"]: "named one"',
        '  [1]: "at one"',
        '  [true]: "at true"',
        "  run: function",
        "  sizes: torch.LongStorage of 3",
        "  weight: torch.FloatTensor (2, 3)",
        "  empty: torch.DoubleTensor (0,)",
        "  state: my.State",
        "    epoch: 3",
        "  old: my.Old",
        "    content: 5",
        "  net: nn.Sequential of 9 modules",
    ]


def test_values_for_json_have_kind_class_size_and_fields() -> None:
    value = Pairs(
        [
            ("half", 0.5),
            ("infinite", float("inf")),
            ("ok", False),
            ("text", "x" * 500),
            ("sizes", Storage("Long", [1, 2, 3])),
            ("weight", tensor(np.zeros((2, 3), np.float32))),
            ("state", Object("my.State", {"epoch": 3})),
            ("run", Function(b"1234")),
        ]
    )
    fields = outline("file", read(value)).to_fields()
    assert json.loads(json.dumps(fields, allow_nan=False)) == {
        "name": "file",
        "kind": "table",
        "entries": 8,
        "values": [
            {"name": "half", "kind": "number", "value": 0.5},
            {"name": "infinite", "kind": "number", "value": "inf"},
            {"name": "ok", "kind": "boolean", "value": False},
            {"name": "text", "kind": "string", "value": "x" * 196 + " ...", "bytes": 500},
            {
                "name": "sizes",
                "kind": "storage",
                "class": "torch.LongStorage",
                "length": 3,
                "bytes": 24,
            },
            {
                "name": "weight",
                "kind": "tensor",
                "class": "torch.FloatTensor",
                "shape": [2, 3],
                "bytes": 24,
            },
            {
                "name": "state",
                "kind": "object",
                "class": "my.State",
                "values": [{"name": "epoch", "kind": "number", "value": 3}],
            },
            {"name": "run", "kind": "function", "bytes": 4},
        ],
    }


def test_long_table_is_shown_by_its_first_entries() -> None:
    value = {"log": [float(n) for n in range(1_000)] + ["a", True, {}], "epoch": 3}
    found = outline("file", read(value))
    assert list(found.lines()) == [
        "file: table of 2",
        "  log: table of 1003",
        *(f"    [{n}]: {n - 1}" for n in range(1, 7)),
        "    and 997 more: 994 number, 1 string, 1 boolean, 1 table",
        "  epoch: 3",
    ]
    (log, _) = found.to_fields()["values"]  # type: ignore[misc]
    assert log["not_shown"] == {"number": 994, "string": 1, "boolean": 1, "table": 1}


def test_values_nearest_to_the_root_come_first_and_few_in_all() -> None:
    value = {f"a{n}": {f"b{m}": {"c": 1} for m in range(20)} for n in range(10)}
    found = lines(value)
    assert [line for line in found if line.startswith("  a")] == [
        f"  a{n}: table of 20" for n in range(10)
    ]
    assert len(found) < 60
    assert "    and 10 more: 10 table" in found


def test_table_that_stands_twice_is_shown_once() -> None:
    shared = {"lr": 0.1}
    value = Pairs([("a", shared), ("b", {"again": shared})])
    assert lines(value) == [
        "file: table of 2",
        "  a: table of 1",
        "    lr: 0.1",
        "  b: table of 1",
        "    again: table of 1, the same as file.a",
    ]


def test_table_inside_itself_ends() -> None:
    value: dict[str, Any] = {}
    value["me"] = value
    assert lines(value) == ["file: table of 1", "  me: table of 1, the same as file"]


@pytest.mark.parametrize("depth", [3, 150])
def test_deep_tables_are_shown_to_the_third_level(depth: int) -> None:
    value: Any = 1
    for _ in range(depth):
        value = {"in": value}
    assert [line.strip() for line in lines(value)[1:]] == (
        ["in: table of 1", "in: table of 1", "in: 1"] if depth == 3 else ["in: table of 1"] * 3
    )


def test_values_of_any_length_stay_short() -> None:
    value = Pairs([("k" * 100_000, "v" * 100_000), ("\x1b[31m", "\x1b[0m")])
    first, second, third = lines(value)
    assert first == "file: table of 2"
    assert second == f'  {"k" * 196} ...: "{"v" * 196} ..." (100,000 bytes)' or len(second) < 450
    assert third == r'  ["\x1b[31m"]: "\x1b[0m"'


def test_very_many_values_take_a_moment() -> None:
    root = read({f"t{n}": [0.0] * 30 for n in range(5_000)})
    start = time.monotonic()
    assert len(list(outline("file", root).lines())) < 60
    assert time.monotonic() - start < 2


def test_what_stands_beside_a_network() -> None:
    root = read(Pairs([("model", net()), ("epoch", 12), ("optim", {"lr": 0.1})]))
    assert [part.name for part in beside(root)] == ["epoch", "optim"]
    assert beside(read(net())) == ()


def test_what_is_not_shown_beside_a_network_is_counted() -> None:
    root = read(Pairs([("model", net()), *((f"k{n}", n) for n in range(30))]))
    *shown, last = beside(root)
    assert [part.name for part in shown] == ["k0", "k1", "k2", "k3", "k4"]
    assert list(last.lines()) == ["...: and 25 more"]
    assert last.to_fields() == {"name": "...", "not_shown": {"number": 25}}


def test_shared_tensors_are_counted_once() -> None:
    shared = tensor(np.zeros(2, np.float32))
    root = read({"a": shared, "b": [shared], "c": tensor(np.zeros(2), "Double")})
    assert tensor_types(root) == {"torch.DoubleTensor": 1, "torch.FloatTensor": 1}

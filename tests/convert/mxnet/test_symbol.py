"""MXNet's graphs: as 0.8, 0.9 and 1.x wrote them, and what is no graph."""

import json
from typing import Any

import pytest

from convert.mxnet.symbol import read_symbol
from convert.source.errors import DamagedSourceError, ExcessError, UnexpectedError
from tests.support.golden import DATA
from tests.support.graph_nets import resnext
from tests.support.mxnet_writer import symbol


def read(document: Any) -> Any:
    return read_symbol(json.dumps(document).encode(), "x-symbol.json")


@pytest.mark.parametrize(
    ("name", "version"), [("mx095_small", "0.9.5"), ("mx191_small", "1.9.1")], ids=str
)
def test_golden_graph_is_read(name: str, version: str) -> None:
    path = DATA / "peers" / "mxnet" / f"{name}-symbol.json"
    found = read_symbol(path.read_bytes(), path.name)
    assert (len(found.nodes), found.head, found.version) == (175, 174, version)
    node = found.nodes[24]
    assert (node.op, node.name, node.inputs) == ("Convolution", "stage1_unit1_conv2", (22, 23))
    assert node.attributes["num_group"] == "8"
    assert node.place == "node 24 'stage1_unit1_conv2'"


@pytest.mark.parametrize("key", ["attrs", "attr", "param"])
def test_settings_stand_where_each_version_wrote_them(key: str) -> None:
    found = read(symbol(resnext(), key))
    node = next(each for each in found.nodes if each.name == "bn0")
    assert node.attributes == {"eps": "2e-05", "fix_gamma": "False", "momentum": "0.9"}
    names = [found.nodes[at].name for at in node.inputs] + list(node.auxiliary)
    assert names == ["conv0", "bn0_gamma", "bn0_beta", "bn0_moving_mean", "bn0_moving_var"]


def node(name: str, *inputs: list[int], op: str = "relu") -> dict[str, Any]:
    return {"op": op, "name": name, "inputs": list(inputs)}


DATA_NODE = node("data", op="null")


def graph(*nodes: Any, heads: Any = None) -> dict[str, Any]:
    return {"nodes": [DATA_NODE, *nodes], "heads": [[len(nodes), 0, 0]] if heads is None else heads}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], r"x-symbol.json: an object with nodes and heads expected, found \[\]"),
        ({"heads": []}, "a list of nodes expected, found None"),
        ({"nodes": [], "heads": []}, "a list of nodes expected"),
        ({"nodes": {"a": 1}, "heads": []}, "a list of nodes expected"),
        (graph(3), "x-symbol.json: node 1: an object expected, found 3"),
        (graph({"op": "relu", "inputs": []}), "node 1: name: a text expected, found None"),
        (graph({"op": 3, "name": "x"}), "node 1: op: a text expected, found 3"),
        (graph({**node("a", [0, 0, 0]), "attrs": 3}), "node 1: attrs expected, found 3"),
        (
            graph({**node("a", [0, 0, 0]), "attrs": {"k": 3}}),
            "node 1: attrs 'k': a text expected, found 3",
        ),
        (
            graph({**node("a", [0, 0, 0]), "attr": {"k": "1"}, "attrs": {"k": "2"}}),
            "node 1: one value of 'k' expected, found '1' and, in attrs, '2'",
        ),
        (graph({**node("a"), "inputs": 0}), "node 1: a list of inputs expected, found 0"),
        (graph(node("a", [0])), r"node 1: a reference \[node, output, version\] .* found \[0\]"),
        (graph({**node("a"), "inputs": ["0"]}), "node 1: a reference"),
        (graph(node("a", [True, 0, 0])), "node 1: a reference"),
        (graph(node("a", [0, 1, 0])), r"node 1: the first output \(0\) of a node expected"),
        (
            graph(node("a", [1, 0, 0])),
            "node 1: an input from an earlier node .* the graph has a circle",
        ),
        (
            graph(node("a", [2, 0, 0]), node("b", [1, 0, 0])),
            "node 1: .* found 2; the graph has a circle",
        ),
        (graph(node("a", [-1, 0, 0])), "node 1: .* found -1"),
        (graph(node("a", [10**30, 0, 0])), "node 1: an input from an earlier node"),
        (graph(heads=[]), r"heads: one output expected, found \[\]"),
        (graph(heads=[[0, 0, 0], [0, 0, 0]]), "heads: one output expected"),
        (graph(heads=[[7, 0, 0]]), "heads: a node below 1 expected, found 7"),
        (graph(heads=[7]), "heads: a reference"),
        (graph(DATA_NODE), "node 1 'data': a name of its own expected"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_is_no_graph_is_refused_with_its_place(document: Any, message: str) -> None:
    with pytest.raises(UnexpectedError, match=message):
        read(document)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "line 1: JSON expected"),
        (b'{"nodes": [\n{', "line 2: JSON expected: .*; the file is cut short or damaged"),
        (b'{"nodes": NaN}', "a number expected, found NaN"),
        (b'{"nodes": [], "nodes": []}', "each key once expected"),
        (b'{"a": "\xff"}', "x-symbol.json, byte 7: a text in UTF-8 expected"),
        (b'{"nodes": ' + b"9" * 5000 + b"}", "found one of many digits"),
    ],
    ids=["empty", "cut", "NaN", "twice", "UTF-8", "digits"],
)
def test_what_is_no_json_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(UnexpectedError, match=message):
        read_symbol(text, "x-symbol.json")


def test_deep_lists_are_refused() -> None:
    with pytest.raises(ExcessError, match="too deep for a graph"):
        read_symbol(b"[" * 100_000, "x-symbol.json")


def test_many_nodes_are_refused() -> None:
    with pytest.raises(ExcessError, match="at most 60000 nodes expected, found 60001"):
        read({"nodes": [0] * 60_001, "heads": []})


def test_every_prefix_is_refused() -> None:
    whole = json.dumps(graph(node("a", [0, 0, 0]))).encode()
    for length in range(len(whole)):
        with pytest.raises(DamagedSourceError):
            read_symbol(whole[:length], "x-symbol.json")

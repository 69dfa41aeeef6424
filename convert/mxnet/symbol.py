"""Reads a graph, `X-symbol.json`, as MXNet 0.8 to 1.9 wrote it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from convert.source.errors import ExcessError, UnexpectedError
from resnext.fields import shown

# ResNeXt-152 has 1,400 nodes and 350 kB. Python's objects take up to 22 times a text's size.
LARGEST: Final = 1 << 22  # bytes
MOST_NODES: Final = 60_000

# What is neither an operator nor a variable of the network.
VARIABLE: Final = "null"

# The auxiliary arrays of an operator that MXNet before 0.9 did not write as nodes, but named so.
AUXILIARY: Final = {"BatchNorm": ("moving_mean", "moving_var")}
SHORT_INPUTS: Final = {"BatchNorm": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of a graph.

    Attributes:
        position: in the graph.
        op: the operator's name; "null" is a variable.
        attributes: settings, as texts.
        inputs: positions of the nodes whose (first) outputs it takes; all before its own.
        auxiliary: names of arrays that it takes besides.
    """

    position: int
    op: str
    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[int, ...] = ()
    auxiliary: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Return the node's place for messages."""
        return f"node {self.position} {shown(self.name)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """A graph.

    Attributes:
        head: the position of the node whose output is the network's.
        version: of MXNet that wrote it, if it says so: "0.9.5".
    """

    nodes: tuple[Node, ...]
    head: int
    version: str | None = None


def read_symbol(text: bytes, file: str) -> Symbol:
    """Read a graph.

    Args:
        text: the whole file.
        file: its name, for messages.

    Raises:
        UnexpectedError, ExcessError: it is not JSON, or not a graph without circles.
    """
    document = _json(text, file)
    fields = _table(document, "an object with nodes and heads", file)
    entries = fields.get("nodes")
    if not isinstance(entries, list) or not entries:
        raise UnexpectedError(f"a list of nodes expected, found {shown(entries)}", where=file)
    if len(entries) > MOST_NODES:
        raise ExcessError(f"at most {MOST_NODES} nodes expected, found {len(entries)}", where=file)
    nodes = tuple(_node(position, entry, file) for position, entry in enumerate(entries))
    names: set[str] = set()
    for node in (node for node in nodes if node.op == VARIABLE):
        if node.name in names:
            raise UnexpectedError(
                "a name of its own expected for each variable", where=f"{file}: {node.place}"
            )
        names.add(node.name)
    return Symbol(nodes=nodes, head=_head(fields, nodes, file), version=_version(fields))


def _json(text: bytes, file: str) -> object:
    def refuse(constant: str) -> NoReturn:
        raise UnexpectedError(f"a number expected, found {constant}", where=file)

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        entries = dict(pairs)
        if len(entries) != len(pairs):
            raise UnexpectedError(
                f"each key once expected, found one twice among {shown(list(entries))}", where=file
            )
        return entries

    try:
        return json.loads(text.decode(), object_pairs_hook=unique, parse_constant=refuse)
    except UnicodeDecodeError as error:
        raise UnexpectedError(
            "a text in UTF-8 expected", where=f"{file}, byte {error.start}"
        ) from error
    except RecursionError as error:
        raise ExcessError("lists inside each other, too deep for a graph", where=file) from error
    except json.JSONDecodeError as error:
        raise UnexpectedError(
            f"JSON expected: {error.msg}; the file is cut short or damaged",
            where=f"{file}, line {error.lineno}",
        ) from error
    except ValueError as error:  # a number of thousands of digits
        raise UnexpectedError("a number expected, found one of many digits", where=file) from error


def _table(value: object, what: str, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UnexpectedError(f"{what} expected, found {shown(value)}", where=where)
    return value


def _node(position: int, entry: object, file: str) -> Node:
    where = f"{file}: node {position}"
    fields = _table(entry, "an object", where)
    op, name = (_text(fields.get(key), key, where) for key in ("op", "name"))
    attributes: dict[str, str] = {}
    for key in ("attr", "attrs", "param"):  # 0.9, 1.x; before 0.9 the operator's own are in `param`
        part = _table(fields.get(key, {}), key, where)
        for each, value in part.items():
            text = _text(value, f"{key} {shown(each)}", where)
            if attributes.setdefault(each, text) != text:
                raise UnexpectedError(
                    f"one value of {shown(each)} expected, found {shown(attributes[each])} and, in "
                    f"{key}, {shown(text)}",
                    where=where,
                )
    rows = fields.get("inputs", [])
    if not isinstance(rows, list):
        raise UnexpectedError(f"a list of inputs expected, found {shown(rows)}", where=where)
    inputs = tuple(_input(row, position, where) for row in rows)
    short = len(inputs) == SHORT_INPUTS.get(op)
    return Node(
        position=position,
        op=op,
        name=name,
        attributes=attributes,
        inputs=inputs,
        auxiliary=tuple(f"{name}_{each}" for each in AUXILIARY[op]) if short else (),
    )


def _text(value: object, what: str, where: str) -> str:
    if not isinstance(value, str):
        raise UnexpectedError(f"{what}: a text expected, found {shown(value)}", where=where)
    return value


def _reference(row: object, where: str) -> int:
    """Return the node of a reference [node, output] or [node, output, version]."""
    entries = row if isinstance(row, list) else []
    if len(entries) not in (2, 3) or not all(type(each) is int for each in entries):
        raise UnexpectedError(
            f"a reference [node, output, version] expected, found {shown(row)}", where=where
        )
    if entries[1] != 0:
        raise UnexpectedError(
            f"the first output (0) of a node expected, found {shown(row)}", where=where
        )
    node: int = entries[0]
    return node


def _input(row: object, position: int, where: str) -> int:
    node = _reference(row, where)
    if not 0 <= node < position:
        raise UnexpectedError(
            f"an input from an earlier node expected, found {shown(node)}; the graph has a circle "
            "or is damaged",
            where=where,
        )
    return node


def _head(fields: Mapping[str, Any], nodes: tuple[Node, ...], file: str) -> int:
    heads = fields.get("heads")
    where = f"{file}: heads"
    if not isinstance(heads, list) or len(heads) != 1:
        raise UnexpectedError(f"one output expected, found {shown(heads)}", where=where)
    node = _reference(heads[0], where)
    if not 0 <= node < len(nodes):
        raise UnexpectedError(
            f"a node below {len(nodes)} expected, found {shown(node)}", where=where
        )
    return node


def _version(fields: Mapping[str, Any]) -> str | None:
    """Return the version of ["int", 10901]."""
    attributes = fields.get("attrs")
    entry = attributes.get("mxnet_version") if isinstance(attributes, dict) else None
    match entry:
        case ["int", int() as number] if 0 <= number < 10**7:
            return f"{number // 10000}.{number // 100 % 100}.{number % 100}"
    return None

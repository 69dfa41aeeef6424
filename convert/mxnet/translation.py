"""A graph of MXNet's with its arrays, in the terms of `convert.graph`."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from convert.graph.operators import Graph, Kind, Operator, counted_changes
from convert.mxnet.settings import OPERATORS, read_settings
from convert.mxnet.symbol import VARIABLE, Node, Symbol
from convert.source.errors import ForeignModuleError, StructureError, WeightError, first_of
from convert.source.source import Array
from resnext.fields import cut, shown

Settings = Mapping[str, object]

# Operator -> the names of its arrays here, and the prefix of theirs in the file, in their order.
ARRAYS: Final = {
    "Convolution": (("weight", "arg"), ("bias", "arg")),
    "BatchNorm": (("gamma", "arg"), ("beta", "arg"), ("mean", "aux"), ("variance", "aux")),
    "FullyConnected": (("weight", "arg"), ("bias", "arg")),
}

PREFIXES: Final = ("arg:", "aux:")
HALF: Final = "cast to half precision left out: the arithmetic is that of the type of the weights"


def translate(symbol: Symbol, arrays: Mapping[str, Array]) -> Graph:
    """Return the graph of operators, each with its arrays.

    Args:
        symbol: the graph in the file.
        arrays: by name, `arg:` or `aux:` in front.

    Raises:
        ForeignModuleError: an operator that no network of the family has; names each node.
        StructureError: a setting or an input is not one of the family's.
        WeightError: an array that no node takes, or one that two nodes take.
    """
    foreign = [
        f"{node.place} ({cut(node.op)})"
        for node in symbol.nodes
        if node.op not in OPERATORS and node.op != VARIABLE
    ]
    if foreign:
        raise ForeignModuleError(
            f"{first_of(foreign)}: no operator of the ResNeXt and ResNet family, and leaving it "
            "out would change the answers; not converted"
        )
    translation = _NodeTranslation(symbol, arrays)
    for node in symbol.nodes:
        if node.op != VARIABLE:
            translation.take(node)
    strays = [cut(name) for name in arrays if name not in translation.owners]
    if strays and not any(name.startswith(PREFIXES) for name in arrays):
        raise WeightError(
            f"names with arg: or aux: in front expected, found {strays[0]}; save the network with "
            "mx.model.save_checkpoint, or with export if it is one of Gluon"
        )
    if strays:
        raise WeightError(
            f"{first_of(strays)}: unexpected, no node of the graph takes it; not converted, "
            "because leaving it out might change the answers"
        )
    output = translation.found.get(symbol.head)
    if output is None:
        raise StructureError(
            f"{symbol.nodes[symbol.head].place}: an operator expected as the output, found a "
            "variable"
        )
    return Graph(
        operators=tuple(translation.operators),
        output=output,
        conversions=counted_changes(translation.changes),
    )


@dataclass(slots=True)
class _NodeTranslation:
    """The operators so far.

    Attributes:
        operators: in the order of the nodes, the input first once it is known.
        found: position of a node -> position of the operator that has its value.
        owners: name of an array -> place of the node that takes it.
        changes: words -> how many times the arithmetic was changed so.
    """

    symbol: Symbol
    arrays: Mapping[str, Array]
    operators: list[Operator] = field(default_factory=list)
    found: dict[int, int] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    changes: Counter[str] = field(default_factory=Counter)

    def take(self, node: Node) -> None:
        """Append the operator of a node."""
        name = OPERATORS[node.op]
        settings = read_settings(node, name)
        rows = ARRAYS.get(name, ())
        if settings.get("no_bias"):
            rows = rows[:1]
        values = self._values(node, name, len(rows) - len(node.auxiliary))
        taken = [self.symbol.nodes[at] for at in node.inputs[len(values) :]]
        variables = [*(self._variable(each, node) for each in taken), *node.auxiliary]
        if name == "softmax":
            variables = []  # the labels
        arrays = {
            field: array
            for (field, prefix), variable in zip(rows, variables, strict=True)
            if (array := self._array(f"{prefix}:{variable}", node)) is not None
        }
        if name in ("identity", "cast"):
            self.found[node.position] = values[0]
            if settings.get("dtype") == "float16":
                self.changes[HALF] += 1
            return
        operator = RULES[name](node, settings)
        self.found[node.position] = len(self.operators)
        self.operators.append(replace(operator, inputs=values, arrays=arrays))

    def _values(self, node: Node, name: str, arrays: int) -> tuple[int, ...]:
        """Return the operators that a node takes, as opposed to its arrays and labels."""
        count = 2 if name in ("add", "add_n") else 1
        labels = len(node.inputs) - 1 if name == "softmax" else 0
        if len(node.inputs) != count + arrays + labels or not 0 <= labels <= 1:
            raise StructureError(
                f"{node.place}: {count + arrays} inputs expected, found {len(node.inputs)}"
            )
        return tuple(self._value(at, node) for at in node.inputs[:count])

    def _value(self, at: int, node: Node) -> int:
        """Return the operator that a node is; of a variable, the input of the network."""
        if at in self.found:
            return self.found[at]
        variable = self.symbol.nodes[at]
        if self.operators or any(name in self.arrays for name in _names(variable)):
            raise StructureError(
                f"{node.place}: one picture as the network's only input expected, found the "
                f"variable {shown(variable.name)}"
            )
        self.operators.append(Operator(place=variable.place, kind=Kind.INPUT))
        self.found[at] = 0
        return 0

    def _variable(self, variable: Node, node: Node) -> str:
        if variable.op != VARIABLE or variable.position in self.found:
            raise StructureError(f"{node.place}: an array expected, found {variable.place}")
        return variable.name

    def _array(self, name: str, node: Node) -> Array | None:
        """Return an array, which is used once; None if it is missing, as the mapping says then."""
        if name in self.owners:
            raise WeightError(
                f"{node.place}: an array of its own expected, found {shown(name)} of "
                f"{self.owners[name]}; no network of the family shares weights"
            )
        self.owners[name] = node.place
        return self.arrays.get(name)


def _names(variable: Node) -> tuple[str, str]:
    return f"arg:{variable.name}", f"aux:{variable.name}"


def _convolution(node: Node, settings: Settings) -> Operator:
    names = {
        "outputs": "num_filter",
        "groups": "num_group",
        "kernel": "kernel",
        "stride": "stride",
        "padding": "pad",
        "dilation": "dilate",
    }
    values = {ours: settings[theirs] for ours, theirs in names.items()}
    if not values["groups"] or not values["outputs"]:
        raise StructureError(f"{node.place}: filters and groups of at least 1 expected")
    return Operator(place=node.place, kind=Kind.CONVOLUTION, settings=values)


def _norm(node: Node, settings: Settings) -> Operator:
    values = {"eps": settings["eps"], "fixed_gamma": settings["fix_gamma"]}
    return Operator(place=node.place, kind=Kind.NORM, settings=values)


def _pool(node: Node, settings: Settings) -> Operator:
    kinds = {"max": Kind.MAX_POOL, "avg": Kind.AVERAGE_POOL}
    roundings = {"valid": "down", "full": "up"}
    kind = kinds.get(str(settings["pool_type"]))
    rounding = roundings.get(str(settings["pooling_convention"]))
    if kind is None or rounding is None:
        name, known = ("pool_type", kinds) if kind is None else ("pooling_convention", roundings)
        raise StructureError(
            f"{node.place}: {name} {' or '.join(known)} expected, found {shown(settings[name])}"
        )
    window = (settings["kernel"], settings["stride"], settings["pad"])
    values = {"window": None if settings["global_pool"] else window, "rounding": rounding}
    return Operator(place=node.place, kind=kind, settings=values)


def _relu(node: Node, _: Settings) -> Operator:
    return Operator(place=node.place, kind=Kind.RELU, settings={"slope": 0.0})


def _add(node: Node, _: Settings) -> Operator:
    return Operator(place=node.place, kind=Kind.ADD, settings={"factors": (1.0, 1.0)})


def _linear(node: Node, settings: Settings) -> Operator:
    return Operator(
        place=node.place, kind=Kind.LINEAR, settings={"outputs": settings["num_hidden"]}
    )


def _plain(kind: Kind) -> Callable[[Node, Settings], Operator]:
    return lambda node, _: Operator(place=node.place, kind=kind)


RULES: Final[Mapping[str, Callable[[Node, Settings], Operator]]] = {
    "Convolution": _convolution,
    "BatchNorm": _norm,
    "Activation": _relu,
    "relu": _relu,
    "Pooling": _pool,
    "add": _add,
    "add_n": _add,
    "Flatten": _plain(Kind.FLATTEN),
    "Reshape": _plain(Kind.FLATTEN),
    "FullyConnected": _linear,
    "softmax": _plain(Kind.SOFTMAX),
}

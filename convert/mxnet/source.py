"""A pair of MXNet's files, arrays and graph, as a source of a conversion."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from convert.graph.operators import Graph
from convert.graph.source import GraphSource
from convert.mxnet.names import epoch, graph_name
from convert.mxnet.params import read_params
from convert.mxnet.symbol import LARGEST, VARIABLE, Node, read_symbol
from convert.mxnet.translation import translate
from convert.source.cursor import map_file
from convert.source.errors import ExcessError, MissingPartError
from convert.source.source import counted_types
from resnext.fields import cut
from resnext.files import read_once

if TYPE_CHECKING:
    from torch import Tensor


def graph_file(path: Path) -> Path:
    """Return the file of the graph that belongs to a file of arrays.

    Raises:
        MissingPartError: there is none.
    """
    graph = path.with_name(graph_name(path.name) or f"{path.stem}-symbol.json")
    if not graph.is_file():
        raise MissingPartError(
            f"the arrays of an MXNet network; its graph is expected beside it, in {graph.name}, "
            "found none: copy it there"
        )
    return graph


def refuse_symbol(path: Path, head: bytes) -> None:
    """Do nothing with a file that is no graph of MXNet's.

    Args:
        path: of the file.
        head: its first bytes.

    Raises:
        MissingPartError: it is one; the message names the file to give.
    """
    if not re.match(rb'\s*\{\s*"(nodes|arg_nodes|heads|node_row_ptr)"', head):
        return
    name = path.name.removesuffix(".json").removesuffix("-symbol")
    pattern = re.compile(re.escape(name) + r"(-\d{4,})?\.params")
    beside = sorted(each.name for each in path.parent.iterdir() if pattern.fullmatch(each.name))
    give = ", ".join(cut(each) for each in beside[:3])
    raise MissingPartError(
        "the graph of an MXNet network; give the file of its arrays, which finds the graph: "
        + (give or f"{cut(name)}-0000.params or of another epoch is expected beside it, found none")
    )


class MxnetSource(GraphSource):
    """A file of arrays and the graph beside it."""

    def __init__(self, path: Path) -> None:
        """Read both files.

        Args:
            path: of the arrays.

        Raises:
            MissingPartError: there is no graph beside it.
            DamagedSourceError, RefusedError: one of them cannot be read.
            OSError: one of them cannot be opened.
        """
        graph = graph_file(path)
        self.params = read_params(map_file(path))
        text = read_once(graph, ExcessError, most=LARGEST)
        self.symbol = read_symbol(text, graph.name)
        super().__init__(path, graph=graph, text=text, form=f"MXNet, {self.params.form}")

    def graph(self) -> Graph:
        """Return the graph in the terms of all formats, or refuse it; see `translate`."""
        return translate(self.symbol, self.params.arrays)

    def run(self, inputs: "Tensor") -> "Tensor":
        """Compute the logits with the file's own operators, as MXNet defines them.

        The graph takes bytes where it begins with a batch norm, so the preprocessing is undone.
        """
        from convert.mxnet.oracle import run

        return run(self.symbol, self.params.arrays, self.pictures(inputs))

    def tensor_types(self) -> dict[str, int]:
        """Return how many arrays of each type the file holds."""
        return counted_types(self.params.arrays)

    def facts(self) -> Mapping[str, object]:
        """Return the epoch that the file's name states, and the version that wrote the graph."""
        return {"epoch": epoch(self.path.name), "mxnet_version": self.symbol.version}

    def module_classes(self) -> dict[str, int]:
        """Return how many operators of each name the graph has, the most frequent first."""
        return dict(Counter(cut(node.op) for node in self._operators()).most_common())

    def module_lines(self) -> Iterator[str]:
        """Yield the operators, a line each."""
        for node in self._operators():
            settings = ", ".join(f"{name} {text}" for name, text in node.attributes.items())
            inputs = ", ".join(cut(self.symbol.nodes[at].name) for at in node.inputs)
            yield f"{cut(node.name)}: {cut(node.op)}({inputs}) {cut(settings)}".rstrip()

    def module_fields(self) -> object:
        """Return the operators as values that JSON takes."""
        return [
            {
                "name": cut(node.name),
                "class": cut(node.op),
                "inputs": [cut(self.symbol.nodes[at].name) for at in node.inputs],
                "settings": {cut(name): cut(text) for name, text in node.attributes.items()},
            }
            for node in self._operators()
        ]

    def _operators(self) -> Iterator[Node]:
        return (node for node in self.symbol.nodes if node.op != VARIABLE)

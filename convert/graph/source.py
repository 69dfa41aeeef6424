"""A pair of files whose network is a graph of operators, as a source of a conversion."""

from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from convert.graph.mapping import read_graph
from convert.graph.operators import Graph, Kind
from convert.source.outline import Part
from convert.source.source import Network, Source

if TYPE_CHECKING:
    from torch import Tensor


class GraphSource(Source):
    """A file of weights, and beside it the file that says what is computed with them."""

    def __init__(self, path: Path, *, graph: Path, text: bytes, form: str) -> None:
        """Keep what is said of the two files.

        Args:
            path: of the weights.
            graph: path of the graph.
            text: its content.
            form: the format and its variant, for people.

        Raises:
            OSError: the file of the weights is gone.
        """
        self.path, self.format, self.bytes = path, form, path.stat().st_size
        self._companion = graph.name, sha256(text).hexdigest()

    @abstractmethod
    def graph(self) -> Graph:
        """Return the graph in the terms of all formats.

        Raises:
            RefusedError: it has an operator or a setting that these do not have.
        """

    @abstractmethod
    def facts(self) -> Mapping[str, object]:
        """Return what the files state besides the network, by name; None is not stated."""

    @cached_property
    def _graph(self) -> Graph:
        return self.graph()

    @cached_property
    def _network(self) -> Network:
        return read_graph(self._graph)

    def network(self) -> Network:
        """Return the network that the graph is, or refuse it; see `read_graph`."""
        return self._network

    def pictures(self, inputs: "Tensor") -> "Tensor":
        """Return inputs (N, 3, H, W) as the graph takes them: bytes, where it normalises them."""
        from convert.graph.pictures import as_bytes

        preprocessing, _ = self._network.preprocessing or (None, None)
        return as_bytes(inputs, preprocessing)

    @property
    def side(self) -> int | None:
        """Return the side that the graph states, if its last pool fits no other one."""
        pools = self._graph.of_kind(Kind.AVERAGE_POOL)
        whole = all(self._graph.operators[at].settings["window"] is None for at in pools)
        return None if whole else self._graph.side

    @property
    def companion(self) -> tuple[str, str]:
        """Return name and sha256 of the file of the graph."""
        return self._companion

    def contents(self) -> Part | None:
        """Return None: the weights and the operators say it all."""
        return None

    def beside(self) -> tuple[Part, ...]:
        """Return the facts that are stated."""
        return tuple(
            Part(name=name, words=str(value), facts={"value": value})
            for name, value in self.facts().items()
            if value is not None
        )

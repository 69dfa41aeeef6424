"""A .t7 file as a source of a conversion."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from convert.source.errors import RefusedError
from convert.source.outline import Part
from convert.source.source import Network, Source
from convert.torch7 import contents, file
from convert.torch7.mapping import read_network
from convert.torch7.tree import WHOLE, Module, find_network

if TYPE_CHECKING:
    from torch import Tensor


class T7Source(Source):
    """A .t7 file, read and mapped."""

    def __init__(self, path: Path, *, at: str | None = None) -> None:
        """Read a file.

        Args:
            path: of the file.
            at: the place of the network, where the file holds several.

        Raises:
            T7Error: it is damaged or of another kind.
            OSError: it cannot be opened.
        """
        self.file = file.load(path)
        longs = f", longs of {self.file.long_bytes} bytes" if self.file.long_bytes else ""
        self.path = path
        self.format = f"Torch7, {self.file.encoding}{longs}"
        self.bytes = self.file.bytes
        self._at = at

    @cached_property
    def tree(self) -> Module:
        """Return the network's modules as they are in the file.

        Raises:
            NoNetworkError, StructureError: see `find_network`.
        """
        return find_network(self.file.root, at=self._at)

    def network(self) -> Network:
        """Return the network that the tree is, or refuse it; see `read_network`."""
        return read_network(self.tree)

    def run(self, inputs: "Tensor") -> "Tensor":
        """Compute the logits with the file's own modules, as Torch7 defined them."""
        from torch import Tensor

        from convert.torch7.oracle import run

        logits = run(self.tree, inputs)
        assert isinstance(logits, Tensor)
        return logits

    @property
    def place(self) -> str | None:
        """Return the place of the network in the file; None if it is all that the file holds."""
        found = self._found
        return found.path if found and found.path != WHOLE else None

    @property
    def note(self) -> str | None:
        """Say that further values follow in the file, if any do."""
        if not self.file.others:
            return None
        return (
            f"the first of {self.file.others + 1} values of the file is read, as Torch7's "
            "torch.load does; save another one to a file of its own"
        )

    def tensor_types(self) -> dict[str, int]:
        """Return how many tensors of each type the file holds."""
        return contents.tensor_types(self.file.root)

    def contents(self) -> Part | None:
        """Return the outline of a file in which no one network was found; None of others."""
        return None if self._found else contents.outline("file", self.file.root)

    def beside(self) -> tuple[Part, ...]:
        """Return what the file holds besides its network: epoch, optimiser ..."""
        return contents.beside(self.file.root) if self._found else ()

    def module_classes(self) -> dict[str, int]:
        """Return how many modules of each class the network has."""
        return contents.module_classes(self._found) if self._found else {}

    def module_lines(self) -> Iterator[str]:
        """Yield the tree of modules as Lua prints it."""
        return contents.module_lines(self._found) if self._found else iter(())

    def module_fields(self) -> object:
        """Return the tree of modules as values that JSON takes."""
        return contents.module_fields(self._found) if self._found else None

    @cached_property
    def _found(self) -> Module | None:
        """Return the tree, or None where a description goes on without one."""
        try:
            return self.tree
        except RefusedError:
            return None

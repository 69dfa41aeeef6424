"""A pair of Caffe's files, blobs and network, as a source of a conversion."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from convert.caffe.layers import Layer, read_layers
from convert.caffe.model import read_caffemodel
from convert.caffe.text_format import LARGEST, Message, read_text_format
from convert.caffe.translation import translate
from convert.graph.operators import Graph
from convert.graph.source import GraphSource
from convert.source.cursor import map_file
from convert.source.errors import ExcessError, MissingPartError
from resnext.errors import ConvertError
from resnext.fields import cut
from resnext.files import read_once
from resnext.spec import StemPool

if TYPE_CHECKING:
    from torch import Tensor

# How the text of a network begins, behind comments and white space.
_TEXT: Final = re.compile(
    rb"(?:\s|#[^\n]*\n)*(?:layers?\s*\{|input\s*:|input_shape\s*\{|name\s*:\s*[\"'][^\n]*\n"
    rb"(?:\s|#[^\n]*\n|force_backward[^\n]*\n)*(?:layers?\s*\{|input\s*:|input_shape\s*\{))"
)

POOL_NOTE: Final = (
    "its max-pool has no padding and rounds sizes up; networks of torchvision and timm pad it, so "
    "that with these weights they answer differently"
)


def refuse_prototxt(path: Path, head: bytes) -> None:
    """Do nothing with a file that is no text of a Caffe network.

    Args:
        path: of the file.
        head: its first bytes.

    Raises:
        MissingPartError: it is one; the message names the file to give.
    """
    if not _TEXT.match(head):
        return
    name = path.stem
    beside = path.with_name(f"{name}.caffemodel")
    found = "" if beside.is_file() else " is expected beside it, found none"
    raise MissingPartError(
        "the text of a Caffe network; give the file of its weights, which finds the text: "
        f"{cut(beside.name)}{found}"
    )


def text_file(path: Path) -> Path:
    """Return the file of the network's text that belongs to a caffemodel.

    Raises:
        MissingPartError: there is none.
    """
    text = path.with_name(f"{path.stem}.prototxt")
    if not text.is_file():
        raise MissingPartError(
            "the weights of a Caffe network; its text (deploy.prototxt) is expected beside them, "
            f"as {cut(text.name)}, found none: copy it there under this name"
        )
    return text


class CaffeSource(GraphSource):
    """A caffemodel and the text beside it."""

    def __init__(self, path: Path) -> None:
        """Read both files.

        Args:
            path: of the caffemodel.

        Raises:
            MissingPartError: there is no text beside it.
            DamagedSourceError, RefusedError: one of them cannot be read.
            OSError: one of them cannot be opened.
        """
        text = text_file(path)
        self.model = read_caffemodel(map_file(path))
        raw = read_once(text, ExcessError, most=LARGEST)
        self.layers = read_layers(read_text_format(raw, text.name), text.name)
        super().__init__(path, graph=text, text=raw, form="Caffe")

    def graph(self) -> Graph:
        """Return the layers in the terms of all formats, or refuse them; see `translate`."""
        return translate(self.layers, self.model)

    def run(self, inputs: "Tensor") -> "Tensor":
        """Compute the logits with the file's own layers, as Caffe defines them.

        They take blue, green, red, and bytes where mean and std are the file's.
        """
        from convert.caffe.oracle import run

        blobs = {each.name: each.blobs for each in self.model.layers}
        return run(self.layers, blobs, self.pictures(inputs).flip(1))

    @property
    def note(self) -> str | None:
        """Say what another library would make of the network, where that is another one."""
        try:
            is_other = self.network().spec.stem_pool is StemPool.CEIL
        except ConvertError:  # a description goes on, and says why
            return None
        return POOL_NOTE if is_other else None

    def tensor_types(self) -> dict[str, int]:
        """Return how many blobs of each type the caffemodel holds."""
        blobs = (array for layer in self.model.layers for array in layer.blobs)
        return dict(Counter(array.dtype.name for array in blobs))

    def facts(self) -> Mapping[str, object]:
        """Return the network's name in the caffemodel, and how many gradients it holds."""
        gradients = sum(layer.gradients for layer in self.model.layers)
        return {"name": cut(self.model.name) or None, "gradients": gradients or None}

    def module_classes(self) -> dict[str, int]:
        """Return how many layers of each type the network has, the most frequent first."""
        return dict(Counter(cut(layer.type) for layer in self.layers).most_common())

    def module_lines(self) -> Iterator[str]:
        """Yield the layers, a line each."""
        for layer in self.layers:
            ends = f"({cut(', '.join(layer.bottoms))}) -> {cut(', '.join(layer.tops))}"
            settings = cut(", ".join(f"{name} {value}" for name, value in _settings(layer).items()))
            yield f"{cut(layer.name)}: {cut(layer.type)}{ends} {settings}".rstrip()

    def module_fields(self) -> object:
        """Return the layers as values that JSON takes."""
        return [
            {
                "name": cut(layer.name),
                "class": cut(layer.type),
                "bottoms": [cut(name) for name in layer.bottoms],
                "tops": [cut(name) for name in layer.tops],
                "settings": _settings(layer),
            }
            for layer in self.layers
        ]


def _settings(layer: Layer) -> dict[str, str]:
    """Return the fields of a layer's parameters that are single values."""
    return {
        name: " ".join(cut(value.text) for value in values if not isinstance(value, Message))
        for fields in layer.message.fields.values()
        for message in fields
        if isinstance(message, Message)
        for name, values in message.fields.items()
        if not any(isinstance(value, Message) for value in values)
    }

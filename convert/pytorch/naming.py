"""The layouts of the family in PyTorch: what each calls the layers that torchvision's names name.

A layout is a table. Names are written by it from the network's own, and never parsed out of a file.

Sources: torchvision and timm, models/resnet.py (one topology, the same names); Cadene's
pretrained-models.pytorch and clcarwin's convert_torch_to_pytorch, whose nested numbers mirror the
original's Lua modules, counted from zero; prlz77's ResNeXt.pytorch, models/model.py.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_IN_BLOCK: Final = re.compile(r"layer(\d+)\.(\d+)\.(.+)")


class Family(StrEnum):
    """Whose code defines how a network of these names computes."""

    TORCHVISION = "torchvision"
    NESTED = "nested"
    PRLZ77 = "prlz77"


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """The names of one layout.

    Attributes:
        family: decides the arithmetic.
        words: whose names they are, for people.
        outside: our module outside of the blocks -> the layout's.
        block: the layout's block, with the numbers `stage` and `block`.
        first_stage: what the layout calls the first stage.
        inside: our module in a block -> the layout's.
    """

    family: Family
    words: str
    outside: Mapping[str, str]
    block: str
    first_stage: int
    inside: Mapping[str, str]

    def name(self, ours: str) -> str:
        """Return what the layout calls a tensor or module."""
        if found := _IN_BLOCK.fullmatch(ours):
            stage, block, rest = found.groups()
            place = self.block.format(stage=int(stage) - 1 + self.first_stage, block=block)
            return f"{place}.{_translated(rest, self.inside)}"
        return _translated(ours, self.outside)


def _translated(name: str, table: Mapping[str, str]) -> str:
    """Return a name with its module as the table has it."""
    for module, theirs in table.items():
        if name == module or name.startswith(f"{module}."):
            return theirs + name[len(module) :]
    return name


_NESTED_BRANCHES: Final = (
    # Where a converter has kept the Sequential in which the original's files hold a group's layers.
    {
        "conv1": "0.0.0",
        "bn1": "0.0.1",
        "conv2": "0.0.3",
        "bn2": "0.0.4",
        "conv3": "0.1",
        "bn3": "0.2",
    },
    {
        "conv1": "0.0",
        "bn1": "0.1",
        "conv2": "0.3",
        "bn2": "0.4",
        "conv3": "0.6",
        "bn3": "0.7",
    },
)


def namings() -> Iterator[Naming]:
    """Yield every layout, with its variants."""
    heads = {"fc": "torchvision and timm", "last_linear": "torchvision, with Cadene's last_linear"}
    for head, words in heads.items():
        yield Naming(
            family=Family.TORCHVISION,
            words=words,
            outside={"conv1": "conv1", "bn1": "bn1", "fc": head},
            block="layer{stage}.{block}",
            first_stage=1,
            inside={},
        )
    yield Naming(
        family=Family.PRLZ77,
        words="prlz77",
        outside={"conv1": "conv_1_3x3", "bn1": "bn_1", "fc": "classifier"},
        block="stage_{stage}.stage_{stage}_bottleneck_{block}",
        first_stage=1,
        inside={
            "conv1": "conv_reduce",
            "bn1": "bn_reduce",
            "conv2": "conv_conv",
            "bn2": "bn",
            "conv3": "conv_expand",
            "bn3": "bn_expand",
            "downsample.0": "shortcut.shortcut_conv",
            "downsample.1": "shortcut.shortcut_bn",
        },
    )
    yield from _nested()


def _nested() -> Iterator[Naming]:
    # Behind convolution, batch norm and ReLU the ImageNet networks have a max-pool.
    for first, stages in ((4, 4), (3, 3), (3, 4), (4, 3)):
        linear = first + stages + 2  # behind the average pool and the view
        heads = ("last_linear", f"{linear}.1", f"{linear}")
        for branch in _NESTED_BRANCHES:
            for prefix, head in (("features.", heads[0]), *(("", head) for head in heads)):
                yield Naming(
                    family=Family.NESTED,
                    words="Cadene" if prefix else "clcarwin",
                    outside={"conv1": f"{prefix}0", "bn1": f"{prefix}1", "fc": head},
                    block=f"{prefix}{{stage}}.{{block}}.0",
                    first_stage=first,
                    inside={**branch, "downsample.0": "1.0", "downsample.1": "1.1"},
                )

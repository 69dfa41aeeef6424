"""The networks that the original could train, by its options.

Source: opts.lua and models/resnext.lua of the original release.
"""

from dataclasses import dataclass
from typing import Final

from resnext.errors import SpecError
from resnext.spec import Block, Shortcut, Spec, Stem
from train.recipe.recipe import RecipeError

# Depth -> block and blocks per stage, for networks with ImageNet's stem.
IMAGENET: Final = {
    18: (Block.BASIC, (2, 2, 2, 2)),
    34: (Block.BASIC, (3, 4, 6, 3)),
    50: (Block.BOTTLENECK, (3, 4, 6, 3)),
    101: (Block.BOTTLENECK, (3, 4, 23, 3)),
    152: (Block.BOTTLENECK, (3, 8, 36, 3)),
}
# `-bottleneckType`. B and C are the same network, weight for weight; `resnet` has no base width.
KINDS: Final = ("resnet", "resnext_B", "resnext_C")
PLAIN: Final = (64, 1)  # base width and cardinality of a ResNet


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A network as the original's options name it.

    Attributes:
        depth: number of layers with weights.
        base_width: channels per group in the first stage.
        cardinality: groups of the 3x3 convolution.
        kind: one of `KINDS`.
        shortcut: "A", "B" or "C".
    """

    depth: int
    base_width: int = 64
    cardinality: int = 1
    kind: str = "resnext_C"
    shortcut: str = "B"

    def spec(self, stem: Stem, classes: int) -> Spec:
        """Return the specification of the network.

        Args:
            stem: of ImageNet or of CIFAR.
            classes: outputs of the classifier.

        Raises:
            RecipeError: the original has no network of this depth, the kind of block ignores the
                width, or the numbers contradict each other.
        """
        if self.kind == "resnet" and (self.base_width, self.cardinality) != PLAIN:
            raise RecipeError(
                "--bottleneck-type resnet: neither --base-width nor --cardinality expected, as "
                "this block has neither; leave them out, or take resnext_C"
            )
        block, blocks = self._blocks(stem)
        try:
            return Spec(
                blocks=blocks,
                stem=stem,
                block=block,
                shortcut=Shortcut(self.shortcut),
                cardinality=self.cardinality,
                base_width=self.base_width,
                classes=classes,
            )
        except SpecError as error:
            raise RecipeError(
                f"--depth {self.depth}, --base-width {self.base_width}, --cardinality "
                f"{self.cardinality}, --shortcut-type {self.shortcut}: a network of the original "
                f"expected: {error}"
            ) from error

    def _blocks(self, stem: Stem) -> tuple[Block, tuple[int, ...]]:
        if stem is Stem.CIFAR:
            count, rest = divmod(self.depth - 2, 9)
            if rest or count < 1:
                raise RecipeError(
                    f"--depth {self.depth}: 9n+2 (11, 20, 29 ...) expected for three stages; other "
                    "recipes have the four of ImageNet"
                )
            return Block.BOTTLENECK, (count,) * 3
        if self.depth not in IMAGENET:
            known = ", ".join(map(str, IMAGENET))
            raise RecipeError(
                f"--depth {self.depth}: one of {known} expected for four stages; --recipe "
                "cifar-2017 has three (11, 20, 29 ...)"
            )
        return IMAGENET[self.depth]

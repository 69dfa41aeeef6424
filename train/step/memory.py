"""How much memory a step of training takes, before any is taken."""

from dataclasses import dataclass
from math import ceil
from typing import Final

from resnext.layout import Convolution, layout
from resnext.spec import Spec, Stem
from train.recipe.recipe import Optimizer, Recipe

# What is measured above the activations that autograd keeps, as a part of them, and besides: the
# code and small buffers of PyTorch.
MARGIN: Final = 1.15
BESIDES: Final = 100_000_000
# Tensors as large as the largest activation that a backward pass holds beside the activations.
HELD: Final = 3
# Copies of the weights: themselves, gradients, what the optimiser remembers (the momentum, or
# AdamW's two averages), and the copy that is saved.
COPIES: Final = {Optimizer.SGD: 4, Optimizer.ADAMW: 5}
HALF: Final = ("bf16", "fp16")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMemory:
    """The memory of a step, in bytes.

    Attributes:
        activation: what autograd keeps of one picture for the backward pass.
        largest: the largest tensor of one picture.
        weights: all parameters once.
        copies: of the weights that a step and the saving of the state need.
        images: pictures that go through the network at once.
    """

    activation: int
    largest: int
    weights: int
    copies: int
    images: int

    @property
    def least(self) -> int:
        """Return what no step does without: activations, and all copies but the saved one."""
        return self.images * self.activation + (self.copies - 1) * self.weights

    @property
    def estimate(self) -> int:
        """Return what a step takes: on a CPU 21 % too little to 33 % too much, as measured.

        Measured with ten networks, crops and batches, of which those with `--save-memory` are the
        furthest off. What autograd keeps is exact within 2 % (`tests/train/step/test_memory.py`).
        """
        return int(self.images * self._of_picture) + self.copies * self.weights + BESIDES

    def images_in(self, free: int) -> int:
        """Return how many pictures can go through the network at once in so much memory."""
        return max(int((free - self.copies * self.weights - BESIDES) / self._of_picture), 0)

    @property
    def _of_picture(self) -> float:
        return MARGIN * self.activation + HELD * self.largest


def step_memory(
    spec: Spec, recipe: Recipe, crop: int, *, processes: int = 1, saves_memory: bool = False
) -> StepMemory:
    """Return the memory that a step takes in one process.

    Batch norm keeps the output of the convolution before it, and the next layer that of the ReLU
    behind it: two tensors for each convolution, and one for a projection with batch norm.

    Args:
        spec: of the network.
        recipe: gives batch, its parts and the precision.
        crop: side of the network's input, in pixels.
        processes: that share each step.
        saves_memory: only the inputs of blocks are kept, and the inside of one of them.
    """
    rows = layout(spec)
    size = 2 if recipe.precision in HALF else 4

    def values(row: Convolution) -> int:
        return row.outputs * ceil(crop / row.reduction) ** 2

    kept = 3 * crop**2 + 2 * values(rows.stem)
    if spec.stem is Stem.IMAGENET:
        # The output of the pooling, and for each of its values an index of eight bytes.
        kept += (1 + 8 // size) * rows.stem.outputs * ceil(crop / 4) ** 2
    blocks = [block for stage in rows.stages for block in stage]
    inside = [
        2 * sum(map(values, block.convolutions))
        + (values(block.projection) if block.projection and block.projection_norm else 0)
        for block in blocks
    ]
    ends = sum(values(block.convolutions[-1]) for block in blocks)
    kept += ends + max(inside) if saves_memory else sum(inside)
    largest = max(values(row) for row in rows.layers() if isinstance(row, Convolution))
    return StepMemory(
        activation=kept * size,
        largest=largest * size,
        weights=4 * rows.parameters(),
        copies=COPIES[recipe.optimizer] + (2 if recipe.ema else 0),  # the average, and saved
        images=ceil(recipe.batch_size / (processes * recipe.accumulate)),
    )

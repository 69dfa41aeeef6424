"""Is the converted network the original one? Both answer the same pictures, in float64."""

from dataclasses import dataclass
from typing import Final

import torch

from convert.errors import ProofError, UnprovableError
from convert.torch7.oracle import run
from convert.torch7.tree import Module
from resnext.checkpoint import Checkpoint

# Where every value was kept only the order of float64 sums differs; conversions round to float32.
EXACT: Final = 1e-12
CONVERTED: Final = 1e-5

# Pixels of a side of what shows that logits follow the picture: a tenth of ImageNet's.
PATCH: Final = 64


@dataclass(frozen=True, slots=True)
class Proof:
    """How far the two answers are apart.

    Attributes:
        difference: largest difference of the logits over the largest logit.
        tolerance: what it was allowed to be.
        pictures: how many were compared.
    """

    difference: float
    tolerance: float
    pictures: int

    def describe(self) -> str:
        """Return the proof in words."""
        limit = f"limit {self.tolerance:.0e}"
        return f"float64 logits within {self.difference:.1e} of the original modules' ({limit})"


def prove(tree: Module, checkpoint: Checkpoint, *, pictures: int = 1, seed: int = 0) -> Proof:
    """Compare the converted network with the original's modules, run one by one.

    Args:
        tree: the modules as they stand in the file.
        checkpoint: what they were converted to.
        pictures: of normal noise, at the size that the network was made for.
        seed: of the noise.

    Raises:
        ProofError: the difference is above 1e-12, or 1e-5 where values were converted, or it is not
            a number.
        UnprovableError: two pictures are no further apart than that, so that any network of the
            family with the same zeros would do.
    """
    size = checkpoint.spec.input_size
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(pictures, 3, size, size, generator=generator, dtype=torch.float64)
    with torch.inference_mode():
        network = checkpoint.build(dtype=torch.float64)
        found = network(noise)
        patch = noise[:1, :, :PATCH, :PATCH]
        first, second = network(torch.cat([patch, -patch]))
        del network  # at 668 MB each, the weights of only one of the two stay in memory
        expected = run(tree, noise)
    assert isinstance(expected, torch.Tensor)
    difference = float((found - expected).abs().max())
    if difference > 0:
        difference /= float(expected.abs().max())
    tolerance = CONVERTED if checkpoint.provenance.conversions else EXACT
    if not difference <= tolerance:
        raise ProofError(difference, tolerance)
    if float((first - second).abs().max()) <= tolerance * float(first.abs().max()):
        raise UnprovableError
    return Proof(difference, tolerance, pictures)

"""The proof of a conversion: both networks compute the same logits from the same input."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch

from convert.errors import ProofError, UnprovableError
from resnext.checkpoint import Checkpoint

# If every value was kept, only the order of float64 sums differs; converted values are float32.
EXACT: Final = 1e-12
CONVERTED: Final = 1e-5

# Inputs (N, 3, H, W) float64 -> logits (N, classes).
Run = Callable[[torch.Tensor], torch.Tensor]

# Side in pixels of the inputs that show that the logits depend on the input: small, to be fast.
PATCH: Final = 64


@dataclass(frozen=True, slots=True)
class Proof:
    """The difference of the logits of the two networks.

    Attributes:
        difference: largest difference of the logits over the largest logit.
        tolerance: the largest difference that is allowed.
        pictures: how many inputs were compared.
    """

    difference: float
    tolerance: float
    pictures: int

    @property
    def holds(self) -> bool:
        """Tell whether the difference is allowed; one that is not a number is not."""
        return self.difference <= self.tolerance

    def describe(self) -> str:
        """Return the proof in words."""
        limit = f"limit {self.tolerance:.0e}"
        return f"float64 logits within {self.difference:.1e} of the original modules' ({limit})"


def prove(
    run: Run,
    checkpoint: Checkpoint,
    *,
    side: int | None = None,
    pictures: int = 1,
    seed: int = 0,
) -> Proof:
    """Compare the converted network with the original, in float64 on random inputs.

    Args:
        run: computes the original's logits by the file's own description, as `Source.run` does.
        checkpoint: what it was converted to.
        side: of the inputs in pixels, where `run` takes one only; None is the side that the network
            was built for.
        pictures: number of inputs, of normal noise.
        seed: of the noise.

    Raises:
        ProofError: the difference is above 1e-12, or 1e-5 where values were converted, or it is not
            a number.
        UnprovableError: the logits of two inputs differ by no more than that, so that a network
            with other weights might pass too.
    """
    proof, tells = compare_logits(run, checkpoint, side=side, pictures=pictures, seed=seed)
    if not proof.holds:
        raise ProofError(proof.difference, proof.tolerance)
    if not tells:
        raise UnprovableError
    return proof


def compare_logits(
    run: Run,
    checkpoint: Checkpoint,
    *,
    side: int | None = None,
    pictures: int = 1,
    seed: int = 0,
) -> tuple[Proof, bool]:
    """Return how far the logits of both networks are apart, as `prove` measures it.

    The second value tells whether that says anything: the logits of two inputs differ by more than
    is allowed.
    """
    size = side or checkpoint.spec.input_size
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(pictures, 3, size, size, generator=generator, dtype=torch.float64)
    with torch.inference_mode():
        network = checkpoint.build(dtype=torch.float64)
        found = network(noise)
        patch = noise[:1, :, :PATCH, :PATCH]
        first, second = network(torch.cat([patch, -patch]))
        del (
            network
        )  # the weights of one network only are in memory at a time: up to 668 MB in float64
        expected = run(noise)
    difference = float((found - expected).abs().max())
    if difference > 0:
        difference /= float(expected.abs().max())
    tolerance = CONVERTED if checkpoint.provenance.conversions else EXACT
    tells = float((first - second).abs().max()) > tolerance * float(first.abs().max())
    return Proof(difference, tolerance, pictures), tells

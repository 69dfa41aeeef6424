"""What is minimised: cross entropy, of smoothed, weighted and mixed targets."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from train.recipe.random_streams import Use, stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """How the pictures of a step are mixed in pairs: each with the one at its mirrored place.

    Attributes:
        share: of the picture itself, 0 <= share <= 1; the rest is its partner's.
    """

    share: float

    def pictures(self, inputs: Tensor) -> Tensor:
        """Return mixed pictures (N, 3, H, W)."""
        return self.share * inputs + (1 - self.share) * inputs.flip(0)

    def shown(self, labels: Tensor) -> Tensor:
        """Return of which class (N,) int64 each mixed picture shows more."""
        return labels if self.share >= 0.5 else labels.flip(0)


def draw_mix(strength: float, *, seed: int, epoch: int, step: int) -> Mix | None:
    """Return how a step's pictures are mixed; None where nothing is.

    Args:
        strength: both parameters of the beta distribution; 0 mixes nothing.
        seed, epoch, step: the place in the run, which decides the random share.
    """
    if not strength:
        return None
    share = float(stream(seed, Use.MIXUP, epoch, step).beta(strength, strength))
    return Mix(share=share)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Objective:
    """The loss of a picture.

    Attributes:
        weights: (classes,) float32 factors by class, on the device; None weighs all the same.
        smoothing: part of the target that is spread over all classes.
    """

    weights: Tensor | None = None
    smoothing: float = 0.0

    def total(self, logits: Tensor, labels: Tensor, mix: Mix | None = None) -> Tensor:
        """Return the sum of the losses of N pictures.

        Args:
            logits: (N, classes), of any floating type.
            labels: (N,) int64.
            mix: how the pictures were mixed.
        """
        if mix is None:
            return self._total(logits, labels)
        partners = self._total(logits, labels.flip(0))
        return mix.share * self._total(logits, labels) + (1 - mix.share) * partners

    def _total(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(
            logits.float(),
            labels,
            weight=self.weights,
            label_smoothing=self.smoothing,
            reduction="sum",
        )

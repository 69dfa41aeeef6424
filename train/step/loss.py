"""The loss: cross entropy with label smoothing, class weights and mixup."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from resnext.errors import ResnextError
from train.recipe.random_streams import StreamUse, stream


class DivergedError(ResnextError):
    """A loss, gradient or weight is no longer finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixup:
    """How the images of a micro-batch are mixed: image i of N with image N - 1 - i.

    Attributes:
        share: of the image itself, 0 <= share <= 1; the rest is its partner's.
    """

    share: float

    def images(self, inputs: Tensor) -> Tensor:
        """Return mixed images (N, 3, H, W)."""
        return self.share * inputs + (1 - self.share) * inputs.flip(0)

    def main_labels(self, labels: Tensor) -> Tensor:
        """Return the class (N,) int64 of the larger share of each mixed image."""
        return labels if self.share >= 0.5 else labels.flip(0)


def draw_mix(strength: float, *, seed: int, epoch: int, step: int) -> Mixup | None:
    """Draw how the images of a step are mixed; None without mixup.

    Args:
        strength: both parameters of the beta distribution of the share; 0 disables mixup.
        seed, epoch, step: determine the share.
    """
    if not strength:
        return None
    share = float(stream(seed, StreamUse.MIXUP, epoch, step).beta(strength, strength))
    return Mixup(share=share)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Objective:
    """The loss function.

    Attributes:
        weights: (classes,) float32 factor of each class, on the device; None weighs all equally.
        smoothing: fraction of the target that is spread over all classes.
    """

    weights: Tensor | None = None
    smoothing: float = 0.0

    def total(self, logits: Tensor, labels: Tensor, mix: Mixup | None = None) -> Tensor:
        """Return the sum of the losses of N images.

        Args:
            logits: (N, classes), of any floating type.
            labels: (N,) int64.
            mix: how the images were mixed.
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

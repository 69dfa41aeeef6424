"""The errors of a training."""

from resnext.errors import ResnextError


class TrainError(ResnextError):
    """Whatever a user can cause in a training."""


class RecipeError(TrainError):
    """Options that contradict each other, the network or the images."""


class StateError(TrainError):
    """A state that cannot be read or gone on from, or one in the way of a new run."""


class DivergedError(TrainError):
    """A loss or weights that are not finite any more."""

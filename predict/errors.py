"""The errors of a prediction that are not those of its checkpoint or its pictures."""

from resnext.errors import ResnextError


class PredictionError(ResnextError):
    """Something asked of a prediction that it cannot give."""


class DestinationError(ResnextError):
    """A file to write that has no name for a format, or stands in the way of another."""

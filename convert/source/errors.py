"""The errors of a well-formed file whose content is not converted, one class for each cause."""

from collections.abc import Sequence

from resnext.errors import ConvertError


class RefusedError(ConvertError):
    """A well-formed file whose content is not converted."""


class NoNetworkError(RefusedError):
    """No network inside, or more than one."""


class ForeignModuleError(RefusedError):
    """A layer that no network of the family has."""


class StructureError(RefusedError):
    """A layer of the family in the wrong place, or with a setting that changes the arithmetic."""


class WeightError(RefusedError):
    """A tensor that is missing, misshapen, unexpected, shared, not finite or impossible."""


def first_of(faults: Sequence[str]) -> str:
    """Return the first of one or more faults, and the number of the others."""
    more = len(faults) - 1
    return faults[0] + (f" (and {more} more)" if more else "")

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


class MissingPartError(ConvertError):
    """One of two files that belong together, without the other one."""


class DamagedSourceError(ConvertError):
    """A file that is not a complete, well-formed one of its format.

    Attributes:
        where: the place of the fault: `byte 12`, `deploy.prototxt, line 3`; empty if it is the
            whole file.
    """

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where


class CutShortError(DamagedSourceError):
    """The file ends before what it announces.

    Attributes:
        expected: bytes that were announced.
        found: bytes that are left.
    """

    def __init__(self, what: str, *, where: str, expected: int, found: int) -> None:
        super().__init__(
            f"{what} needs {expected} bytes, {found} left; "
            "the file is cut short, copy or download it again",
            where=where,
        )
        self.expected, self.found = expected, found


class UnexpectedError(DamagedSourceError):
    """A value that the format does not have there."""


class ExcessError(DamagedSourceError):
    """A file that asks for more than the reader's limits allow, which networks stay far below."""

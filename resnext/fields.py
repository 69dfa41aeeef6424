"""Values from files that may hold anything, checked before they are used.

Every check names the value in its message, "network 'mine': bytes must be a whole number, found
'many'", and raises the error class that the caller gives: each kind of file has its own.
"""

import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING
from math import isfinite
from numbers import Integral, Real
from pathlib import Path
from reprlib import Repr
from typing import Any, Final, Self, TypeGuard

from resnext.errors import ResnextError
from resnext.files import read_once

Error = type[ResnextError]

# The type of a value, or the shapes of the fields of a table.
Shape = type | Mapping[str, Any]

# No count reaches this, and NumPy's integers end here.
COUNT_LIMIT: Final = 2**63

# Bytes of a file of TOML; the tables that people write have some thousands.
LARGEST: Final = 1 << 24

# Characters of a value from a file that are put into a message, at most.
SHOWN: Final = 200


class WrittenFloat(float):
    """A number of a TOML file with a point, which keeps its digits: "4.10" is more than 4.1.

    Attributes:
        text: as it is written, without a leading plus and without underscores.
    """

    text: str

    def __new__(cls, text: str) -> Self:
        """Take the number as it is written."""
        number = super().__new__(cls, text)
        number.text = text.replace("_", "").removeprefix("+")
        return number

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]
        return (self.text,)

    def __repr__(self) -> str:
        return self.text


class Faults:
    """The messages of errors that do not end the reading of a file."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Keep the message of an error of the project that ends the block."""
        try:
            yield
        except ResnextError as error:
            self.texts += error.lines


class GatheredFields:
    """The fields of a table of which every fault is to be reported, not only the first.

    Attributes:
        fields: as they were found; none if it is no table.
        where: names the table in messages.
    """

    def __init__(
        self, value: object, known: Collection[str], where: str, faults: Faults, error: Error
    ) -> None:
        """Check that it is a table of known fields; `faults` takes what is wrong.

        Args:
            value: of the file.
            known: the fields that it may have.
            where: names the table in messages.
            faults: of the whole file.
            error: whose message a fault is.
        """
        self.where, self._faults, self._before = where, faults, len(faults.texts)
        self._error = error
        self.fields: Mapping[str, object] = {}
        with faults.gathered():
            self.fields = check_table(value, where, error)
            check_known(self.fields, known, where, error)

    @property
    def are_fine(self) -> bool:
        """Tell whether no fault was found since the table was begun."""
        return len(self._faults.texts) == self._before

    def take(self, name: str, check: Callable[[object, str], Any], usual: Any = MISSING) -> Any:
        """Return the checked value of a field, `usual` if it is left out, None if it is wrong."""
        if name not in self.fields and usual is not MISSING:
            return usual
        with self._faults.gathered():
            if name not in self.fields:
                raise self._error(f"{self.where}: {name} expected, found none")
            return check(self.fields[name], f"{self.where}: {name}")
        return None


class BriefRepr(Repr):
    """Values as Python writes them, but for the inside of long, deep and large ones."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxdict = 3, 4
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = 8
        self.maxstring = self.maxother = SHOWN - 20

    def repr_int(self, x: int, level: int) -> str:  # noqa: ARG002 - the base class calls it so
        """Write a number, or how long it is: Python refuses to write more than 4,300 digits."""
        if abs(x) < 10**40:
            return str(x)
        return f"a whole number of about {x.bit_length() * 0.30103:,.0f} digits"


def shown(value: object) -> str:
    """Return a value from a file as a message shows it: one that is not small only in part."""
    return cut(BriefRepr().repr(value))


def cut(text: str) -> str:
    """Return a text from a file, or its beginning if it is long."""
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 4]} ..."


def read_toml(path: Path, error: Error) -> dict[str, object]:
    """Return the top table of a TOML file; its fractions are of the class `WrittenFloat`.

    Raises:
        error: it is not TOML, or has no end.
        OSError: it cannot be read.
    """
    try:
        # Editors on Windows begin a file with a byte order mark.
        text = read_once(path, error, most=LARGEST).decode("utf-8-sig")
        return tomllib.loads(text, parse_float=WrittenFloat)
    # ValueError: also of a number with more digits than Python reads.
    except (ValueError, RecursionError) as cause:
        raise error(f"{path}: not a TOML file: {cut(str(cause))}") from cause


def check_table(value: object, name: str, error: Error) -> Mapping[str, object]:
    """Return a table as it is, or raise `error` for any other value."""
    if not isinstance(value, dict):
        raise error(f"{name}: a table expected, found {shown(value)}")
    return value


def check_known(
    fields: Mapping[str, object], known: Collection[str], name: str, error: Error
) -> None:
    """Raise `error` if a table has a field that is not among the known ones."""
    if unknown := sorted(set(fields).difference(known)):
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise error(
            f"{name}: unknown field {shown(unknown[0])}{more}; the fields are {', '.join(known)}"
        )


def check_text(value: object, name: str, error: Error) -> str:
    """Return a text as it is, or raise `error` for any other value."""
    if not isinstance(value, str):
        raise error(f"{name} must be a text, found {shown(value)}")
    return value


def check_written(value: object, name: str, error: Error) -> str:
    """Return a text, or a number as the text that was meant, with the digits of a TOML file."""
    if isinstance(value, WrittenFloat):
        return value.text
    if is_whole(value) and -COUNT_LIMIT < int(value) < COUNT_LIMIT:
        return str(value)
    return check_text(value, name, error)


def check_choice(value: object, name: str, choices: Iterable[str], error: Error) -> str:
    """Return one of some words.

    Raises:
        error: another value.
    """
    found, known = check_text(value, name, error), tuple(choices)
    if found not in known:
        raise error(f"{name} is one of {', '.join(known)}, found {shown(found)}")
    return found


def check_whole(value: object, name: str, error: Error) -> int:
    """Return a whole number of 64 bits, one of NumPy's too, as an int, or raise `error`."""
    if not is_whole(value):
        raise error(f"{name} must be a whole number, found {shown(value)}")
    if not -COUNT_LIMIT < int(value) < COUNT_LIMIT:
        raise error(f"{name} must be a whole number below 2**63, found {shown(value)}")
    return int(value)


def is_whole(value: object) -> TypeGuard[Integral]:
    """Tell whether a value is a whole number, of NumPy's too; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value: object, *, below: float) -> TypeGuard[float]:
    """Tell whether a value is a number, of NumPy's too, whose absolute value is below a limit."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    number: Any = value  # Real has no order with floats
    return bool(-below < number < below)


def check_shape(value: Any, shape: Shape, name: str) -> None:
    """Check that a value has a type, or is a table with exactly the fields of a shape.

    Args:
        value: as the JSON parser returned it.
        shape: int stands for a count, 0 or more; float for any finite number.
        name: for messages.

    Raises:
        TypeError: it has another type or other fields.
    """
    if isinstance(shape, Mapping):
        if not isinstance(value, Mapping) or value.keys() != shape.keys():
            raise TypeError(f"{name}: a table of {', '.join(shape)} expected")
        for key, each in shape.items():
            check_shape(value[key], each, f"{name} {key}")
    elif shape is float:
        is_number = isinstance(value, float) and isfinite(value)
        if not is_number and (type(value) is not int or abs(value) >= COUNT_LIMIT):
            raise TypeError(f"{name}: a finite number expected")
    elif type(value) is not shape or (type(value) is int and not 0 <= value < COUNT_LIMIT):
        raise TypeError(f"{name}: a value of the kind {shape.__name__} expected")

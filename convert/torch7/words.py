"""Values from a file in short, bounded words, for messages and descriptions."""

from convert.torch7.objects import BooleanKey, Function, Object, Storage, Table, Tensor
from resnext.fields import SHOWN, cut
from resnext.terminal.text import printable


def text(value: object) -> str:
    """Return a Lua value as one line: its text or number, or what it is, never its content."""
    match value:
        case bytes():
            return cut(printable(value[: SHOWN + 1].decode("utf-8", "backslashreplace")))
        case None:
            return "nil"
        case BooleanKey():
            return str(value.value).lower()
        case bool():
            return str(value).lower()
        case int() | float():
            return number(value)
        case tuple():
            return cut(f"({', '.join(text(item) for item in value[:16])})")
        case Table():
            return "a table"
        case Object():
            return f"an object of class {value.type}"
        case Tensor() | Storage():
            return f"a {value.type}"
        case Function():
            return "a function"
        case _:
            return f"a {type(value).__name__}"


def number(value: float) -> str:
    """Return a number, a whole one with all of its digits."""
    whole = abs(value) < 2**53 and value == int(value)
    return str(int(value)) if whole else f"{value:.15g}"


def place(path: str, key: object) -> str:
    """Return the place of a table's value in Lua's notation: a string key is not a number key."""
    if not isinstance(key, bytes):
        return f"{path}[{text(key)}]"
    name = text(key)
    return f"{path}.{name}" if name.isidentifier() else f'{path}["{name}"]'

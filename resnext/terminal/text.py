"""Text for people: printable text from files, and numbers in words."""

import re
from typing import Final

# Control characters, which would end a line or colour a terminal, marks that change the direction
# of writing, and characters that XML does not allow.
UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff]"
)

# First letters of a formula, in the writing of Western and of Eastern Asia.
FORMULA: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


def printable(text: str) -> str:
    """Return a text from a file, or a file's name, as one line that UTF-8 and XML can hold."""
    shown = UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)
    return shown.encode("utf-8", "backslashreplace").decode()


def wrapped(text: str, width: int, *, at: str = " ", indent: str = "  ") -> str:
    """Return a line broken into lines of at most so many columns, but for longer words.

    Args:
        text: one line.
        width: columns of a terminal.
        at: what words are separated by; a line ends only there.
        indent: begins every line but the first.
    """
    from rich.cells import cell_len

    first, *words = text.split(at)
    lines = [first]
    for word in words:
        longer = f"{lines[-1]}{at}{word}"
        if word and lines[-1].strip() and cell_len(longer) > width:
            lines.append(f"{indent}{word}")
        else:
            lines[-1] = longer
    return "\n".join(line.rstrip() for line in lines)


def cell(text: str) -> str:
    """Return a name from a file as a table in CSV holds it.

    A spreadsheet runs a cell that begins with `=`, `+`, `-` or `@` as a formula, unless it is a
    number: `'` is put before it, as spreadsheets themselves write texts. What colours a terminal or
    ends a line is escaped. Bytes that are no UTF-8, escaped as by `os.fsdecode`, stay.
    """
    shown = UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)
    is_formula = shown.startswith(FORMULA) and not NUMBER.fullmatch(shown)
    return f"'{shown}" if is_formula else shown


def csv_cell(text: str) -> str:
    """Return a `cell` that UTF-8 with surrogateescape can write: other surrogates are escaped."""
    text = cell(text)
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def shortened(text: str, most: int) -> str:
    """Return a text of at most so many characters; an ellipsis stands for the rest."""
    return text if len(text) <= most else f"{text[: most - 1]}\u2026"


def number(count: int, noun: str) -> str:
    """Return a count with its noun, in the plural unless the count is 1."""
    return f"{count:,} {noun if count == 1 else f'{noun}s'}"


def duration(seconds: float) -> str:
    """Return a time in readable units: "40 s", "12 min", "3 h 5 min"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"

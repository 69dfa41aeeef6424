"""Text for people: printable text from files, and numbers in words."""

import re
from typing import Final

# Control characters, which would end a line or colour a terminal, marks that change the direction
# of writing, and characters that XML does not allow.
UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff]"
)


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


def number(count: int, noun: str) -> str:
    """Return a count with its noun, in the plural unless the count is 1."""
    return f"{count:,} {noun if count == 1 else f'{noun}s'}"


def duration(seconds: float) -> str:
    """Return a time in readable units: "40 s", "12 min", "3 h 5 min"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"

"""Markdown that shows texts from files as they are: in reports and in model cards."""

import re
from collections.abc import Sequence
from typing import Final

from resnext.terminal.text import printable, shortened

# Of a text, in characters.
LONGEST: Final = 2000

# What Markdown, GitHub's additions to it or HTML would read as more than a character. An
# underscore inside a word is harmless, and so is a colon at its end.
SPECIAL: Final = re.compile(r"[\\`*\[\]<>|~&#@!$]|:(?!\s|$)|(?<![^\W_])_|_(?![^\W_])")


def literal(text: str) -> str:
    """Return a text so that Markdown shows it as it is, on one line, cut where it is too long."""
    return SPECIAL.sub(lambda found: f"&#{ord(found[0])};", shortened(printable(text), LONGEST))


def fenced(text: str) -> list[str]:
    """Return the lines of a block that shows a text as it is."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence, text, fence]


def table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()
) -> list[str]:
    """Return the lines of a table.

    Args:
        headers: of the columns.
        rows: of cells, each of them Markdown.
        right: places of the columns that are flush right.
    """
    rules = ["---:" if place in right else "---" for place in range(len(headers))]
    return [f"| {' | '.join(cells)} |" for cells in (headers, rules, *rows)]

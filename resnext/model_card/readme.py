"""A README with front matter: read, taken apart, and put together again byte for byte."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from resnext.errors import CardError
from resnext.fields import cut, shown
from resnext.files import read_once

if TYPE_CHECKING:
    import yaml

README: Final = "README.md"
# Bytes; the Hub shows less.
LARGEST: Final = 4 << 20

# As the Hub's server and its client find the front matter.
FRONT_MATTER: Final = re.compile(
    r"(?P<start>\ufeff?\s*---(?:\r\n|\r|\n))(?P<matter>[\s\S]*?)"
    r"(?P<rest>(?:\r\n|\r|\n)---[ \t]*(?:\r\n|\n|\Z)[\s\S]*)"
)
LINE_BREAK: Final = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Readme:
    """A README; its three parts in their order are its text.

    Attributes:
        where: names it in messages.
        start: up to the line of dashes that begins the front matter.
        matter: the YAML between the lines of dashes, without its last line break.
        rest: from that line break on.
    """

    where: str
    start: str
    matter: str
    rest: str

    @classmethod
    def of(cls, text: str, where: str) -> Self:
        """Take a text apart.

        Raises:
            CardError: it has no front matter.
        """
        found = FRONT_MATTER.fullmatch(text)
        if found is None:
            raise CardError(
                f"{where}: front matter expected, YAML between two lines of ---, found none; three "
                "lines at its top, ---, an empty one and ---, are enough"
            )
        return cls(where=where, **found.groupdict())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            CardError: it is a link, too large, no UTF-8, or has no front matter.
            OSError: it cannot be read.
        """
        if path.is_symlink():
            raise CardError(
                f"{path}: a file of its own expected, found a link, as the Hub's cache has them; "
                "copy the folder"
            )
        try:
            return cls.of(read_once(path, CardError, most=LARGEST).decode(), str(path))
        except UnicodeDecodeError as error:
            raise CardError(f"{path}: text in UTF-8 expected, found other bytes") from error

    @property
    def text(self) -> str:
        """Return the whole text."""
        return self.start + self.matter + self.rest

    @property
    def line_break(self) -> str:
        """Return what ends its lines, as the first of them ends."""
        found = LINE_BREAK.search(self.start)
        return found[0] if found else "\n"

    def values(self) -> dict[str, Any]:
        """Return what the front matter holds.

        Raises:
            CardError: it is no YAML, or no mapping, or it has aliases.
        """
        import yaml

        with _refusing(self):
            values = yaml.safe_load(self.matter)
        if values is None:
            return {}
        if not isinstance(values, dict):
            raise CardError(
                f"{self.where}: front matter of names and values expected, found {shown(values)}"
            )
        return values

    def node(self) -> "yaml.Node | None":
        """Return the front matter with the places of its parts; None if it holds nothing.

        Raises:
            CardError: as `values`.
        """
        import yaml

        with _refusing(self):
            for token in yaml.scan(self.matter, Loader=yaml.SafeLoader):
                if isinstance(token, yaml.AliasToken):
                    line = self.line(token.start_mark.line)
                    raise CardError(
                        f"{self.where}: line {line}: values expected, found the alias "
                        f"*{cut(token.value)} of one; write it out"
                    )
            return yaml.compose(self.matter, Loader=yaml.SafeLoader)

    def line(self, line: int) -> int:
        """Return the number of a line of the README, from 1, by that in its matter, from 0."""
        return len(LINE_BREAK.findall(self.start)) + line + 1


@contextmanager
def _refusing(readme: Readme) -> Iterator[None]:
    """Turn whatever YAML raises in the block into a `CardError` that names the line."""
    import yaml

    try:
        yield
    # ValueError: of a date that does not exist, or a number with too many digits.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {readme.line(mark.line)}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise CardError(
            f"{readme.where}: {place}YAML expected in the front matter, found an error in it: "
            f"{cut(' '.join(str(problem).split()))}"
        ) from error

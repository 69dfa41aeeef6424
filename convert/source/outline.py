"""What a file holds, as an outline of bounded size: lines for people, values for JSON."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

# Kinds of further entries that are counted by name.
MOST_KINDS: Final = 6


@dataclass(slots=True, kw_only=True)
class Part:
    """One value of an outline.

    Attributes:
        name: its key in Lua's notation: `epoch`, `[1]`, `["1"]`, `[a table]`.
        words: what it is.
        facts: the same as values that JSON takes.
        inside: the values in it that are shown.
        rest: how many of each kind are not shown, where others are.
    """

    name: str
    words: str
    facts: dict[str, object]
    inside: list["Part"] = field(default_factory=list)
    rest: Counter[str] = field(default_factory=Counter)

    def lines(self, depth: int = 0) -> Iterator[str]:
        """Yield an indented line for this value and for each one in it."""
        indent = "  " * depth
        yield f"{indent}{self.name}: {self.words}"
        for part in self.inside:
            yield from part.lines(depth + 1)
        if self.rest:
            kinds = ", ".join(
                f"{count:,} {kind}" for kind, count in self.rest.most_common(MOST_KINDS)
            )
            others = ", ..." if len(self.rest) > MOST_KINDS else ""
            yield f"{indent}  and {self.rest.total():,} more: {kinds}{others}"

    def to_fields(self) -> dict[str, object]:
        """Return this value and those in it as values that JSON takes."""
        fields = {"name": self.name, **self.facts}
        if self.inside:
            fields["values"] = [part.to_fields() for part in self.inside]
        if self.rest:
            fields["not_shown"] = dict(self.rest.most_common())
        return fields

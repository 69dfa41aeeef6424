"""The options of a training as they were given, so that its run can go on with them later."""

import glob
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from resnext.preprocessing import PREPROCESSINGS

# Options whose values may be relative paths, or names or addresses.
PATHS: Final = (
    *("--data", "--val-data", "--init", "--preprocessing", "--claims", "--class-weights"),
    "--cache",
)
# Values of these that are no paths, even where a file or folder has such a name.
NAMES: Final[Mapping[str, Collection[str]]] = {
    "--data": ("cifar10", "cifar100"),
    "--val-data": ("cifar10", "cifar100"),
    "--preprocessing": PREPROCESSINGS,
    "--class-weights": ("balanced",),
}
ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """The options of a command.

    Attributes:
        words: one for each option that was given, "--epochs=3" or "--compile", without those that
            name the folder of the run or say how it starts.
        folder: where the command was given, from which relative paths in the words lead.
    """

    words: tuple[str, ...] = ()
    folder: str = ""

    def stating(self, option: str, value: object) -> Self:
        """Return the options with one of them set to a value."""
        return replace(self, words=(*self._without(option), f"{option}={value}"))

    def found_here(self) -> tuple[str, ...]:
        """Return the words with relative paths that lead to the same files from this folder."""
        return tuple(map(self._found, self.words))

    def to_fields(self) -> dict[str, Any]:
        """Return the options as plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """Return the options that `to_fields` described.

        Raises:
            TypeError, KeyError: a field is missing or of another type.
        """
        words, folder = fields["words"], fields["folder"]
        texts = [*words, folder] if isinstance(words, list) else [None]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("words and a folder as texts expected")
        return cls(words=tuple(words), folder=folder)

    def _without(self, option: str) -> tuple[str, ...]:
        return tuple(word for word in self.words if word.partition("=")[0] != option)

    def _found(self, word: str) -> str:
        option, _, value = word.partition("=")
        if option not in PATHS or value in NAMES.get(option, ()) or ADDRESS.match(value):
            return word
        there = Path(self.folder, value)
        is_path = glob.has_magic(value) or "{" in value or option == "--cache"
        return f"{option}={there}" if is_path or there.exists() else word

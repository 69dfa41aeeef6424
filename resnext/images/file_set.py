"""Files in which many images lie: on this machine, or on their way to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable


class FileSet(Protocol):
    """Files in a fixed order; picklable.

    Attributes:
        paths: where they lie, or will lie.
    """

    @property
    def paths(self) -> tuple[Path, ...]: ...

    def at(self, number: int) -> Path | BinaryIO:
        """Return where a file lies, when it has come; or the file, where it is not kept.

        Raises:
            DownloadError: it cannot be fetched.
        """

    def early(self, number: int) -> Path | BinaryIO:
        """Return where a file lies; or as long as it has not come, what is read of it afar."""

    def soon(self, number: int) -> Path | BinaryIO:
        """Return the same, but wait for a file that comes sooner than a part of it is read."""

    def passed(self, number: int) -> None:
        """Take note that no file before this one is read any more."""


@dataclass(frozen=True, slots=True)
class LocalFiles:
    """Files on this machine.

    Attributes:
        paths: of them.
    """

    paths: tuple[Path, ...]

    @classmethod
    def of(cls, paths: Sequence[Path]) -> "LocalFiles":
        """Return some files."""
        return cls(tuple(paths))

    def at(self, number: int) -> Path:
        """Return where a file lies."""
        return self.paths[number]

    early = soon = at

    def passed(self, number: int) -> None:
        """Keep all files."""


@dataclass(frozen=True, slots=True)
class OneFile:
    """One of some files.

    Attributes:
        files: all.
        number: of the one.
    """

    files: FileSet
    number: int

    @property
    def paths(self) -> tuple[Path, ...]:
        """Return its path."""
        return (self.files.paths[self.number],)

    def at(self, number: int) -> Path | BinaryIO:  # noqa: ARG002 - there is one
        """Return where it lies, when it has come; or the file, where it is not kept."""
        return self.files.at(self.number)

    def early(self, number: int) -> Path | BinaryIO:  # noqa: ARG002
        """Return where it lies, or what is read of it afar."""
        return self.files.early(self.number)

    def soon(self, number: int) -> Path | BinaryIO:  # noqa: ARG002
        """Return where it lies, or what is read of it afar, if it is large."""
        return self.files.soon(self.number)

    def passed(self, number: int) -> None:
        """Leave the others alone."""


def come(
    files: FileSet, number: int, *, came: Callable[[int], None] = lambda _number: None
) -> Path:
    """Return the path of a file that is kept, when it has come.

    Args:
        files: of which one is waited for.
        number: of it.
        came: is told that number then.
    """
    found = files.at(number)
    assert isinstance(found, Path)
    came(number)
    return found


@runtime_checkable
class ReadOnce(Protocol):
    """A reader whose files may be dropped behind the images that were read."""

    def passed(self, position: int) -> None:
        """Take note that no image before this position is read any more."""

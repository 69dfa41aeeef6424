"""The page of a prediction: each picture small, with its answers, to sort, filter and search."""

import json
import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from shutil import copyfileobj
from types import TracebackType
from typing import IO, Final, Self

from predict.errors import DestinationError
from predict.prediction import Prediction
from predict.thumbnails import ThumbnailFolder
from resnext.files import whole_folder
from resnext.pages.frame import render_page
from resnext.terminal.text import printable

TEMPLATE: Final = Path(__file__).parent / "page.html"
PAGE: Final = "index.html"
THUMBNAILS: Final = "thumbnails"
ROWS: Final = "rows.json"  # beside the page while it is made, and then a part of it

ENCODER: Final = json.JSONEncoder(separators=(",", ":"))

# Decimals of a probability: the page rounds once more, to those that it shows.
DIGITS: Final = 6
# Answers that the page shows of a picture.
MOST_ANSWERS: Final = 10
# Lines that the reason has room for, where no picture could be read.
LEAST_LINES: Final = 3


def require_page_folder(folder: Path) -> None:
    """Check that a page may be written to a folder: it is new, empty, or an earlier page.

    Raises:
        DestinationError: something is in the way, or there is no folder to make it in.
    """
    if not folder.parent.is_dir():
        raise DestinationError(
            f"{folder.parent}: an existing folder expected, to write the page in"
        )
    if folder.is_symlink():
        raise DestinationError(f"{folder} is a link; name the folder itself")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise DestinationError(f"{folder} is no folder, which the page is; name another")
    held = {item.name for item in folder.iterdir()}
    if held and PAGE not in held:
        raise DestinationError(f"{folder} holds other files ({min(held)}); name a new folder")
    if others := sorted(held - {PAGE, THUMBNAILS}):
        raise DestinationError(f"{folder} also holds {others[0]}, so it is not replaced")


class PageWriter:
    """Writes the page, picture by picture; its memory does not grow with their number.

    The folder gets its name when the block ends without an error, and nothing is left otherwise. It
    holds `index.html`, which needs no network and no server, and the small pictures beside it.

    Attributes:
        thumbnails: takes small pictures that other processes make, by their place on the page.
    """

    def __init__(self, folder: Path, *, title: str, facts: Sequence[str] = ()) -> None:
        """Check where the page shall be.

        Args:
            folder: to be made; an earlier page there is replaced.
            title: of the page, the name of the network say.
            facts: short texts below the title, such as what the pictures were computed with.

        Raises:
            DestinationError: as `require_page_folder`.
        """
        require_page_folder(folder)
        self._folder, self._title, self._facts = folder, title, facts
        self._stack = ExitStack()
        self._count = self._unreadable = self._answers = 0
        self._names: dict[int, str] = {}
        self._best: set[int] = set()
        self._new: Path
        self._rows: IO[bytes]
        self.thumbnails: ThumbnailFolder

    def __enter__(self) -> Self:
        self._new = self._stack.enter_context(whole_folder(self._folder))
        self.thumbnails = ThumbnailFolder(path=str(self._new / THUMBNAILS))
        self._rows = self._stack.enter_context((self._new / ROWS).open("w+b"))
        self._stack.push(self._finish)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)

    def add(self, prediction: Prediction, thumbnail: bytes | None = None) -> None:
        """Add a picture behind the others.

        Args:
            prediction: its answers, of which the ten best are shown, or why there are none.
            thumbnail: the file of a small picture, JPEG or PNG; None where `thumbnails` has it, or
                there is none.

        Raises:
            OSError: the disk is full.
        """
        if thumbnail is not None:
            self.thumbnails.keep(self._count, thumbnail)
        found: str | list[list[float]]
        if prediction.error is not None:
            self._unreadable += 1
            found = printable(prediction.error) or "could not be read"
        else:
            top = prediction.top[:MOST_ANSWERS]
            found = [[answer.label, round(answer.probability, DIGITS)] for answer in top]
            self._names |= {answer.label: answer.name for answer in top}
            self._best |= {answer.label for answer in top[:1]}
            self._answers = max(self._answers, len(top))
        kind = self.thumbnails.kind(self._count)
        row = _json([printable(prediction.image), kind, found])
        self._rows.write((",\n" if self._count else "").encode() + row.encode())
        self._count += 1

    def _finish(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the page around its rows, unless there was an error."""
        del error, trace
        if kind is not None:
            return
        from markupsafe import Markup

        place = secrets.token_hex(16)
        page = render_page(
            TEMPLATE,
            title=printable(self._title),
            facts=[printable(fact) for fact in self._facts],
            pictures=self._count,
            classes=len(self._best),
            unreadable=self._unreadable,
            answers=max(self._answers, LEAST_LINES),
            names=Markup(_json({label: printable(name) for label, name in self._names.items()})),  # noqa: S704 - escaped
            rows=place,
        )
        before, _, after = page.partition(place)
        with (self._new / PAGE).open("wb") as file:
            file.write(before.encode())
            self._rows.seek(0)
            copyfileobj(self._rows, file)
            file.write(after.encode())
        (self._new / ROWS).unlink()
        self.thumbnails.drop(self._count)  # after Ctrl-C more were read than answered


def _json(value: object) -> str:
    """Return JSON that may stand in a script of a page: nothing in it ends the script."""
    return ENCODER.encode(value).replace("<", "\\u003c")

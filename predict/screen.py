"""Predictions for a person at a terminal: a picture, and below it the classes with bars."""

import sys
from contextlib import AbstractContextManager, nullcontext
from shutil import get_terminal_size
from typing import Final

import click

from predict.prediction import Answer, Prediction
from predict.text_rows import Add
from resnext.terminal.image_bar import Advance, aside, image_bar
from resnext.terminal.text import printable

BAR: Final = 20  # columns
EIGHTHS: Final = " ▏▎▍▌▋▊▉"
# Columns in front of a name, without the bar.
FRONT: Final = 13


def picture_text(
    prediction: Prediction, *, width: int, threshold: float = 0.0, blocks: bool = True
) -> str:
    """Return the lines about a picture, without control characters.

    Args:
        prediction: of the picture.
        width: columns of the terminal; longer names of classes are cut.
        threshold: below which classes were left out.
        blocks: bars are of block characters, which not every encoding has; else of "#".
    """
    lines = [printable(prediction.image)]
    if prediction.error is not None:
        lines.append(f"  cannot be read: {printable(prediction.error)}")
    elif not prediction.top:
        lines.append(f"  no class of at least {threshold:.0%}")
    lines += [_line(answer, width=width, blocks=blocks) for answer in prediction.top]
    return "\n".join(lines) + "\n"


def _line(answer: Answer, *, width: int, blocks: bool) -> str:
    from rich.cells import set_cell_size

    columns = min(BAR, max(width // 4, 1))
    name = _cut(printable(answer.name), width - FRONT - columns)
    bar = set_cell_size(_bar(answer.probability, columns, blocks=blocks), columns)
    return f"  {answer.probability:7.2%}  {bar}  {name}".rstrip()


def _bar(share: float, columns: int, *, blocks: bool) -> str:
    if not blocks:
        return "#" * round(share * columns)
    whole, rest = divmod(round(share * columns * 8), 8)
    return "█" * whole + EIGHTHS[rest].strip()


def _cut(name: str, columns: int) -> str:
    from rich.cells import cell_len, set_cell_size

    if cell_len(name) <= columns:
        return name
    return f"{set_cell_size(name, max(columns - 3, 1)).rstrip()}..."


def progress_of(pictures: int, top: int | None) -> AbstractContextManager[Advance]:
    """Return a bar; none where the pictures are shown and take no more than a screen.

    Args:
        pictures: their number.
        top: number of classes that are shown of each; None where the terminal shows none.
    """
    if top is not None and pictures * (top + 1) <= get_terminal_size().lines:
        return no_progress()
    return image_bar("predicting", pictures)


def no_progress() -> AbstractContextManager[Advance]:
    """Return what shows no progress."""
    return nullcontext(lambda _more, _detail="": None)


def has_blocks() -> bool:
    """Tell whether stdout takes block characters; while there is a bar, stdout does not know."""
    return (sys.stdout.encoding or "").lower().startswith("utf")


def shown_on_terminal(width: int, threshold: float, advance: Advance, *, blocks: bool) -> Add:
    """Return what prints a prediction on the terminal, above the bar.

    Args:
        width: columns of the terminal.
        threshold: below which classes were left out.
        advance: the bar.
        blocks: see `picture_text`.
    """

    def show(prediction: Prediction) -> None:
        text = picture_text(prediction, width=width, threshold=threshold, blocks=blocks)
        with aside(advance):
            click.echo(text, nl=False)

    return show

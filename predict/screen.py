"""Predictions for a person at a terminal: a picture, and below it the classes with bars."""

from typing import Final

from predict.prediction import Answer, Prediction
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


def lines_of(top: int) -> int:
    """Return how many lines a picture takes."""
    return top + 1


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

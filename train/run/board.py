"""The history of a run for TensorBoard."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from train.input.task import Task
from train.run.folder import BOARD
from train.run.progress import AVERAGE, WEIGHTS, Progress


class Board:
    """Writes the history of a run as TensorBoard events."""

    def __init__(self, folder: Path, epoch: int) -> None:
        """Open the events of a run.

        Args:
            folder: of the run.
            epoch: the next one; TensorBoard discards events of this epoch and later ones, which a
                run that was killed may have written.
        """
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / BOARD), purge_step=epoch if epoch > 1 else None)

    def add(self, row: Mapping[str, Any]) -> None:
        """Write an epoch's row of the history."""
        for name, value in scalars(row).items():
            self._writer.add_scalar(name, value, row["epoch"])
        self._writer.flush()

    def close(self) -> None:
        """Write the remaining events."""
        self._writer.close()


def opened_board(task: Task, progress: Progress) -> Board | None:
    """Return the events of a run, or None if they are not wanted."""
    if not task.config.tensorboard:
        return None
    return Board(task.config.output, progress.epoch)


def scalars(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the values of an epoch by the names of their curves."""
    train = row["train"]
    found = {
        "error/training": 100 * train["wrong"] / train["images"],
        "loss/training": train["loss"],
        "gradient norm": train["gradient_norm"],
        "learning rate": row["lr"],
        "images per second": row["images_per_second"],
    }
    for kind, name in ((WEIGHTS, "validation"), (AVERAGE, "validation of the average")):
        if kind in row:
            scored = row[kind]
            found[f"error/{name}"] = 100 * (1 - scored["top1_correct"] / scored["images"])
            found[f"loss/{name}"] = scored["loss"]
    return found

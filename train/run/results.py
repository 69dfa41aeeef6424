"""The results of a run as files: checkpoints, metrics and the split of the images."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from resnext.checkpoint import Checkpoint
from resnext.files import whole_file
from resnext.terminal.text import cell
from train.input.task import Task
from train.run.evaluation import Score
from train.run.folder import (
    BEST,
    LAST,
    LAST_AVERAGE,
    METRICS,
    SPLIT,
    StateError,
    full_disk_explained,
)
from train.run.progress import AVERAGE, WEIGHTS, Best, Progress

Arrays = Mapping[str, NDArray[np.generic]]

# What the validations are called in `metrics.jsonl`, where each name begins with it.
SCORES: Final = {WEIGHTS: "val", AVERAGE: "ema_val"}
# Up to so many classes the five best hold the right one always.
TOP_FIVE: Final = 5
# Checkpoints of the last epoch.
FILES: Final = {WEIGHTS: LAST, AVERAGE: LAST_AVERAGE}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredNetwork:
    """A network after an epoch, with its validation.

    Attributes:
        weights: `WEIGHTS` or `AVERAGE`.
        checkpoint: as it is written to a file.
        score: over the validation images.
    """

    weights: str
    checkpoint: Checkpoint
    score: Score

    def as_best(self, epoch: int) -> Best:
        """Return the part of the validation that is compared with other epochs."""
        score = self.score
        return Best(epoch=epoch, weights=self.weights, wrong=score.wrong, loss=score.loss)


def trained_checkpoint(task: Task, arrays: Arrays) -> Checkpoint:
    """Return a network of this run as a checkpoint, without its validation in the header."""
    first = task.first_network.checkpoint
    # In a fixed order, so that a network restored from a state gives the same file.
    return replace(first, tensors={name: arrays[name] for name in first.tensors})


def documented(scored: ScoredNetwork, task: Task, epoch: int) -> ScoredNetwork:
    """Return a network whose header says how it was trained, and how it was validated."""
    training = _training(task, epoch, scored.weights, scored.score.to_fields())
    return replace(scored, checkpoint=replace(scored.checkpoint, training=training))


def _training(
    task: Task, epoch: int, weights: str, validation: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "epoch": epoch,
        "weights": weights,
        "began_with": task.first_network.source,
        "recipe": task.recipe.to_fields(),
        "seed": task.config.seed,
        "training_images": len(task.images.train),
        "validation": validation,
    }


def write_missing(task: Task, progress: Progress, networks: Mapping[str, Arrays]) -> None:
    """Write those results that existed when a state was saved and are missing now.

    Args:
        task: the training.
        progress: of the state.
        networks: of the state: `WEIGHTS`, `AVERAGE` or both.

    Raises:
        StateError: the best checkpoint is missing and cannot be written from the state, or the disk
            is full.
    """
    folder, best = task.config.output, progress.best
    write_metrics(task, progress)
    if best is None:
        return
    if progress.step == 0:  # the networks are those that were validated
        row = progress.history[-1]
        for kind, arrays in networks.items():
            training = _training(task, row["epoch"], kind, row[kind])
            checkpoint = replace(trained_checkpoint(task, arrays), training=training)
            is_best = (best.epoch, best.weights) == (row["epoch"], kind)
            for path in (folder / name for name in (FILES[kind], *([BEST] if is_best else []))):
                if not path.exists():
                    with full_disk_explained(path):
                        checkpoint.save(path)
    if not (folder / BEST).exists():
        raise StateError(
            f"{folder / BEST}: the network of epoch {best.epoch} expected, the best so far, found "
            "nothing there, and the state has later weights; put it back, or start anew with "
            "--force"
        )


def write_checkpoints(
    folder: Path, all_scored: list[ScoredNetwork], best: ScoredNetwork | None
) -> None:
    """Write the checkpoints of the last epoch, and the best one if it is new.

    Raises:
        StateError: the disk is full.
    """
    wanted = [(FILES[scored.weights], scored) for scored in all_scored]
    if best is not None:
        wanted.append((BEST, best))
    for name, scored in wanted:
        with full_disk_explained(folder / name):
            scored.checkpoint.save(folder / name)


def write_metrics(task: Task, progress: Progress) -> None:
    """Write a line of JSON for each completed epoch, replacing the whole file.

    Raises:
        StateError: the disk is full.
    """
    path = task.config.output / METRICS
    classes = task.first_network.checkpoint.spec.classes
    with full_disk_explained(path), whole_file(path) as file:
        for row in progress.history:
            file.write((json.dumps(metrics_of(row, classes=classes)) + "\n").encode())


def metrics_of(row: Mapping[str, Any], *, classes: int) -> dict[str, Any]:
    """Return an epoch under the names of `metrics.jsonl`, the same for training and validation.

    Args:
        row: of the history.
        classes: of the network; with five or fewer, every image has its class among the best five,
            and this is not counted.
    """
    train = row["train"]
    scores = {
        "train": {"images": train["images"], "loss": train["loss"], "wrong": train["wrong"]},
        **{SCORES[kind]: _score_of(row[kind], classes) for kind in SCORES if kind in row},
    }
    found = {"epoch": row["epoch"], "lr": row["lr"]}
    for half, score in scores.items():
        error = 100 * score["wrong"] / score["images"]
        named = score | {"error": round(error, 4)}
        found |= {f"{half}_{name}": value for name, value in named.items()}
    found["grad_norm"] = train["gradient_norm"]
    return found | {name: row[name] for name in ("seconds", "images_per_second", "best")}


def _score_of(row: Mapping[str, Any], classes: int) -> dict[str, Any]:
    """Return a validation, with what is wrong in place of what is right."""
    images = row["images"]
    score = {"images": images, "loss": row["loss"], "wrong": images - row["top1_correct"]}
    return score | ({"top5_wrong": images - row["top5_correct"]} if classes > TOP_FIVE else {})


def write_split(task: Task) -> None:
    """Write which images are trained on and which validate, if one set was split.

    The columns are image, class and split. File names that are not UTF-8 keep their bytes; see
    `cell` for those that are changed.

    Raises:
        StateError: the disk is full.
    """
    if not task.images.is_split:
        return
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("image", "class", "split"))
    for which, images in (("training", task.images.train), ("validation", task.images.val)):
        names = (task.names[label] for label in images.labels.tolist())
        table.writerows(
            (cell(image), cell(name), which) for image, name in zip(images.ids, names, strict=True)
        )
    path = task.config.output / SPLIT
    with full_disk_explained(path), whole_file(path) as file:
        file.write(text.getvalue().encode("utf-8", "surrogateescape"))


def epoch_row(progress: Progress, *, lr: float, seconds: float) -> dict[str, Any]:
    """Return the row of an epoch, without its validation.

    Args:
        progress: at the end of the epoch.
        lr: learning rate of its last step.
        seconds: duration of the epoch, including validation.
    """
    tally = progress.tally
    return {
        "epoch": progress.epoch,
        "lr": lr,
        "train": {
            "images": tally.images,
            "loss": tally.loss / tally.images,
            "wrong": tally.wrong,
            "gradient_norm": tally.norms / max(tally.steps - tally.skipped - tally.unmeasured, 1),
        },
        "seconds": round(seconds, 3),
        "images_per_second": round(tally.images / tally.seconds, 2),
    }

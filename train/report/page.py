"""training.html: a run as one page, with its curves, its errors by class and its settings."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from resnext.download import without_password
from resnext.files import whole_file
from resnext.machine import versions
from resnext.pages.class_counts import TopOne
from resnext.pages.class_table import class_table, confusion_of, display_names
from resnext.pages.frame import render_page
from resnext.terminal.text import duration
from train.input.task import Task
from train.recipe.description import unused_fields
from train.report.curves import Plot, Series, plot
from train.run.folder import BEST, REPORT, SPLIT, full_disk_explained
from train.run.messages import percent
from train.run.progress import AVERAGE, WEIGHTS, Progress

if TYPE_CHECKING:
    import torch

TEMPLATE: Final = Path(__file__).with_name("training.html")
# Pairs of classes that are listed where these are too many for a matrix.
MOST_PAIRS: Final = 30
# Classes that are listed, those with the largest errors.
MOST_ROWS: Final = 200


def write_report(
    task: Task, progress: Progress, decisions: NDArray[np.int32], device: "torch.device"
) -> Path:
    """Write the page of a finished run and return its path.

    Args:
        task: what was trained.
        progress: its history, of one epoch or more.
        decisions: (N,) class indices that the best checkpoint answered for the validation images.
        device: that it was trained on.

    Raises:
        StateError: the disk is full.
        OSError: the file cannot be written for another reason.
    """
    path = task.config.output / REPORT
    page = render(task, progress, decisions, versions(device))
    with full_disk_explained(path), whole_file(path) as file:
        file.write(page.encode("utf-8", "backslashreplace"))
    return path


def render(
    task: Task, progress: Progress, decisions: NDArray[np.int32], made_with: Mapping[str, str]
) -> str:
    """Return the page as HTML; names of classes and files are escaped in it."""
    names = display_names(task.names)
    answers = TopOne(labels=task.images.val.labels, answers=decisions, classes=len(names))
    best = progress.best
    assert best is not None
    return render_page(
        TEMPLATE,
        network=task.first_network.checkpoint.spec.name,
        best=best,
        best_row=progress.history[best.epoch - 1][best.weights],
        last_row=progress.history[-1],
        history=progress.history,
        has_average=AVERAGE in progress.history[-1],
        plots=plots(progress),
        confusion=confusion_of(answers, names, most=MOST_PAIRS),
        table=class_table([answers], names, most=MOST_ROWS),
        settings=list(settings(task, progress)),
        versions=made_with,
        command=task.config.command,
        best_file=task.config.output / BEST,
        data=shlex.quote(without_password(task.config.val_data or task.config.data)),
        split_file=task.config.output / SPLIT if task.images.is_split else None,
        percent=percent,
        duration=duration,
        seconds=progress.seconds,
        training_images=len(task.images.train),
    )


def plots(progress: Progress) -> list[Plot]:
    """Return the curves of a run: errors, losses and the learning rate."""
    history = progress.history
    best = progress.best
    epoch = best.epoch if best is not None else None
    scored = [
        (kind, name, style)
        for kind, name, style in (
            (WEIGHTS, "validation", "validation"),
            (AVERAGE, "validation, average", "average"),
        )
        if kind in history[-1]
    ]

    def wrong(row: Mapping[str, Any]) -> float:
        return 100 * (1 - int(row["top1_correct"]) / int(row["images"]))

    errors = [
        Series(
            name="training",
            values=[100 * row["train"]["wrong"] / row["train"]["images"] for row in history],
            style="training",
        )
    ]
    losses = [
        Series(name="training", values=[row["train"]["loss"] for row in history], style="training")
    ]
    for kind, name, style in scored:
        errors.append(Series(name=name, values=[wrong(r[kind]) for r in history], style=style))
        losses.append(Series(name=name, values=[r[kind]["loss"] for r in history], style=style))
    rates = [Series(name="lr", values=[r["lr"] for r in history], style="training")]
    return [
        plot("Error", errors, unit=" %", best=epoch),
        plot("Loss", losses, best=epoch),
        plot("Learning rate, last step of each epoch", rates, best=epoch),
    ]


def settings(task: Task, progress: Progress) -> Iterator[tuple[str, str]]:
    """Yield the name and value of every setting that the result depends on."""
    checkpoint = task.first_network.checkpoint
    # The stem in the recipe is for training from scratch; the network's own is shown.
    unused = {name.replace("_", " ") for name in unused_fields(task.recipe)}
    for name, value in _flat(task.recipe.to_fields() | {"stem": checkpoint.spec.stem}):
        if name.rpartition(": ")[2] not in unused:
            yield name, value
    yield "learning rate", f"{task.recipe.scaled_lr:g}"
    yield "seed", str(task.config.seed)
    yield "preprocessing", task.first_network.preprocessing.describe()
    yield "training images", f"{task.images.train.root} ({len(task.images.train):,})"
    yield "validation images", f"{task.images.val.root} ({len(task.images.val):,})"
    if task.first_network.source is not None:
        for name, value in task.first_network.source.items():
            yield f"began with {name}", str(value)
    if checkpoint.provenance.licence:
        yield "licence", checkpoint.provenance.licence
    yield "time", duration(progress.seconds)


def _flat(fields: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        full = f"{above}{name}".replace("_", " ")
        if isinstance(value, dict):
            yield from _flat(value, f"{full}: ")
        else:
            yield full, _shown(value)


def _shown(value: Any) -> str:
    match value:
        case None | "" | [] | ():
            return "none"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(map(_shown, value))
        case _:
            return str(value)

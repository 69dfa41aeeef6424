"""A run as one page that needs nothing else: curves, confusion, and how it was made."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from resnext.files import whole_file
from resnext.machine import versions
from resnext.terminal.text import duration
from train.input.task import Task
from train.report.confusion import Counts, class_rows, confusion, worst_pairs
from train.report.curves import Curve, Plot, plot
from train.run.folder import BEST, REPORT, SPLIT, full_disk_explained
from train.run.messages import percent
from train.run.progress import AVERAGE, WEIGHTS, Progress

if TYPE_CHECKING:
    import torch

HERE: Final = Path(__file__).parent
# As many classes make a matrix that can be read; of more, the most frequent confusions are listed.
MOST_CELLS: Final = 30
MOST_PAIRS: Final = 30
# Classes of which each has a row; of more, the worst.
MOST_ROWS: Final = 200
# Letters of a name in the matrix; more where names would be the same.
MOST_LETTERS: Final = (20, 30, 40)


def write_report(
    task: Task, progress: Progress, decisions: NDArray[np.int32], device: "torch.device"
) -> Path:
    """Write the page of a run that is done.

    Args:
        task: what was trained.
        progress: its history, of one epoch or more.
        decisions: (N,) of the best validation.
        device: it was trained on.

    Raises:
        StateError: the disk is full.
        OSError: the file cannot be written otherwise.
    """
    path = task.config.output / REPORT
    page = render(task, progress, decisions, versions(device))
    with full_disk_explained(path), whole_file(path) as file:
        file.write(page.encode("utf-8", "backslashreplace"))
    return path


def render(
    task: Task, progress: Progress, decisions: NDArray[np.int32], made_with: Mapping[str, str]
) -> str:
    """Return the page as HTML; what stands in names of classes and files is text in it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("training.html")
    names = task.names
    counts = confusion(task.images.val.labels, decisions, len(names))
    rows = class_rows(counts, names)
    best = progress.best
    assert best is not None
    return template.render(
        css=Markup((HERE / "training.css").read_text()),  # noqa: S704 - our own file
        network=task.first_network.checkpoint.spec.name,
        source=task.first_network.source,
        best=best,
        best_row=progress.history[best.epoch - 1][best.weights],
        last_row=progress.history[-1],
        history=progress.history,
        has_average=AVERAGE in progress.history[-1],
        plots=plots(progress),
        matrix=_matrix(counts, names) if len(names) <= MOST_CELLS else None,
        names=names,
        short=short_names(names),
        pairs=worst_pairs(counts, names, MOST_PAIRS),
        rows=rows[:MOST_ROWS],
        hidden_rows=len(rows[MOST_ROWS:]),
        settings=list(settings(task, progress)),
        versions=made_with,
        command=task.config.command,
        best_file=task.config.output / BEST,
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
            (WEIGHTS, "validation", "second"),
            (AVERAGE, "validation, average", "third"),
        )
        if kind in history[-1]
    ]

    def wrong(row: Mapping[str, Any]) -> float:
        return 100 * (1 - int(row["top1_correct"]) / int(row["images"]))

    errors = [
        Curve(
            name="training",
            values=[100 * row["train"]["wrong"] / row["train"]["images"] for row in history],
            style="first",
        )
    ]
    losses = [
        Curve(name="training", values=[row["train"]["loss"] for row in history], style="first")
    ]
    for kind, name, style in scored:
        errors.append(Curve(name=name, values=[wrong(r[kind]) for r in history], style=style))
        losses.append(Curve(name=name, values=[r[kind]["loss"] for r in history], style=style))
    rates = [Curve(name="rate", values=[r["rate"] for r in history], style="first")]
    return [
        plot("Error", errors, unit=" %", best=epoch),
        plot("Loss", losses, best=epoch),
        plot("Learning rate, last step of each epoch", rates, best=epoch),
    ]


def settings(task: Task, progress: Progress) -> Iterator[tuple[str, str]]:
    """Yield everything that decided what was computed, as names and values."""
    checkpoint = task.first_network.checkpoint
    assert checkpoint.preprocessing is not None
    # The recipe's stem is of networks that are trained from scratch.
    for name, value in _flat(task.recipe.to_fields() | {"stem": checkpoint.spec.stem}):
        yield name, value
    yield "learning rate", f"{task.recipe.scaled_rate:g}"
    yield "seed", str(task.config.seed)
    yield "preprocessing", checkpoint.preprocessing.describe()
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


def short_names(names: Sequence[str]) -> list[str]:
    """Return names without their middle, where they are long and can be told apart by the rest."""
    for letters in MOST_LETTERS:
        short = [shortened(name, letters) for name in names]
        if len(set(short)) == len(names):
            return short
    return list(names)


def shortened(name: str, letters: int) -> str:
    """Return a name with at most so many of its first and last letters."""
    half = letters // 2
    return name if len(name) <= letters else f"{name[:half]}…{name[-half:]}"


def _matrix(counts: Counts, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of a table, each cell with its count and how strong its colour is."""
    sums = counts.sum(axis=1)
    return [
        {
            "name": name,
            "cells": [
                {
                    "count": int(count),
                    "right": row == column,
                    "strength": round(float(count / max(sums[row], 1)) ** 0.5, 3),
                }
                for column, count in enumerate(counts[row])
            ],
        }
        for row, name in enumerate(names)
    ]

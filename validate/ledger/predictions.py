"""Files of predictions, read as what a ledger holds: those of resnext-validate and resnext-predict.

A file of resnext-validate states a run by checkpoint, pipeline, crops and precision; weights and
preprocessing stand in the report.json beside it, where there is one. One of resnext-predict states
none of these, and no labels: it is of use for images whose labels are published.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from resnext.fields import COUNT_LIMIT, cut, shown
from resnext.files import read_once
from resnext.images.imagenet import SET, WNIDS, published_name, titles, validation_labels
from resnext.terminal.text import FORMULA
from validate.ledger.entries import Entry
from validate.ledger.packing import LARGEST
from validate.ledger.stored import LedgerError, Stored

# Of predictions.csv, as resnext-validate writes it.
HEADER: Final = (
    *("image", "label", "label_name", "checkpoint", "pipeline", "crops", "precision"),
    *("top1", "top2", "top3", "top4", "top5", "top1_name", "confidence"),
    *("top1_correct", "top5_correct", "failure"),
)
TOPS: Final = ("top1", "top2", "top3", "top4", "top5")
# What names a run in it.
RUN: Final = ("checkpoint", "pipeline", "crops", "precision")
UNKNOWN: Final = "unknown"  # in place of what a file does not state
REPORT: Final = "report.json"

Row = Mapping[str, str]


def starts_predictions(data: bytes) -> bool:
    """Tell by its first bytes whether a file is one of predictions."""
    return data.startswith((b"image,label,", b"image,top1,"))


def parse_predictions(data: bytes, path: Path) -> Stored:
    """Return what the bytes of a file of predictions hold, as a ledger's.

    Raises:
        LedgerError: it is damaged, or has images without labels that are published.
        OSError: the report.json beside it cannot be read.
    """
    text = io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")
    reader = csv.DictReader(text, strict=True)
    try:
        rows = [*reader]
    except csv.Error as error:
        raise LedgerError(
            f"{path}: line {reader.line_num}: {error}; the file is damaged"
        ) from error
    if any(None in row or None in row.values() for row in rows) or not rows:
        raise LedgerError(f"{path}: rows of predictions expected, found none, or cut ones")
    if tuple(rows[0]) == HEADER:
        return _measured(rows, path)
    if {"image", "top1", "error"} <= rows[0].keys():
        return _predicted(rows, path)
    raise LedgerError(f"{path}: predictions with their columns expected, found other columns")


def _measured(rows: Sequence[Row], path: Path) -> Stored:
    """Return the rows of resnext-validate, which stand run by run."""
    by_run: dict[tuple[str, ...], list[tuple[int, Row]]] = {}
    for line, row in enumerate(rows, 2):
        by_run.setdefault(tuple(row[name] for name in RUN), []).append((line, row))
    first, *others = by_run.values()
    names = [row["image"] for _, row in first]
    for each in others:
        if [row["image"] for _, row in each] != names:
            raise LedgerError(f"{path}: the same images in every run expected, found others")
    entries = [
        _entry([row for _, row in lines], path, lines[0][0])
        for lines in zip(first, *others, strict=True)
    ]
    report = _report(path)
    found = report.get("results")
    results: list[Any] = found if isinstance(found, list) else []
    runs = [
        _run(run, results[place] if len(results) == len(by_run) else {})
        for place, run in enumerate(by_run)
    ]
    made: dict[str, Any] = {"file": path.name}
    classes = _class_names(row for _, row in first)
    if classes:
        made["class_names"] = titles_or_names(classes)
    identity: dict[str, Any] = {"runs": runs}
    images = report.get("images")
    if isinstance(images, dict):
        identity["data"] = {name: images.get(name) for name in ("images", "sha256")}
    return Stored(path=path, identity=identity, entries=tuple(entries), ends=(), made=made)


def titles_or_names(classes: tuple[str, ...]) -> tuple[str, ...] | str:
    """Return names of classes, or what stands for ImageNet's."""
    return SET if classes == titles(WNIDS) else classes


def _run(words: tuple[str, ...], result: object) -> dict[str, Any]:
    """Return the fields of a run, those of the report's result where it is the same."""
    checkpoint, pixels, crops, precision = words
    pipeline, _, interpolation = pixels.partition(" ")
    run: dict[str, Any] = {
        "network": Path(checkpoint).stem,
        "weights_sha256": "",
        "preprocessing": {"interpolation": interpolation} if interpolation else {},
        "pipeline": pipeline,
        "crops": int(crops) if crops in ("1", "10") else 0,
        "precision": precision,
    }
    if isinstance(result, dict) and all(
        result.get(name) == value
        for name, value in (("checkpoint", checkpoint), ("pipeline", pipeline))
    ):
        names = ("network", "weights_sha256", "preprocessing", "compiled")
        run |= {name: result[name] for name in names if result.get(name)}
    return run


def _entry(rows: Sequence[Row], path: Path, line: int) -> Entry:
    """Return what all runs decided on an image."""
    first = rows[0]
    image, label = plain_name(first["image"]), _number(first["label"], path, line)
    if first["failure"]:
        return Entry(batch=0, image=image, label=label, failure=first["failure"])
    return Entry(
        batch=0,
        image=image,
        label=label,
        top_five=tuple(
            tuple(_number(row[name], path, line) for name in TOPS if row[name]) for row in rows
        ),
        confidence=tuple(_share(row["confidence"], path, line) for row in rows),
        reference=(None,) * len(rows),
    )


def _predicted(rows: Sequence[Row], path: Path) -> Stored:
    """Return the rows of resnext-predict, labelled by the published names of their images."""
    labels = validation_labels().numbers
    entries = []
    for line, row in enumerate(rows, 2):
        image = plain_name(row["image"])
        name = published_name(image)
        if name is None:
            raise LedgerError(
                f"{path}: line {line}: images of ILSVRC2012's validation set expected, as this "
                f"file states no labels, found {shown(image)}; judge what resnext-validate wrote"
            )
        if row["error"]:
            entries.append(Entry(batch=0, image=image, label=labels[name], failure=row["error"]))
            continue
        entry = Entry(
            batch=0,
            image=image,
            label=labels[name],
            top_five=(
                tuple(_number(row[top], path, line) for top in TOPS if row.get(top, "") != ""),
            ),
            confidence=(_share(row.get("top1_probability", ""), path, line),),
            reference=(None,),
        )
        entries.append(entry)
    run = {
        "network": path.stem,
        "weights_sha256": "",
        "preprocessing": {},
        "pipeline": UNKNOWN,
        "crops": 0,
        "precision": UNKNOWN,
    }
    made = {"file": path.name}
    return Stored(path=path, identity={"runs": [run]}, entries=tuple(entries), ends=(), made=made)


def _report(path: Path) -> Mapping[str, Any]:
    """Return the report beside a file of predictions; nothing where there is none, or another."""
    place = path.with_name(REPORT)
    if not place.is_file():
        return {}
    try:
        found = json.loads(read_once(place, LedgerError, most=LARGEST))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _class_names(rows: Iterator[Row]) -> tuple[str, ...] | None:
    """Return the names of all classes, where every one has an image; else None."""
    names = {row["label"]: row["label_name"] for row in rows}
    found = [names.get(str(label), "") for label in range(len(names))]
    return tuple(found) if all(found) else None


def plain_name(text: str) -> str:
    """Return an image's name without the `'` that keeps spreadsheets from running it."""
    return text[1:] if text[:1] == "'" and text[1:].startswith(FORMULA) else text


def _number(text: str, path: Path, line: int) -> int:
    if text.isascii() and text.isdecimal() and len(text) < 20 and int(text) < COUNT_LIMIT:
        return int(text)
    raise LedgerError(f"{path}: line {line}: the number of a class expected, found {cut(text)!r}")


def _share(text: str, path: Path, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise LedgerError(
            f"{path}: line {line}: a probability from 0 to 1 expected, found {cut(text)!r}"
        )
    return value

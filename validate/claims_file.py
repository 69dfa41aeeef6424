"""Write a file of claims from what was measured (`--write-claims`)."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

import resnext
from resnext.errors import DataError
from resnext.files import whole_file
from resnext.images.imagenet import titles
from resnext.images.late import LateImageSet
from resnext.model_card.measured import percent
from resnext.preprocessing import INTERPOLATIONS, Pipeline, Preprocessing
from resnext.published import Metric
from resnext.terminal.text import number
from validate.request import MeasurementRequest
from validate.verdicts.claims import tolerance
from validate.verdicts.results import MeasuredRun, Report, Result

WIDTH: Final = 120  # characters of a line
HEAD: Final = """\
# Claims for resnext-validate --claims, one [[network]] for each network.
# Every row says how it was measured; a line that begins with # is not in effect.
"""


def check_claims_file(path: Path, request: MeasurementRequest) -> None:
    """Check, before anything is measured, that claims can be written.

    Raises:
        DataError: the file is there already, two networks have one name, a name is no text, or the
            images are not a whole set, of which alone a claim can be judged.
    """
    config, images = request.config, request.images
    if path.exists():
        raise DataError(
            f"--write-claims {path}: a file that is not there yet expected; name another, or "
            "remove it"
        )
    if config.ledger is not None and config.ledger.resolve() == path.resolve():
        raise DataError(
            f"--write-claims {path}: another file than that of --ledger expected, found the same"
        )
    if not path.parent.is_dir():
        raise DataError(f"--write-claims {path}: the folder {path.parent} expected, found none")
    names = Counter(network.protocol.name for network in request.networks)
    if twice := [name for name, count in names.items() if count > 1]:
        raise DataError(
            f"--write-claims {path}: one network of each name expected, found two called "
            f"{twice[0]}; measure them one by one"
        )
    for name in (*names, *(images.classes or ())):
        if not name.isprintable():
            raise DataError(
                f"--write-claims {path}: names of networks and classes that can be printed "
                f"expected, found {name!a}"
            )
    classes = request.networks[0].checkpoint.spec.classes
    labels = images.listed().labels if isinstance(images, LateImageSet) else images.labels
    there = len(np.unique(labels))
    is_sample = config.limit is not None and config.limit < len(images)
    if is_sample or there < classes:
        found = (
            "a sample of them (--limit)" if there == classes else f"{there} of {classes} classes"
        )
        raise DataError(
            f"--write-claims {path}: images of every class, all of them measured, expected, as a "
            f"claim is judged on a whole set only; found {found}"
        )


def write_claims(report: Report, path: Path) -> str:
    """Write what was measured as claims, and return a sentence that says so.

    Nothing is written where an image could not be read: the set is not whole then.

    Raises:
        OSError: the file cannot be written.
    """
    if report.decisions.failures:
        return f"{path}: no claims are written, as images could not be read"
    text = claims_text(report, date=datetime.now(UTC).date().isoformat())
    with whole_file(path) as file:
        file.write(text.encode())
    count = sum(len(result.told) for result in report.results)
    return f"{path}: {number(count, 'claim')} written; --claims {path} judges by them"


def claims_text(report: Report, *, date: str) -> str:
    """Return what was measured as a file of claims, with the fields that may be added as comments.

    Args:
        report: of whole sets, without images that could not be read.
        date: of the measurement, for its source.
    """
    networks: dict[str, list[Result]] = {}
    for result in report.results:
        networks.setdefault(result.run.network, []).append(result)
    parts = [HEAD]
    for results in networks.values():
        parts.append("\n".join(_row(results[0].run, report.images.classes)))
        parts += [
            "\n".join(_claim(result, metric, date=date))
            for result in results
            for metric in result.told
        ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _row(run: MeasuredRun, classes: tuple[str, ...] | None) -> Iterator[str]:
    yield "[[network]]"
    yield f"name = {_quoted(run.network)}  # applies to checkpoints of this name"
    yield "# Only these weights, and no others of that name:"
    yield f"# weights_sha256 = {_quoted(run.weights_sha256)}"
    # ImageNet's folders are known by their wnids.
    if classes is not None and titles(classes) == classes:
        yield "# The classes of the images; a class folder that is renamed is refused:"
        line = f"classes = [{', '.join(map(_quoted, classes))}]"
        if len(line) <= WIDTH:
            yield line
        else:
            yield "classes = ["
            yield from (f"    {_quoted(name)}," for name in classes)
            yield "]"
    yield "# Without this table, the checkpoint's own preprocessing is used."
    yield "[network.preprocessing]"
    yield from _preprocessing(run.preprocessing)


def _preprocessing(row: Preprocessing) -> Iterator[str]:
    if row.scale is not None:
        yield f"scale = {row.scale}  # pixels of the shorter side"
    yield f"crop = {row.crop}  # pixels of the square that the network sees"
    unit = "1 for a byte of 255" if row.white == 1 else "bytes"
    yield f"mean = {list(row.mean)}  # red, green, blue; {unit}"
    yield f"std = {list(row.std)}"
    if row.white != 1:
        yield f"white = {row.white}"
    if row.pipeline is not Pipeline.TORCH7:
        yield f"pipeline = {_quoted(row.pipeline)}"
        yield f"interpolation = {_quoted(row.interpolation)}"


def _claim(result: Result, metric: Metric, *, date: str) -> Iterator[str]:
    run, images = result.run, result.counts.images
    wrong = images - result.counts.correct(metric)
    value = percent(wrong, images)
    usual = tolerance(value)
    yield "[[network.claim]]"
    yield f"metric = {_quoted(metric)}"
    yield f"value = {_quoted(value)}  # percent, {wrong} of {images} images"
    yield f"images = {images}"
    others = " or ".join(_quoted(each) for each in Pipeline if each is not run.pipeline)
    yield f"pipeline = {_quoted(run.pipeline)}  # or {others}"
    if len(INTERPOLATIONS[run.pipeline]) > 1:
        row = run.preprocessing
        others = " or ".join(
            _quoted(each) for each in INTERPOLATIONS[row.pipeline] if each is not row.interpolation
        )
        yield f"interpolation = {_quoted(row.interpolation)}  # or {others}"
    yield f"crops = {run.crops}  # or {11 - run.crops}"
    yield (
        f"# tolerance = 0.5  # points that the error may differ; without it {float(usual):g}, here "
        f"{number(int(usual * images / 100), 'image')}"
    )
    yield f"source = {_quoted(f'resnext-validate {resnext.__version__}, {run.arithmetic}, {date}')}"


def _quoted(text: str) -> str:
    """Return a printable text as TOML writes it."""
    return json.dumps(text, ensure_ascii=False)

"""What was measured, in the README.md of the folder that the weights lie in (`--card`)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile
from typing import Final
from urllib.parse import urlsplit

from resnext.checkpoint import SUFFIX, Checkpoint
from resnext.errors import CardError
from resnext.images.image_set import ImageSet
from resnext.images.imagenet import VALIDATION_FILE
from resnext.model_card.card import check_card, write_measured
from resnext.model_card.hub_names import ACCURACIES, FOLDER, IMAGENET_1K
from resnext.model_card.measured import MeasuredRow
from resnext.model_card.readme import README
from resnext.published import Metric
from resnext.terminal.text import number, printable
from validate.reports.sentences import claim_text
from validate.verdicts.results import MeasuredRun, Report, Result

WEIGHTS: Final = f"model{SUFFIX}"
HUB: Final = "hf://datasets/"


def check_card_folder(folder: Path, checkpoints: Mapping[str, Checkpoint]) -> None:
    """Check, before anything is measured, that a folder's card takes what will be measured.

    Args:
        folder: holds README.md, and the weights that it is about.
        checkpoints: that are measured, by their files.

    Raises:
        CardError: the card cannot be written into, or is about none of the checkpoints.
        CheckpointError: the weights beside it are not ours.
        OSError: a file cannot be read.
    """
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing there"
        raise CardError(f"--card {folder}: a folder with a {README} expected, found {found}")
    path = folder / README
    if not (path.is_file() or path.is_symlink()):
        raise CardError(
            f"--card {folder}: a {README} in it expected, found none; resnext-convert --to timm "
            "writes one"
        )
    own = _checkpoint(folder)
    check_card(path, own.name)
    wanted = own.digest()
    digests = {file: each.digest() for file, each in checkpoints.items()}
    if wanted not in digests.values():
        others = ", ".join(f"{digest[:12]}... of {file}" for file, digest in digests.items())
        raise CardError(
            f"--card {folder}: weights of sha256 {wanted[:12]}... among the checkpoints expected, "
            f"as its card is about these, found {printable(others)}; measure {folder} itself"
        )
    try:
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise CardError(
            f"--card {folder}: a folder that can be written to expected, found: {error.strerror}"
        ) from error


def write_card(report: Report, folder: Path, ledger: Path | None) -> str:
    """Write what was measured of a folder's weights into its card; return a sentence about it.

    Nothing is written where an image could not be read: the numbers are not of the whole set then.

    Args:
        report: of one or more checkpoints, the folder's among them.
        folder: checked by `check_card_folder` before the measurement.
        ledger: with all decisions; or None.

    Raises:
        CardError, CheckpointError, OSError: as `check_card_folder`, if somebody has changed the
            folder since.
    """
    path = folder / README
    if report.decisions.failures:
        return f"{path}: nothing is written into it, as images could not be read"
    own = _checkpoint(folder)
    digest = own.digest()
    rows = [
        measured_row(report, result, ledger)
        for result in report.results
        if result.run.weights_sha256 == digest
    ]
    if not rows:
        raise CardError(
            f"{path}: weights that were measured expected beside it, found others: they have been "
            "replaced since; measure again"
        )
    count = write_measured(path, own.name, rows)
    kept = f", which holds {count} now" if count > len(rows) else ""
    without = "" if ledger else "; a --ledger would be named in it by its checksum"
    return f"{path}: {number(len(rows), 'measurement')} written into it{kept}{without}"


def measured_row(report: Report, result: Result, ledger: Path | None) -> MeasuredRow:
    """Return a result as a row of a card.

    Raises:
        OSError: the ledger cannot be read.
    """
    counts, settings = result.counts, report.settings
    made = {
        "resnext": version("resnext"),
        "date": str(settings["started"])[:10],
        "device": str(settings["device"]),
        "versions": {name: printable(text) for name, text in report.versions.items()},
        "weights_sha256": result.run.weights_sha256,
        "images_sha256": report.images_sha256,
    }
    if ledger is not None:
        with ledger.open("rb") as file:
            made["ledger_sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    return MeasuredRow(
        dataset=_data_set(report.images),
        images=counts.images,
        of=len(report.images),
        correct={
            ACCURACIES[metric][0]: counts.correct(metric)
            for metric in Metric
            if metric in result.told or metric is Metric.TOP1_ERROR
        },
        protocol=_protocol(result.run),
        verdicts=[f"{claim_text(judged.claim)}: {judged.verdict}" for judged in result.judgements],
        made=made,
    )


def _checkpoint(folder: Path) -> Checkpoint:
    """Return the checkpoint that a folder is of.

    Raises:
        CardError: it holds none, or several.
        CheckpointError: it is not ours.
    """
    found: Sequence[Path] = [folder / WEIGHTS]
    if not found[0].exists():
        found = sorted(folder.glob(f"*{SUFFIX}"))
    if len(found) != 1:
        raise CardError(
            f"--card {folder}: {WEIGHTS} beside its {README} expected, found "
            f"{number(len(found), f'file of the kind *{SUFFIX}')}"
        )
    return Checkpoint.load(found[0])


def _protocol(run: MeasuredRun) -> dict[str, object]:
    plain = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(run.preprocessing).items()
    }
    plain |= {"pipeline": str(run.pipeline), "interpolation": str(plain["interpolation"])}
    compiled = {"compiled": True} if run.compiled else {}
    return {**plain, "crops": run.crops, "precision": run.precision, **compiled}


def _data_set(images: ImageSet) -> dict[str, str]:
    """Return what the Hub calls a set of images; one of no name is called by its folder."""
    root = images.root
    if root.startswith(HUB):
        owner, _, rest = root.removeprefix(HUB).partition("/")
        name, _, revision = rest.partition("/")[0].partition("@")
        told = {"revision": printable(revision)} if revision else {}
        return {"type": printable(f"{owner}/{name}"), "name": printable(name), **told}
    if all(VALIDATION_FILE.fullmatch(PurePosixPath(each).name) for each in images.ids):
        return dict(IMAGENET_1K)
    path = urlsplit(root).path if "://" in root else root
    name = PurePosixPath(path).name or Path(path).resolve().name
    return {"type": FOLDER, "name": printable(name) or "images"}

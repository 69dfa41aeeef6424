"""The folder of a run: what its files are called, and when they may be replaced."""

import errno
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open

from resnext.checkpoint import Checkpoint
from resnext.distributed.job import Job
from resnext.errors import ResnextError
from resnext.files import lock_file
from resnext.header import TRAINING_STATE_FILE, is_training_state
from resnext.images.split_file import SPLIT_FILE
from train.input.command_line import CommandLine
from train.input.options import TrainingConfig
from train.input.split import Images

BEST: Final = "best.safetensors"
LAST: Final = "last.safetensors"
LAST_AVERAGE: Final = "last_average.safetensors"
METRICS: Final = "metrics.jsonl"
REPORT: Final = "training.html"
SPLIT: Final = SPLIT_FILE
UNREADABLE: Final = "unreadable.jsonl"
BOARD: Final = "tensorboard"
# Stays in the folder when the run has ended.
LOCK: Final = ".lock"
# Checkpoints, each of which is a result by itself.
CHECKPOINTS: Final = (BEST, LAST, LAST_AVERAGE)
DOCUMENTS: Final = (METRICS, REPORT, SPLIT, UNREADABLE)
# All files that are written whole or not at all.
WHOLE: Final = (TRAINING_STATE_FILE, *CHECKPOINTS, *DOCUMENTS)
# The entry of a state's header. The first versions did not write it.
COMMAND_LINE: Final = "command_line"
# Raised by a file that is cut short, or whose JSON is not that of a state.
DAMAGE: Final = (
    SafetensorError,
    TypeError,
    KeyError,
    ValueError,
    AttributeError,
    RecursionError,
    OverflowError,
)


class StateError(ResnextError):
    """A state that cannot be read or resumed, or results that a run would overwrite."""


def check_output(config: TrainingConfig) -> None:
    """Check that a run overwrites no results of another.

    Raises:
        StateError: it would.
        CheckpointError: a file is named like a checkpoint of a run, and cannot be read as one.
    """
    state = config.output / TRAINING_STATE_FILE
    if state.exists() and config.resume:
        return
    if state.exists() and not config.force:
        raise StateError(
            f"{state}: there is a run already; --resume goes on with it, --force starts anew, "
            "another --output keeps it"
        )
    found = [path for path in (config.output / name for name in CHECKPOINTS) if path.exists()]
    if config.init and Path(config.init).resolve() in [path.resolve() for path in found]:
        raise StateError(
            f"{config.init}: a checkpoint that this run does not replace expected; another "
            "--output keeps it"
        )
    # Without a lock or a state, no run has been in this folder, and such files are the user's own.
    foreign = [path for path in (config.output / name for name in DOCUMENTS) if path.exists()]
    ours = any((config.output / name).exists() for name in (LOCK, TRAINING_STATE_FILE))
    if foreign and not (config.force or ours):
        raise StateError(
            f"{foreign[0]}: a run writes a file of this name, and this one is of none; --force "
            "replaces it, another --output keeps it"
        )
    # A run that was killed at the end of its first epoch has checkpoints, and no state yet.
    begun = config.resume and all(map(_is_of_first_epoch, found))
    if found and not (begun or config.force):
        raise StateError(
            f"{found[0]}: the result of a run whose {TRAINING_STATE_FILE} is gone; --force starts "
            "anew over it, another --output keeps it"
        )


def is_resumed(config: TrainingConfig, job: Job) -> bool:
    """Return, on every rank, whether the run goes on from a state in its folder."""
    return job.tell(config.resume and (config.output / TRAINING_STATE_FILE).exists())


def saved_command_line(folder: Path) -> CommandLine | None:
    """Return the options of the run in a folder, without words where its state has none.

    Returns:
        None if there is no state.

    Raises:
        StateError: it is damaged, or another file.
        OSError: it cannot be opened.
    """
    path = folder / TRAINING_STATE_FILE
    if not path.exists():
        return None
    path.open("rb").close()  # an OSError that names the file
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
        if not is_training_state(path.name, metadata):
            raise StateError(f"{path}: a state of resnext-train expected, found another file")
        return command_line_in(metadata)
    except DAMAGE as error:
        raise StateError(
            f"{path}: a whole state expected, found a damaged one ({error}); start anew with "
            "--force"
        ) from error


def command_line_in(metadata: Mapping[str, str]) -> CommandLine:
    """Return the options in the header of a state.

    Raises:
        TypeError, KeyError, ValueError, RecursionError: the entry is damaged.
    """
    if COMMAND_LINE not in metadata:
        return CommandLine()
    return CommandLine.from_fields(json.loads(metadata[COMMAND_LINE]))


def check_outside_of_images(output: Path, images: Images) -> None:
    """Check that the folder of a run would not be listed as images.

    Raises:
        StateError: it lies in a folder of images, and is not hidden.
    """
    place = output.resolve()
    for root in (Path(images.train.root).resolve(), Path(images.val.root).resolve()):
        inner = place.relative_to(root).parts if place.is_relative_to(root) else (".",)
        if not inner or not inner[0].startswith("."):
            raise StateError(
                f"--output {output}: a folder outside of the images expected, found one in {root}, "
                "where it would be taken for images"
            )


def clear(folder: Path, *, everything: bool) -> None:
    """Remove the incomplete files that a killed run has left, and its list of unreadable images.

    Args:
        folder: of the run.
        everything: remove all results of an earlier run too.
    """
    # As `whole_file` names them; other hidden files are not the run's.
    patterns = [UNREADABLE, *(f".{name}.????????.part" for name in WHOLE)]
    if everything:
        patterns += [*WHOLE, f"{BOARD}/events.*"]
    for pattern in patterns:
        for path in folder.glob(pattern):
            if not path.is_dir():
                path.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder until the block, or this process, ends.

    Args:
        folder: of the run; made if it is not there.

    Raises:
        StateError: another run is at work there.
        OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as file:
        try:
            lock_file(file.fileno(), by_process=True)
        except BlockingIOError as error:
            raise StateError(
                f"{folder}: another run is at work there; wait for it, or give another --output"
            ) from error
        yield


@contextmanager
def full_disk_explained(path: Path) -> Iterator[None]:
    """Turn the error of a full disk into one that says how to go on; others pass.

    Raises:
        StateError: the disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        kept = f"; the {path.name} of before is kept" if path.exists() else ""
        saved = path.with_name(TRAINING_STATE_FILE).exists()
        way = "go on with --resume" if saved else "begin anew with --force: no state is saved yet"
        raise StateError(f"{path}: {error.strerror}{kept}; make room, then {way}") from error


def _is_of_first_epoch(path: Path) -> bool:
    training = Checkpoint.load(path).training
    return training is not None and training.get("epoch") == 1

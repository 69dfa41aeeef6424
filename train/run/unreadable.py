"""Images of a training that cannot be read: all in a file of the run, the first in the message."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from resnext.distributed.job import Job
from resnext.errors import DataError
from resnext.files import whole_file
from resnext.images.image_set import ImageSet
from resnext.loader.batch import Failure, UnreadableError, unreadable
from train.run.folder import LAST, UNREADABLE, full_disk_explained

TRAINING: Final = "training"
VALIDATION: Final = "validation"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableImage:
    """An image that cannot be read.

    Attributes:
        split: `TRAINING` or `VALIDATION`.
        image: its name in the set.
        reason: one line that names it.
    """

    split: str
    image: str
    reason: str


def unreadable_images(
    failures: Iterable[Failure], images: ImageSet, split: str
) -> list[UnreadableImage]:
    """Return the images of a split that could not be read, by name."""
    return [
        UnreadableImage(split=split, image=images.ids[each.position], reason=each.reason)
        for each in failures
    ]


def from_all(found: Sequence[UnreadableImage], job: Job) -> list[UnreadableImage]:
    """Return, on every rank, what all ranks have found, in the order of the ranks."""
    everyone = job.gather(list(found))
    return job.tell([each for some in everyone or () for each in some])


def write_unreadable(folder: Path, found: Sequence[UnreadableImage]) -> None:
    """Write a line of JSON for each image, replacing the whole file.

    Raises:
        StateError: the disk is full.
        OSError: the file cannot be written otherwise.
    """
    path = folder / UNREADABLE
    with full_disk_explained(path), whole_file(path) as file:
        for each in found:
            file.write((json.dumps(asdict(each)) + "\n").encode())


def refused_while_reading(
    error: DataError | None, images: ImageSet, split: str, *, job: Job, folder: Path
) -> DataError | None:
    """Return, on every rank, the error over what any rank could not read, and write the list.

    Args:
        error: of this process, or None.
        images: that were read.
        split: `TRAINING` or `VALIDATION`.
        job: the processes, all of which call this.
        folder: of the run, whose state is saved.

    Raises:
        StateError, OSError: see `write_unreadable`.
    """
    failures = error.failures if isinstance(error, UnreadableError) else ()
    if found := from_all(unreadable_images(failures, images, split), job):
        if job.leads:
            write_unreadable(folder, found)
        return refused_midway(found, folder)
    texts = job.tell(job.gather("" if error is None else str(error)) or [])
    return next((_interrupted(text, folder) for text in texts if text), None)


def refused_at_first(found: Sequence[UnreadableImage], folder: Path) -> DataError:
    """Return the error over images that were found before the first step."""
    return DataError(f"{_named(found, folder)}; repair or remove them")


def refused_midway(found: Sequence[UnreadableImage], folder: Path) -> DataError:
    """Return the error over images that were met in a run, which is saved up to there.

    Without them the set of images is another one, which a saved run refuses. So the advice of
    `refused_at_first` would lead nowhere.
    """
    last = folder / LAST
    anew = f"--init {last} and another --output" if last.exists() else "begin anew with --force"
    return DataError(
        f"{_named(found, folder)}; {folder} has the run up to here: put a readable picture of the "
        "same name in the place of each, then --resume goes on (with --check it looks at every "
        f"image first); to go on without them, {anew}"
    )


def _interrupted(text: str, folder: Path) -> DataError:
    return DataError(
        f"{text}; {folder} has the run up to here, and --resume goes on, with fewer --workers too; "
        "with another --batch-size it would be another run"
    )


def _named(found: Sequence[UnreadableImage], folder: Path) -> str:
    named = unreadable([each.reason for each in found])
    return f"{named}; {folder / UNREADABLE} lists them all"

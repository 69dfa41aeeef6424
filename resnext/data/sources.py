"""The one door to labelled images, in whatever form people have them."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

from resnext.data.archives import archive_images
from resnext.data.folders import class_folders, flat_folder
from resnext.data.image_set import ImageSet
from resnext.data.labels import read_labels
from resnext.data.listing import SPLITS, reading
from resnext.data.tar import is_tar, scan
from resnext.download import Progress
from resnext.errors import DataError

# Takes the name of a file that is downloaded while its block runs.
Bar = Callable[[str], AbstractContextManager[Progress]]

FORMS: Final = (
    "class folders, a flat folder of images with --labels, a tar of either, WebDataset shards, "
    "Hugging Face parquet files, cifar10 or cifar100"
)


def quiet(_name: str) -> AbstractContextManager[Progress]:
    """Show nothing of a download."""
    return nullcontext(lambda _done, _total: None)


def open_images(
    data: str,
    *,
    labels: Path | None = None,
    split: str = "val",
    cache: Path | None = None,
    progress: Bar = quiet,
) -> ImageSet:
    """Find labelled images.

    What is there decides how it is read, never a guess; nothing in it is executed or unpickled.

    Args:
        data: a path, a pattern of paths or addresses, or the name of a known set.
        labels: for images without folders for their classes; see `read_labels`.
        split: "val" or "train", where there are both.
        cache: folder of downloads; None is the user's own.
        progress: shows a download.

    Raises:
        DataError: nothing there, or nothing that is understood, or a contradiction in it.
        DownloadError: a file of the network cannot be had.
    """
    assert split in SPLITS
    path = Path(data)
    with reading():
        if not path.exists():
            raise DataError(f"{data}: {FORMS} expected, found nothing there")
        table = read_labels(labels) if labels is not None else None
        if path.is_dir():
            if table is not None:
                return flat_folder(path, table, split=split)
            return class_folders(path, split=split)
    if is_tar(path):
        return archive_images(path, scan(path), table, split=split)
    raise DataError(f"{data}: {FORMS} expected, found a file of another form")

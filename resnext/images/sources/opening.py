"""Open labelled images in any of the supported forms; all commands do it here."""

import glob
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Final

from resnext.download import Bar, cache_folder, download_all, no_bar, without_password
from resnext.errors import DataError, UnlabelledError
from resnext.files import open_plain
from resnext.images import imagenet
from resnext.images.file_set import FileSet, LocalFiles, come
from resnext.images.image_set import ImageSet
from resnext.images.labels import Labels, read_labels
from resnext.images.listing import is_image, reading
from resnext.images.names import few
from resnext.images.packing import is_tar, packing
from resnext.images.patterns import expand, matching_files, names_shard
from resnext.images.sources.archives import archive_images
from resnext.images.sources.cifar import CIFARS, cifar_images, downloaded, found_in, unpacked
from resnext.images.sources.folders import folder_images
from resnext.images.sources.late_shards import LateShards
from resnext.images.sources.parquet import parquet_images
from resnext.images.sources.shards import is_sharded, shard_images
from resnext.images.sources.stored import StoredForm, choose, stored_files, waiting_note
from resnext.images.sources.tar import removed_if_damaged, scan
from resnext.images.sources.walk import is_folder
from resnext.images.splits import SPLITS, of_split
from resnext.stores.arrivals import Arrivals
from resnext.stores.hub_address import HubAddress, is_hub_address
from resnext.stores.opening import find_stored, is_address, local_path
from resnext.stores.store import StoredFile

FORMS: Final = (
    "class folders, a flat folder of images with --labels, a tar of either, WebDataset shards, "
    "Hugging Face parquet files, cifar10 or cifar100"
)

SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)
WEB: Final = re.compile(r"https?://", re.IGNORECASE)
PARQUET: Final = b"PAR1"


def open_images(
    data: str,
    *,
    labels: Path | None = None,
    split: str = "val",
    cache: Path | None = None,
    progress: Bar = no_bar,
    stream: bool = False,
    late: bool = False,
    note: Callable[[str], None] | None = None,
) -> ImageSet:
    """Return the labelled images that --data and --labels name.

    The form is detected by the content of files and folders. Nothing in them is executed or
    unpickled.

    Args:
        data: a path, a pattern of paths or addresses, or the name of a known set. Of a store, the
            Hugging Face Hub say, the files are listed, and fetched by threads while they are used.
        labels: file of labels for images without class folders; see `read_labels`.
        split: "val" or "train", used if the data has both.
        cache: folder of downloads; None for the user's own.
        progress: shows the progress of a download.
        stream: whether files of a store are read once, and not kept in the cache.
        late: whether a `LateImageSet` may be returned, of which names and labels come later.
        note: takes a sentence about a long wait before it begins; None leaves it to the notes of
            the set.

    Raises:
        DataError: the data does not exist, has no supported form, or is inconsistent.
        DownloadError: a file cannot be downloaded, or a store not be listed.
    """
    assert split in SPLITS
    wanted = _Wanted(
        data=data,
        labels=labels,
        split=split,
        cache=cache,
        progress=progress,
        stream=stream,
        late=late,
        note=note,
    )
    images = _find(wanted)
    return images if labels is not None else imagenet.check_class_folders(images)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """The arguments of `open_images`."""

    data: str
    labels: Path | None
    split: str
    cache: Path | None
    progress: Bar
    stream: bool
    late: bool
    note: Callable[[str], None] | None

    def take_no_labels(self) -> None:
        """Refuse --labels for a form that brings its own labels."""
        if self.labels is not None:
            raise DataError(
                f"{self.data}: these images bring labels, so {self.labels} cannot apply; leave out "
                "--labels"
            )


def _find(wanted: _Wanted) -> ImageSet:
    data = wanted.data
    if not data.strip():
        raise DataError(
            f"the name of the images is empty; {FORMS} expected (is a variable of the shell not "
            "set?)"
        )
    path = Path(data)
    with reading():
        leads_to_folder, is_there = path.is_dir(), path.exists()
    if is_there:
        return _folder(wanted, path) if leads_to_folder else _file(wanted, path)
    if (local := local_path(data)) is not None:
        return _find(replace(wanted, data=local))
    if is_address(data) and not WEB.match(data):
        return _stored(wanted)
    if SCHEME.match(data):
        return _remote(wanted)
    if cifar := next((cifar for cifar in CIFARS if cifar.name == data), None):
        wanted.take_no_labels()
        folder = downloaded(cifar, wanted.cache, wanted.progress)
        return cifar_images(cifar, folder, split=wanted.split)
    if glob.has_magic(data) or "{" in data:
        return _several(wanted, matching_files(data))
    raise DataError(f"{data}: no such file or folder; {FORMS} expected")


def _folder(wanted: _Wanted, path: Path) -> ImageSet:
    with reading():
        with os.scandir(path) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
        folders = {entry.name for entry in visible if is_folder(entry)}
        files = [entry.name for entry in visible if entry.name not in folders]
        cifar = found_in(path)
        # In repositories of Hugging Face they lie in the folder "data".
        tables = sorted([*path.glob("*.parquet"), *path.glob("data/*.parquet")])
    if cifar:
        wanted.take_no_labels()
        return cifar_images(*cifar, split=wanted.split)
    if tables and folders <= {"data"}:
        wanted.take_no_labels()
        tables = of_split(tables, wanted.split, wanted.data)
        return parquet_images(LocalFiles.of(tables), wanted.data)
    tars = sorted(path / name for name in files if name.endswith(".tar"))
    if tars and not folders and not any(map(is_image, files)):
        return _tars(wanted, LocalFiles.of(of_split(tars, wanted.split, wanted.data)))
    return _labelled(wanted, lambda labels: folder_images(path, labels, split=wanted.split))


def _file(wanted: _Wanted, path: Path) -> ImageSet:
    with reading(), open_plain(path, DataError) as file:
        start = file.read(len(PARQUET))
    if start == PARQUET:
        return _several(wanted, [path])
    if is_tar(path):
        return _tars(wanted, LocalFiles.of([path]))
    kind = packing(path)
    if kind is None:
        raise DataError(f"{path}: {FORMS} expected, found a file of another form")
    if kind == "gzip" and (found := unpacked(path, wanted.cache)):
        wanted.take_no_labels()
        return cifar_images(*found, split=wanted.split)
    raise DataError(
        f"{path}: {FORMS} expected, found a file packed with {kind}, whose images cannot be read "
        "one by one; unpack it"
    )


def _several(wanted: _Wanted, paths: Sequence[Path]) -> ImageSet:
    suffixes = {path.suffix for path in paths}
    if suffixes == {".tar"}:
        return _tars(wanted, LocalFiles.of(paths))
    if suffixes == {".parquet"} or len(paths) == 1:
        wanted.take_no_labels()
        return parquet_images(LocalFiles.of(paths), wanted.data)
    raise DataError(
        f"{wanted.data}: tars of shards or Parquet files, not both, expected, found "
        f"{few([str(path) for path in paths])}"
    )


def _tars(
    wanted: _Wanted, files: FileSet, *, came: Callable[[int], None] = lambda _number: None
) -> ImageSet:
    if len(files.paths) > 1:
        wanted.take_no_labels()
        indexes = ((path, scan(come(files, n, came=came))) for n, path in enumerate(files.paths))
        return shard_images(indexes, wanted.data)
    (path,) = files.paths
    index = scan(come(files, 0))
    if is_sharded(index):
        wanted.take_no_labels()
        return shard_images([(path, index)], wanted.data)
    return _labelled(wanted, lambda labels: archive_images(path, index, labels, split=wanted.split))


def _labelled(wanted: _Wanted, build: Callable[[Labels | None], ImageSet]) -> ImageSet:
    """Return images labelled by --labels, by their class folders, or by the built-in labels.

    Args:
        wanted: the arguments.
        build: returns the images with the labels that it is given, or those of class folders if it
            is given None.

    Raises:
        UnlabelledError: there are neither --labels nor class folders, and not all files are named
            like the validation images of ILSVRC2012.
    """
    if wanted.labels is not None:
        return build(read_labels(wanted.labels))
    try:
        return build(None)
    except UnlabelledError as error:
        built_in = imagenet.validation_labels()
        try:
            images = build(built_in)
        except DataError:
            raise error from None
    note = (
        f"{images.root}: files called {imagenet.PREFIX}* are labelled by their names, with "
        f"{built_in.source}"
    )
    return replace(images, notes=(*images.notes, note))


def _remote(wanted: _Wanted) -> ImageSet:
    urls = expand(wanted.data) if "{" in wanted.data else [wanted.data]
    for url in urls:
        if not names_shard(url):
            raise DataError(
                f"{without_password(url)}: shards at http or https, whose names end in .tar, "
                "expected; bring anything else to this machine first"
            )
    paths = download_all(urls, wanted.cache, wanted.progress)
    with removed_if_damaged():
        return _tars(replace(wanted, data=without_password(wanted.data)), LocalFiles.of(paths))


def _stored(wanted: _Wanted) -> ImageSet:
    """Return the images at an address of a store; those in Parquet files while these come."""
    if is_hub_address(wanted.data) and HubAddress.parse(wanted.data).kind != "dataset":
        raise DataError(
            f"{wanted.data}: images of a data set expected, found the address of a model; "
            f"hf://datasets/{wanted.data.removeprefix('hf:').lstrip('/')} is one of a data set"
        )
    cache = cache_folder(wanted.cache)
    found = find_stored(wanted.data, cache, expand=expand)
    wanted = replace(wanted, data=found.address)
    chosen = choose(found, wanted.split)
    if chosen.form is StoredForm.FILES:

        def arrive(files: Sequence[StoredFile]) -> Arrivals:
            return Arrivals(found.store, files, cache, keeps=not wanted.stream)

        return _labelled(
            wanted,
            lambda labels: stored_files(
                found, chosen.files, labels, split=wanted.split, arrive=arrive
            ),
        )
    if chosen.form is StoredForm.PARQUET or chosen.lengths is not None:
        wanted.take_no_labels()
    arrivals = Arrivals(found.store, chosen.files, cache, keeps=not wanted.stream)
    if chosen.form is StoredForm.TAR and not (wanted.late and chosen.lengths):
        note = waiting_note(arrivals, found.address, is_listed=chosen.lengths is not None)
        if note and wanted.note is not None:
            wanted.note(note[0])
            note = ()
    else:
        note = arrivals.note(found.address)
    arrivals.start()
    if chosen.form is StoredForm.PARQUET:
        images = parquet_images(arrivals, wanted.data)
    elif chosen.lengths is not None:
        shards = LateShards(arrivals, chosen.lengths, wanted.data)
        images = shards.images(()) if wanted.late else shards.listed()
    else:
        ends = [*accumulate(file.size for file in arrivals.files)]
        bar = wanted.progress if arrivals.missing > 1 else no_bar
        with bar(f"{len(arrivals)} shards") as advance:
            advance(0, ends[-1])
            images = _tars(wanted, arrivals, came=lambda number: advance(ends[number], ends[-1]))
    return replace(images, notes=(*images.notes, *note))

"""Images in a store: which of its files hold those of a split, and in which form."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import PurePosixPath

import numpy as np

from resnext.errors import DataError
from resnext.fields import COUNT_LIMIT, is_whole
from resnext.images.byte_ranges import ByteRanges
from resnext.images.file_set import FileSet
from resnext.images.image_set import ImageSet
from resnext.images.labels import Labels
from resnext.images.listing import is_image
from resnext.images.names import few
from resnext.images.shard_lengths import INFO, MOST, SIZES, stated_lengths, states_lengths
from resnext.images.sources.archives import archive_images
from resnext.images.sources.tar import Index
from resnext.images.splits import SPLIT_WORDS, split_of
from resnext.stores.arrivals import Arrivals
from resnext.stores.opening import Found
from resnext.stores.store import StoredFile, read_range


class StoredForm(StrEnum):
    """How images are stored."""

    PARQUET = ".parquet"
    TAR = ".tar"
    FILES = "files"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The files of a store that hold the images that are meant.

    Attributes:
        form: how they hold them.
        files: in order.
        lengths: samples of each of the shards, where the store says it.
    """

    form: StoredForm
    files: tuple[StoredFile, ...]
    lengths: tuple[int, ...] | None = None


def choose(found: Found, split: str) -> Chosen:
    """Return the files that hold the images of a split.

    A pattern or the name of a file says it. Of a folder or a repository these are the Parquet files
    or tars whose names, or folders, have the split's name in them, or all where none has one.

    Raises:
        DataError: none, or files of several sets.
    """
    forms = dict(by_form(found.files))
    packed = [form for form in (StoredForm.PARQUET, StoredForm.TAR) if form in forms]
    if len(packed) > 1:
        raise DataError(
            f"{found.address}: Parquet files or tars, not both, expected, found "
            f"{few([forms[form][0].name for form in packed])}; a pattern names those that are "
            f"meant: {_example(found, forms[StoredForm.PARQUET])}"
        )
    if not packed:
        shown = tuple(each for each in found.files if not _is_hidden(each.name))
        return Chosen(StoredForm.FILES, shown)
    (form,) = packed
    files = forms[form]
    if found.is_exact:
        return _with_lengths(found, form, files)
    if form is StoredForm.TAR:
        if listed := _listed(found, files, split):
            return listed if listed.lengths else _with_lengths(found, form, listed.files)
        if StoredForm.FILES in forms and not _holds(found, files, split):  # a tar of another split
            return Chosen(StoredForm.FILES, forms[StoredForm.FILES])
    return _with_lengths(found, form, _of_split(found, files, split))


def _with_lengths(found: Found, form: StoredForm, files: tuple[StoredFile, ...]) -> Chosen:
    """Return files with the number of samples of each shard, where files beside them state it."""
    folders = {PurePosixPath(each.name).parent for each in files}
    known: dict[tuple[PurePosixPath, str], int | None] = {}
    for each in found.listed if form is StoredForm.TAR else ():
        folder = PurePosixPath(each.name).parent
        if folder in folders and states_lengths(each.name) and each.size <= MOST:
            data = read_range(found.store, each, 0, each.size)
            for name, length in stated_lengths(each.name, data).items():
                agrees = known.setdefault((folder, name), length) == length
                known[folder, name] = length if agrees else None
    places = ((PurePosixPath(each.name).parent, PurePosixPath(each.name).name) for each in files)
    lengths = [known.get(place) for place in places]
    stated = tuple(each for each in lengths if each is not None)
    return Chosen(form, files, stated if len(stated) == len(files) else None)


def _holds(found: Found, files: Sequence[StoredFile], split: str) -> bool:
    """Tell whether some files may be of a split: one says it, or none says anything."""
    held = {_split_in(_below(found, each)) for each in files}
    return split in held or held == {None}


def by_form(files: Sequence[StoredFile]) -> Iterator[tuple[StoredForm, tuple[StoredFile, ...]]]:
    """Yield the files that hold images, in groups of one form; others are left out."""
    shown = [each for each in files if not _is_hidden(each.name)]
    for form in StoredForm:
        found = tuple(each for each in shown if _has_form(PurePosixPath(each.name).name, form))
        if found:
            yield form, found


def _has_form(name: str, form: StoredForm) -> bool:
    return is_image(name) if form is StoredForm.FILES else name.lower().endswith(form)


def waiting_note(arrivals: Arrivals, address: str, *, is_listed: bool) -> tuple[str, ...]:
    """Return what has to come before the first image of some shards is read, and what would help.

    Args:
        arrivals: the shards.
        address: of their folder.
        is_listed: it is known how many samples each has.
    """
    said = arrivals.note(address, all_first=True)
    if is_listed or arrivals.missing < 2:
        return said
    why = "nothing beside them says how many samples each has"
    return (f"{said[0]}: {why}; a {SIZES} would let a measurement begin with the first",)


def whole_files(arrivals: Arrivals) -> ByteRanges:
    """Return a reader of images each of which is a whole file of a store."""
    return _whole([str(path) for path in arrivals.paths], arrivals.files, arrivals)


def stored_files(
    found: Found,
    files: Sequence[StoredFile],
    labels: Labels | None,
    *,
    split: str,
    arrive: Callable[[Sequence[StoredFile]], Arrivals],
) -> ImageSet:
    """Return images that are files of their own in a store, in class folders or with labels.

    Only those of the set are fetched, in its order, once the set is known to be one.

    Args:
        found: where they lie.
        files: all that is there.
        labels: by the names of the files; None if there are class folders.
        split: "val" or "train", used if there are folders of splits.
        arrive: returns what fetches some files.

    Raises:
        DataError: there are no images, or none as they are expected.
    """
    pictures = [each for each in files if is_image(PurePosixPath(each.name).name)]
    if not pictures:
        raise DataError(
            f"{found.address}: Parquet files, tars or images expected, found "
            f"{few([_below(found, each) for each in files] or ['nothing'])}"
        )
    names = [_below(found, each) for each in pictures]
    taken = {each.name for each in pictures}
    index = Index(
        names=names,
        byte_ranges=_whole([each.name for each in pictures], pictures, None),
        folders=[],
        ignored=[_below(found, each) for each in files if each.name not in taken],
    )
    images = archive_images(found.address, index, labels, split=split)
    reader = images.reader
    assert isinstance(reader, ByteRanges)
    chosen = [pictures[place] for place in reader.files]
    arrivals = arrive(chosen)
    note = arrivals.note(found.address)
    arrivals.start()
    return replace(images, reader=whole_files(arrivals), notes=(*images.notes, *note))


def _whole(paths: Sequence[str], files: Sequence[StoredFile], held: FileSet | None) -> ByteRanges:
    """Return a reader of images each of which is a whole file."""
    sizes = np.array([each.size for each in files], np.int64)
    return ByteRanges(
        paths=tuple(paths),
        totals=tuple(each.size for each in files),
        files=np.arange(len(files), dtype=np.int32),
        offsets=np.zeros(len(files), np.int64),
        sizes=sizes,
        held=held,
    )


def _of_split(found: Found, files: tuple[StoredFile, ...], split: str) -> tuple[StoredFile, ...]:
    """Return the files whose names, or else folders, have the word of a split in them."""
    held = {each.name: _split_in(_below(found, each)) for each in files}
    if not any(held.values()):
        return files
    chosen = tuple(each for each in files if held[each.name] == split)
    if not chosen:
        others = sorted({name or "no split" for name in held.values()})
        raise DataError(
            f"{found.address}: files of the split {split!r} expected, found those of "
            f"{few(others)}; a pattern names those that are meant: {_example(found, files)}"
        )
    kinds: dict[str, StoredFile] = {}
    for each in chosen:
        kinds.setdefault(re.sub(r"\d+", "#", _without_split(_below(found, each))), each)
    if len(kinds) > 1:
        raise DataError(
            f"{found.address}: the files of one set expected, found those of several: "
            f"{few([each.name for each in kinds.values()])}; name the folder, or a pattern: "
            f"{_example(found, chosen)}"
        )
    return chosen


def _listed(found: Found, files: Sequence[StoredFile], split: str) -> Chosen | None:
    """Return the shards that `_info.json` lists for a split; None where there is no such list."""
    infos = [each for each in found.files if PurePosixPath(each.name).name == INFO]
    if len(infos) != 1 or infos[0].size > MOST:
        return None
    try:
        splits = json.loads(read_range(found.store, infos[0], 0, infos[0].size))["splits"]
        lengths = {
            name: length
            for key, fields in splits.items()
            if SPLIT_WORDS.get(key.lower()) == split
            for name, length in zip(fields["filenames"], fields["shard_lengths"], strict=True)
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    named = {PurePosixPath(each.name).name: each for each in files}
    if not lengths:
        return None
    if missing := lengths.keys() - named.keys():
        raise DataError(
            f"{found.address}: the {len(lengths)} shards that {infos[0].name} lists for {split!r} "
            f"expected, missing {few(sorted(missing))}"
        )
    counted = [lengths[name] for name in lengths]
    if not all(is_whole(count) and 0 < int(count) < COUNT_LIMIT for count in counted):
        counted = []
    return Chosen(StoredForm.TAR, tuple(named[name] for name in lengths), tuple(counted) or None)


def _below(found: Found, file: StoredFile) -> str:
    return file.name.removeprefix(f"{found.below}/" if found.below else "")


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _split_in(name: str) -> str | None:
    """Return the split that a file's name, or the innermost of its folders, has in it."""
    parts = reversed(name.split("/"))
    return next((found for part in parts if (found := split_of(part))), None)


def _without_split(name: str) -> str:
    return "/".join(part for part in name.split("/") if part.lower() not in SPLIT_WORDS)


def _example(found: Found, files: Sequence[StoredFile]) -> str:
    """Return an address with a pattern, for a message."""
    path = PurePosixPath(files[0].name)
    pattern = re.sub(r"\d+(-of-\d+)?", "*", path.name, count=1)
    return f"{found.store.address.rstrip('/')}/{path.with_name(pattern)}"

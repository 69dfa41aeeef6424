"""ImageNet's development kit of 2012: which class each validation image is of.

Its ground truth numbers the classes in an order of its own, which only its meta.mat tells.
"""

import gzip
import tarfile
import zlib
from pathlib import Path
from typing import Final

from resnext.errors import DataError
from resnext.images import imagenet
from resnext.images.matlab import read_structs
from resnext.images.tar import is_tar, packing

META: Final = "meta.mat"
TRUTH: Final = "ILSVRC2012_validation_ground_truth.txt"
MOST: Final = 1 << 26  # bytes of a member; the kit's own are below a megabyte


def is_devkit(path: Path) -> bool:
    """Tell whether a path looks like the kit, packed or unpacked.

    Raises:
        OSError: it cannot be read.
    """
    if path.is_dir():
        return (path / "data" / META).is_file()
    return packing(path) == "gzip" or is_tar(path)


def read_devkit(path: Path) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return file -> label of the validation images, and what the labels mean.

    Raises:
        DataError: it is another archive, or a damaged one.
        OSError: it cannot be read.
    """
    meta, truth = _from_folder(path) if path.is_dir() else _from_archive(path)
    labels = _labels_of_ids(path, meta)
    lines = truth.split()
    try:
        numbers = [labels[int(line)] for line in lines]
    except (ValueError, KeyError) as error:
        raise DataError(
            f"{path}: {TRUTH}: numbers from 1 to {len(labels)} expected, found {error}; "
            "fetch it again"
        ) from error
    files = {f"ILSVRC2012_val_{place:08d}.JPEG": label for place, label in enumerate(numbers, 1)}
    return files, imagenet.WNIDS


def _labels_of_ids(path: Path, meta: bytes) -> dict[int, int]:
    """Return id of the kit -> label: the place of its wnid in the sorted thousand."""
    try:
        rows = read_structs(meta, "synsets", ("ILSVRC2012_ID", "WNID"))
    except DataError as error:
        raise DataError(f"{path}: {META}: {error}; fetch the kit again") from error
    # Behind the thousand classes stand the inner nodes of the hierarchy.
    places = {wnid: label for label, wnid in enumerate(imagenet.WNIDS)}
    labels = {int(str(number)): places[str(wnid)] for number, wnid in rows if wnid in places}
    if sorted(labels) != list(range(1, 1001)) or len(set(labels.values())) != 1000:
        raise DataError(
            f"{path}: {META}: ids 1 to 1000 of the classes of ILSVRC2012 expected, found others; "
            "give ILSVRC2012_devkit_t12.tar.gz"
        )
    return labels


def _from_folder(path: Path) -> tuple[bytes, bytes]:
    return (path / "data" / META).read_bytes(), (path / "data" / TRUTH).read_bytes()


def _from_archive(path: Path) -> tuple[bytes, bytes]:
    try:
        with tarfile.open(path) as archive:
            found = {
                Path(member.name).name: archive.extractfile(member).read()  # type: ignore[union-attr]
                for member in archive
                if Path(member.name).name in (META, TRUTH) and member.isreg() and member.size < MOST
            }
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"{path}: ILSVRC2012_devkit_t12.tar.gz expected, found a damaged archive or none "
            f"({error}); fetch it again"
        ) from error
    if set(found) != {META, TRUTH}:
        raise DataError(
            f"{path}: an archive with {META} and {TRUTH} expected, found another; give "
            "ILSVRC2012_devkit_t12.tar.gz"
        )
    return found[META], found[TRUTH]

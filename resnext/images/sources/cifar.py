"""CIFAR-10 and CIFAR-100 in their binary versions; the Python versions are pickled, and refused.

Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
"""

import gzip
import hashlib
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, cast

import numpy as np
from numpy.typing import NDArray

from resnext.download import Bar, cache_folder, download
from resnext.errors import DataError, ImageError
from resnext.files import whole_file
from resnext.images.byte_ranges import ByteRanges
from resnext.images.image_set import ImageSet
from resnext.images.listing import reading
from resnext.images.names import Names, brief, few
from resnext.images.sources.tar_headers import BROKEN, is_plain, open_tar
from resnext.pixels.decoding import Picture

SIDE: Final = 32  # pixels
PIXELS: Final = 3 * SIDE * SIDE  # bytes
PEEK: Final = 12  # members of an archive that are read to detect what it holds

LARGEST: Final = 1 << 28  # bytes of a file of the sets; the largest has 153,700,000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cifar:
    """CIFAR-10 or CIFAR-100.

    Attributes:
        name: of the set, as a value of --data.
        url, size, sha256: of its archive; size in bytes.
        folder: top folder in the archive.
        files: split -> names of the files that hold its records.
        names: name of the file with the names of the classes, one a line.
        classes: number of classes.
        label_bytes: bytes in front of the pixels of a record; the last of them is the label.
        pickled: names of files by which the Python version is recognised.
    """

    name: str
    url: str
    size: int
    sha256: str
    folder: str
    files: Mapping[str, tuple[str, ...]]
    names: str
    classes: int
    label_bytes: int
    pickled: tuple[str, ...]

    @property
    def contents(self) -> tuple[str, ...]:
        """Return the names of all files that the set consists of."""
        return (*(name for names in self.files.values() for name in names), self.names)


# The checksums are the ones that several other projects use.
CIFARS: Final = (
    Cifar(
        name="cifar10",
        url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        size=170_052_171,
        sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        folder="cifar-10-batches-bin",
        files={
            "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
            "val": ("test_batch.bin",),
        },
        names="batches.meta.txt",
        classes=10,
        label_bytes=1,
        pickled=("test_batch", "batches.meta"),
    ),
    Cifar(
        name="cifar100",
        url="https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        size=168_513_733,
        sha256="58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        folder="cifar-100-binary",
        files={"train": ("train.bin",), "val": ("test.bin",)},
        names="fine_label_names.txt",
        classes=100,
        label_bytes=2,  # the coarse label, then the fine one
        pickled=("test", "meta"),
    ),
)


def decode_record(data: bytes) -> Picture:
    """Return the picture (32, 32, 3) of a record, which stores a red, a green and a blue plane.

    Raises:
        ImageError: the data has another size.
    """
    if len(data) != PIXELS:
        raise ImageError(f"{PIXELS} bytes of pixels expected, found {len(data)}")
    planes = np.frombuffer(data, np.uint8).reshape(3, SIDE, SIDE)
    return Picture(pixels=np.ascontiguousarray(planes.transpose(1, 2, 0)), format="CIFAR")


def downloaded(cifar: Cifar, cache: Path | None, progress: Bar) -> Path:
    """Return the folder of the cache with the files of a set; download them if they are not there.

    Raises:
        DownloadError: the archive cannot be downloaded.
        OSError: the cache cannot be written.
    """
    folder = cache_folder(cache) / cifar.folder
    if not _missing(cifar, folder):
        return folder
    archive = folder.with_name(cifar.url.rpartition("/")[2])
    with progress(archive.name) as advance:
        download(cifar.url, archive, size=cifar.size, sha256=cifar.sha256, progress=advance)
    return _unpack(cifar, archive, folder)


def unpacked(archive: Path, cache: Path | None) -> tuple[Cifar, Path] | None:
    """Unpack a user's archive into the cache; return the set that it holds and the folder.

    Returns:
        None if it holds neither CIFAR-10 nor CIFAR-100.

    Raises:
        DataError: the archive is damaged, or is the one of the Python version.
        OSError: the cache cannot be written.
    """
    names: set[str] = set()
    cifar = None
    with suppress(*BROKEN), _members(archive) as members:
        for member in islice(members, PEEK):
            if member.size > LARGEST:
                break
            names.add(PurePosixPath(member.name).name)
            if cifar := _holding(names, str(archive)):
                break
    if cifar is None:
        return None
    with archive.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    return cifar, _unpack(cifar, archive, cache_folder(cache) / f"{cifar.folder}-{checksum[:16]}")


def found_in(folder: Path) -> tuple[Cifar, Path] | None:
    """Return the set that a folder holds, and the folder of its files; None if it holds neither.

    Raises:
        DataError: it holds the Python version.
        OSError: it cannot be read.
    """
    known = {name for cifar in CIFARS for name in (*cifar.contents, *cifar.pickled)}
    for place in (folder, *(folder / cifar.folder for cifar in CIFARS)):
        names = {name for name in known if (place / name).is_file()}
        if cifar := _holding(names, str(place)):
            return cifar, place
    return None


def cifar_images(cifar: Cifar, folder: Path, *, split: str) -> ImageSet:
    """Return the images of a folder of records.

    Raises:
        DataError: a file is missing or truncated, or has labels that the set does not have.
    """
    paths = [folder / name for name in cifar.files[split]]
    if missing := [path.name for path in paths if not path.is_file()]:
        raise DataError(f"{folder}: {few(cifar.files[split])} expected, missing {few(missing)}")
    with reading():
        labels = [_labels(cifar, path) for path in paths]
        classes = _names(cifar, folder / cifar.names)
    counts = [len(each) for each in labels]
    record = cifar.label_bytes + PIXELS
    starts = [np.arange(count, dtype=np.int64) * record + cifar.label_bytes for count in counts]
    return ImageSet(
        root=str(folder),
        numbered=True,
        ids=Names(
            f"{path.stem}/{number:0{len(str(count - 1))}d}"
            for path, count in zip(paths, counts, strict=True)
            for number in range(count)
        ),
        labels=np.concatenate(labels),
        classes=classes,
        reader=ByteRanges(
            paths=tuple(str(path) for path in paths),
            totals=tuple(count * record for count in counts),
            files=np.repeat(np.arange(len(paths), dtype=np.int32), counts),
            offsets=np.concatenate(starts),
            sizes=np.full(sum(counts), PIXELS, np.int64),
        ),
        decode=decode_record,
    )


def _labels(cifar: Cifar, path: Path) -> NDArray[np.int64]:
    record = cifar.label_bytes + PIXELS
    size = path.stat().st_size
    if size == 0 or size % record:
        raise DataError(f"{path}: records of {record} bytes expected, found {size} bytes in all")
    records = np.memmap(path, np.uint8, mode="r").reshape(-1, record)
    labels: NDArray[np.int64] = records[:, cifar.label_bytes - 1].astype(np.int64)
    if (highest := labels.max()) >= cifar.classes:
        raise DataError(
            f"{path}: labels below {cifar.classes} expected, found {highest} in record "
            f"{labels.argmax()}; the file is another or damaged"
        )
    return labels


def _names(cifar: Cifar, path: Path) -> tuple[str, ...] | None:
    if not path.is_file():
        return None
    names = tuple(path.read_text("utf-8", "replace").split())
    if len(names) != cifar.classes:
        raise DataError(f"{path}: {cifar.classes} names expected, found {len(names)}")
    return names


def _holding(names: set[str], where: str) -> Cifar | None:
    for cifar in CIFARS:
        if not names.isdisjoint(cifar.contents):
            return cifar
        if names.issuperset(cifar.pickled):
            raise DataError(
                f"{where}: the binary version of {cifar.name} expected, found the Python version, "
                f"which is pickled and could run anything; get {cifar.url}"
            )
    return None


def _missing(cifar: Cifar, folder: Path) -> list[str]:
    return [name for name in cifar.contents if not (folder / name).is_file()]


@contextmanager
def _members(archive: Path) -> Iterator[tarfile.TarFile]:
    with gzip.open(archive) as file, open_tar(cast("BinaryIO", file)) as members:
        yield members


def _unpack(cifar: Cifar, archive: Path, folder: Path) -> Path:
    """Write the files of an archive into a folder, each completely or not at all."""
    if not _missing(cifar, folder):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _members(archive) as members:
            for member in members:
                name = PurePosixPath(member.name).name
                if member.size > LARGEST:
                    raise DataError(
                        f"{archive}: files of at most {LARGEST} bytes expected, found "
                        f"{member.size} in {brief(member.name)}"
                    )
                if name in cifar.contents and is_plain(member):
                    source = members.extractfile(member)
                    assert source is not None
                    with whole_file(folder / name) as target:
                        shutil.copyfileobj(source, target)
    except BROKEN as error:
        raise DataError(
            f"{archive}: a whole archive expected, found a damaged one ({brief(str(error))}); "
            "fetch it again"
        ) from error
    if missing := _missing(cifar, folder):
        raise DataError(f"{archive}: {few(cifar.contents)} expected, missing {few(missing)}")
    return folder

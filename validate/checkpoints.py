"""The checkpoint files that a command line names."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open

import convert
from resnext.checkpoint import SUFFIX
from resnext.errors import CheckpointError
from resnext.header import is_training_state

# Of the originals: Torch7's, MXNet's and Caffe's.
ORIGINAL_SUFFIXES: Final = (".t7", ".params", ".caffemodel")
# Of PyTorch's files that are taken from a folder without being named.
PYTORCH_SUFFIXES: Final = (".pth", ".pt")
# Suffixes of image files: the shell puts them among the checkpoints if --data is not quoted.
OF_IMAGES: Final = (".tar", ".parquet")


def find(names: Sequence[str]) -> tuple[str, ...]:
    """Return the checkpoint files and published names, each once, in the order given.

    Args:
        names: files, published names, and folders of which all checkpoints are meant. An original
            that lies beside its own conversion is left out there, and the state of a training.

    Raises:
        CheckpointError: a folder holds no checkpoint, or a conversion of another original than
            lies beside it, or a file holds images.
        OSError: a folder cannot be read.
    """
    for name in names:
        if name.lower().endswith(OF_IMAGES) and not Path(name).is_dir():
            raise CheckpointError(
                f"{name}: a checkpoint expected, found a file of images; if it comes from the "
                "pattern of --data, put that in quotes"
            )
    found = [path for name in names for path in (_inside(name) if Path(name).is_dir() else [name])]
    by_place: dict[Path, str] = {}
    for path in found:  # a link keeps its own name, by which it is judged
        by_place.setdefault(Path(path).absolute(), path)
    return tuple(by_place.values())


def _inside(folder: str) -> list[str]:
    if (Path(folder) / "config.json").is_file():  # of the Hugging Face hub: one network
        return [str(convert.find(folder).path)]
    files = [path for path in Path(folder).iterdir() if not path.name.startswith(".")]
    converted = {path.stem: path for path in files if path.suffix == SUFFIX}
    headers = {stem: _header(path) for stem, path in converted.items()}
    originals = [path for path in files if path.suffix in ORIGINAL_SUFFIXES]
    found = [
        path for stem, path in converted.items() if not is_training_state(path.name, headers[stem])
    ]
    found += [
        path
        for path in originals
        if path.stem not in converted
        or not _is_conversion(converted[path.stem], headers[path.stem], path)
    ]
    # One beside a converted checkpoint of its stem is what that was made from, or exported to.
    stems = {*converted, *(path.stem for path in originals)}
    found += [path for path in files if path.suffix in PYTORCH_SUFFIXES and path.stem not in stems]
    if not found:
        raise CheckpointError(
            f"{folder}: no {SUFFIX} or .t7 file in this folder, nor a .params or .caffemodel; "
            "name the checkpoints to validate, or their folder"
        )
    return [str(Path(folder) / path.name) for path in sorted(found)]


def _header(path: Path) -> Mapping[str, str]:
    """Return a file's header; an empty one if it cannot be read, which loading will report."""
    try:
        with safe_open(path, framework="np") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError):
        return {}


def _is_conversion(converted: Path, header: Mapping[str, str], original: Path) -> bool:
    """Tell whether a file is the conversion of an original of its stem.

    A trained network is not one, although its header names the file that the training began with.

    Raises:
        CheckpointError: it was converted from another file of that name.
    """
    if not header or "training" in header:
        return False
    if header.get("source_bytes") == str(original.stat().st_size):
        with original.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == header.get("source_sha256"):
                return True
    raise CheckpointError(
        f"{converted}: converted from {original.name} expected, found that it was made from "
        "another; convert it again, or name the one to validate"
    )

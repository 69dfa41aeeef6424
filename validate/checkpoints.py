"""The checkpoint files that a command line names."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open

from resnext.checkpoint import SUFFIX, Checkpoint
from resnext.errors import CheckpointError

ORIGINAL_SUFFIX: Final = ".t7"
# The file in the folder of a training that it goes on from, and what its header begins with.
STATE: Final = ("state.safetensors", "resnext-train state ")
# Files of images, which stand among the checkpoints where the shell has expanded a pattern.
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
    files = [path for path in Path(folder).iterdir() if not path.name.startswith(".")]
    converted = {path.stem for path in files if path.suffix == SUFFIX and not _is_state(path)}
    originals = {path.stem for path in files if path.suffix == ORIGINAL_SUFFIX}
    for stem in sorted(converted & originals):
        _check_conversion(Path(folder, stem + SUFFIX), Path(folder, stem + ORIGINAL_SUFFIX))
    names = [f"{stem}{SUFFIX}" for stem in converted]
    names += [f"{stem}{ORIGINAL_SUFFIX}" for stem in originals - converted]
    if not names:
        raise CheckpointError(
            f"{folder}: no {SUFFIX} or {ORIGINAL_SUFFIX} file in this folder; "
            "name the checkpoints to validate, or their folder"
        )
    return [str(Path(folder) / name) for name in sorted(names)]


def _is_state(path: Path) -> bool:
    name, form = STATE
    if path.name != name:
        return False
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError):
        return False  # which is said once it is loaded
    return str(metadata.get("form", "")).startswith(form)


def _check_conversion(converted: Path, original: Path) -> None:
    """Refuse a conversion beside an original that it was not made from.

    The original is only read where it is newer than the conversion: that takes a second.
    """
    source = Checkpoint.load(converted).provenance
    there, made = original.stat(), converted.stat()
    if there.st_size == source.source_bytes:
        if there.st_mtime_ns <= made.st_mtime_ns:
            return
        with original.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == source.source_sha256:
                return
    raise CheckpointError(
        f"{converted}: converted from {original.name} expected, found that it was made from "
        "another; convert it again, or name the one to validate"
    )

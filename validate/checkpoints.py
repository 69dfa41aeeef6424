"""The checkpoint files that a command line names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from resnext.checkpoint import SUFFIX
from resnext.errors import CheckpointError

ORIGINAL_SUFFIX: Final = ".t7"
# Files of images, which stand among the checkpoints where the shell has expanded a pattern.
OF_IMAGES: Final = (".tar", ".parquet")


def find(names: Sequence[str]) -> tuple[str, ...]:
    """Return the checkpoint files and published names, each once, in the order given.

    Args:
        names: files, published names, and folders of which all checkpoints are meant. An original
            that lies beside its own conversion is left out there.

    Raises:
        CheckpointError: a folder holds no checkpoint, or a file holds images.
        OSError: a folder cannot be read.
    """
    for name in names:
        if name.lower().endswith(OF_IMAGES) and not Path(name).is_dir():
            raise CheckpointError(
                f"{name}: a checkpoint expected, found a file of images; if it comes from the "
                "pattern of --data, put that in quotes"
            )
    found = [path for name in names for path in (_inside(name) if Path(name).is_dir() else [name])]
    return tuple(dict.fromkeys(found))


def _inside(folder: str) -> list[str]:
    files = [path for path in Path(folder).iterdir() if not path.name.startswith(".")]
    converted = {path.stem for path in files if path.suffix == SUFFIX}
    originals = {path.stem for path in files if path.suffix == ORIGINAL_SUFFIX} - converted
    names = [f"{stem}{SUFFIX}" for stem in converted]
    names += [f"{stem}{ORIGINAL_SUFFIX}" for stem in originals]
    if not names:
        raise CheckpointError(
            f"{folder}: no {SUFFIX} or {ORIGINAL_SUFFIX} file in this folder; "
            "name the checkpoints to validate, or their folder"
        )
    return [str(Path(folder) / name) for name in sorted(names)]

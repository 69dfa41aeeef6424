"""Original Lua checkpoints to PyTorch."""

from pathlib import Path
from typing import TYPE_CHECKING

from convert.errors import ConvertError

if TYPE_CHECKING:
    from resnext.checkpoint import Checkpoint

    __version__: str

__all__ = ["ConvertError", "load"]


def load(path: Path | str) -> "Checkpoint":
    """Return the checkpoint in a file: an original .t7, or one that resnext-convert wrote.

    The content decides which, not the name. Nothing in the file is executed. The tensors of a .t7
    are views of the mapped file, which must not change while they are used.

    Raises:
        ConvertError: a .t7 that is damaged or holds no network of the family.
        CheckpointError: a safetensors file that is damaged or not one of ours.
        OSError: the file cannot be opened.
    """
    from convert.loading import load_checkpoint

    return load_checkpoint(Path(path))


def __getattr__(name: str) -> object:
    """Return the version of the distribution, which is looked up when it is first asked for."""
    if name == "__version__":
        import resnext

        return resnext.__version__
    raise AttributeError(f"module 'convert' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the version too."""
    return sorted({*globals(), "__version__"})

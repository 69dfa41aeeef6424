"""Original Lua checkpoints to PyTorch: the functions that other packages call."""

from pathlib import Path
from typing import TYPE_CHECKING

from resnext.errors import ConvertError

# `import convert` must be cheap: whatever needs numpy is imported where it is used.
if TYPE_CHECKING:
    from convert.location import Location
    from resnext.checkpoint import Checkpoint
    from resnext.download import Bar

    __version__: str

__all__ = ["ConvertError", "fetch", "find", "is_converted", "load"]


def load(path: Path | str, *, at: str | None = None) -> "Checkpoint":
    """Return the checkpoint in a file: of Torch7, of PyTorch, or one that resnext-convert wrote.

    The content decides which, not the name. Nothing in the file is executed. The tensors of an
    original are views of the mapped file, which must not change while they are used.

    Args:
        path: the file, or a folder of the Hugging Face hub with config.json and weights.
        at: the place of the network in a file with several, such as "state.model".

    Raises:
        ConvertError: an original that is damaged or holds no network of the family.
        CheckpointError: a safetensors file that is damaged.
        OSError: the file cannot be opened.
    """
    from convert.loading import load_checkpoint

    return load_checkpoint(Path(path), at=at)


def find(text: str, *, cache: Path | None = None) -> "Location":
    """Return where the checkpoint that a user names lies, without downloading anything.

    An existing file comes first, then the address of a store, such as `hf://OWNER/MODEL`, whose
    files are listed, then the name of a published network.

    Args:
        text: a path, an address or a published name, as it was given.
        cache: folder of downloads; None is the user's own.

    Raises:
        ConvertError: none of them, or a network of which no weights were published.
        DownloadError: an address at which nothing is, or to which there is no access.
        OSError: the folder of downloads cannot be created.
    """
    from convert.location import find_location

    return find_location(text, cache=cache)


def fetch(location: "Location", bar: "Bar") -> Path:
    """Return the path of a checkpoint's file, fetched once if it does not lie on this machine.

    Any number of processes may ask for the same one: the first downloads it, the others wait.

    Args:
        location: what `find` returned.
        bar: shows a download.

    Raises:
        DownloadError: it cannot be downloaded.
        OSError: the folder of downloads cannot be written.
    """
    from convert.location import fetch_file

    return fetch_file(location, bar)


def is_converted(path: Path) -> bool:
    """Tell whether resnext-convert or resnext-train wrote a file; others' safetensors are not ours.

    Raises:
        OSError: the file cannot be opened.
    """
    from convert import loading

    return loading.is_converted(path)


def __getattr__(name: str) -> object:
    """Return the version of the distribution, which is looked up when it is first asked for."""
    if name == "__version__":
        import resnext

        return resnext.__version__
    raise AttributeError(f"module 'convert' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the version too."""
    return sorted({*globals(), "__version__"})

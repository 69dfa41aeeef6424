"""The checkpoint that an address of a store names, such as `hf://OWNER/MODEL`, and its fetching."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from convert.errors import SourceError
from convert.location import Location
from convert.pytorch.hub import CONFIG, WEIGHTS
from resnext.stores.arrivals import Arrivals
from resnext.stores.fetching import fetch_file
from resnext.stores.hub_address import HubAddress, is_hub_address
from resnext.stores.opening import Found, find_stored
from resnext.stores.store import StoredFile

if TYPE_CHECKING:
    from resnext.download import Bar

SAFETENSORS: Final = ".safetensors"
# Other files that can be read, if there are no safetensors.
OTHERS: Final = (".t7", ".pth", ".pt", ".bin", ".params", ".caffemodel", ".pth.tar")
# What belongs beside a checkpoint: a configuration of the Hub, a graph of MXNet or Caffe.
BESIDE: Final = ("-symbol.json", ".prototxt")
MOST_BESIDE: Final = 1 << 26  # bytes of such a file
MOST_NAMES: Final = 8


def stored_location(text: str, *, cache: Path) -> Location:
    """Return where the checkpoint at an address will lie; its store is asked for a list of files.

    Args:
        text: the address of a file, or of a repository or folder with one checkpoint.
        cache: the folder of downloads.

    Raises:
        SourceError: none that can be read, or several.
        DownloadError: nothing is there, or no access.
        OSError: the cache cannot be written.
    """
    found = find_stored(text, cache)
    file = found.files[0] if len(found.files) == 1 and found.is_exact else _chosen(found)
    folder = PurePosixPath(file.name).parent
    beside = [
        each
        for each in found.store.files()
        if PurePosixPath(each.name).parent == folder
        and (PurePosixPath(each.name).name == CONFIG or each.name.endswith(BESIDE))
        and each.size <= MOST_BESIDE
    ]
    arrivals = Arrivals(found.store, [file, *beside], cache)
    return Location(
        path=arrivals.paths[0],
        output=Path(_output_name(text, found, file)),
        stored=arrivals,
        address=f"{found.store.address.rstrip('/')}/{file.name}",
    )


def fetch_stored(arrivals: Arrivals, bar: "Bar") -> Path:
    """Fetch a checkpoint and what belongs beside it, and return its path."""
    files = tuple(zip(arrivals.files, arrivals.paths, strict=True))
    for file, path in reversed(files):
        with bar(path.name) as progress:
            fetch_file(arrivals.store, file, path, progress=progress)
    return arrivals.paths[0]


def _chosen(found: Found) -> StoredFile:
    """Return the one checkpoint among some files: safetensors, or else the only other one."""
    here = [each for each in found.files if "/" not in _below(found, each)] or list(found.files)
    for suffixes in ((SAFETENSORS,), OTHERS):
        fitting = [each for each in here if each.name.lower().endswith(suffixes)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            first = fitting[0].name
            raise SourceError(
                f"{found.address}: one checkpoint expected, found {_few(fitting)}; name the one "
                f"that is meant: {found.store.address.rstrip('/')}/{first}"
            )
    raise SourceError(
        f"{found.address}: a checkpoint ({SAFETENSORS} {' '.join(OTHERS)}) expected, found "
        f"{_few(here)}"
    )


def _below(found: Found, file: StoredFile) -> str:
    return file.name.removeprefix(f"{found.below}/" if found.below else "")


def _few(files: Sequence[StoredFile]) -> str:
    names = [each.name for each in files[:MOST_NAMES]]
    return ", ".join(names) + (" ..." if len(files) > MOST_NAMES else "")


def _output_name(text: str, found: Found, file: StoredFile) -> str:
    """Return the name of the default output: of the repository, where all files are called so."""
    name = PurePosixPath(file.name).name
    if name not in WEIGHTS:
        return name
    if is_hub_address(text):
        return f"{HubAddress.parse(text).repo.rpartition('/')[2]}{SAFETENSORS}"
    folder = PurePosixPath(f"{found.store.address.rstrip('/')}/{file.name}").parent.name
    return f"{folder or 'model'}{SAFETENSORS}"

"""The one door: a path, .t7 or converted, to a checkpoint."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from convert import t7
from convert.errors import ConvertError
from convert.graph import Network, read_network
from convert.lua import Module, find_network
from resnext.checkpoint import Checkpoint, Origin, Provenance
from resnext.preprocessing import PREPROCESSINGS, Preprocessing
from resnext.published import Row, published_row
from resnext.spec import Spec


@dataclass(frozen=True, slots=True)
class Original:
    """A .t7 file, read and mapped.

    Attributes:
        file: how it was written, and its root value.
        tree: the network's modules as they stand in it.
        network: what they are.
        checkpoint: the same, ready to be saved.
    """

    file: t7.File
    tree: Module
    network: Network
    checkpoint: Checkpoint


def load(path: Path | str) -> Checkpoint:
    """Return the checkpoint in a file: an original .t7, or one that resnext-convert wrote.

    The content decides which, not the name. Nothing in the file is executed. The tensors of a .t7
    are views of the mapped file, which must not change while they are used.

    Raises:
        ConvertError: a .t7 that is damaged or holds no network of the family.
        CheckpointError: a safetensors file that is damaged or not one of ours.
        OSError: the file cannot be opened.
    """
    path = Path(path)
    if is_safetensors(path):
        return Checkpoint.load(path)
    return load_original(path).checkpoint


def load_original(path: Path) -> Original:
    """Return an original .t7 file, read and mapped.

    Raises:
        ConvertError: it is damaged, or holds no network of the family.
        OSError: it cannot be opened.
    """
    with naming(path), ThreadPoolExecutor(1) as pool:
        digest = pool.submit(_sha256, path)  # takes longer than all that follows
        file = t7.load(path)
        tree = find_network(file.root)
        network = read_network(tree)
    row = published_row(network.spec, file=path.name, size=file.bytes)
    preprocessing, origin = assumed_preprocessing(network.spec, row)
    checkpoint = Checkpoint(
        spec=network.spec,
        tensors=network.tensors,
        preprocessing=preprocessing,
        origin=origin,
        provenance=Provenance(
            source_file=path.name,
            source_sha256=digest.result(),
            source_bytes=file.bytes,
            published_name=row.name if row else None,
            licence=row.licence if row else None,
            converted_by=f"resnext {version('resnext')}",
            conversions=network.conversions,
        ),
    )
    return Original(file, tree, network, checkpoint)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let the errors of the block name the file."""
    try:
        yield
    except ConvertError as error:
        error.path = path
        raise


def assumed_preprocessing(
    spec: Spec, row: Row | None
) -> tuple[Preprocessing, Origin] | tuple[None, None]:
    """Return the preprocessing of a network that nobody has described otherwise.

    The published row's; else four stages are ImageNet's and three stages with 10 or 100 classes
    CIFAR's; else none.
    """
    if row:
        return row.preprocessing, Origin.PUBLISHED
    name = "imagenet" if len(spec.blocks) == 4 else f"cifar{spec.classes}"
    if name in PREPROCESSINGS:
        return PREPROCESSINGS[name], Origin.ASSUMED
    return None, None


def is_safetensors(path: Path) -> bool:
    """Tell whether a file starts as safetensors does: a length of 8 bytes, then a JSON object."""
    with path.open("rb") as file:
        head = file.read(9)
    # Four bytes of the length are zero; in a .t7 file the index of the root value stands there.
    return len(head) == 9 and head[8:] == b"{" and head[4:8] == bytes(4)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

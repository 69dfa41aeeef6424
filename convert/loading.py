"""A file, of another project or converted, to a checkpoint."""

import os
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np

from convert.caffe.model import is_caffemodel
from convert.caffe.source import CaffeSource, refuse_prototxt
from convert.errors import SourceError
from convert.export.errors import OutputError
from convert.location import check_digits, require_file, start_sha256, weights_of
from convert.mxnet.params import is_params
from convert.mxnet.source import MxnetSource, refuse_symbol
from convert.pytorch.archive import kind_of
from convert.pytorch.hub import WEIGHTS
from convert.pytorch.source import PyTorchSource
from convert.source.errors import NoNetworkError
from convert.source.source import Network, Source
from convert.torch7.errors import NotT7Error
from convert.torch7.source import T7Source
from resnext.checkpoint import Checkpoint, Origin, Provenance
from resnext.errors import CheckpointError, ConvertError
from resnext.fields import cut
from resnext.header import TRAINING_STATE_FORM
from resnext.preprocessing import PREPROCESSINGS, Preprocessing
from resnext.published import Row, published_row

IMAGENET_CLASSES: Final = 1000

# Bytes of a file by which its format is told.
HEAD: Final = 1 << 12


@dataclass(frozen=True, slots=True)
class Original:
    """A checkpoint of another project, read and mapped.

    Attributes:
        source: the opened file.
        network: the spec and tensors that it was mapped to.
        sha256: of the file; its result may still be being computed.
    """

    source: Source
    network: Network
    sha256: Future[str]

    def checkpoint(self, *, sha256: str | None = None) -> Checkpoint:
        """Return the network as a checkpoint.

        Args:
            sha256: to state as the file's; None waits for the computed one.
        """
        spec, path = self.network.spec, self.source.path
        row = published_row(spec, file=path.name, size=self.source.bytes, sha256=self.sha256.result)
        preprocessing, origin = chosen_preprocessing(self.network, row)
        graph_file, graph_sha256 = self.source.companion or (None, None)
        name, licence, stated = known_as(self.network, row)
        checkpoint = Checkpoint(
            spec=spec,
            tensors=self.network.tensors,
            preprocessing=preprocessing,
            origin=origin,
            provenance=Provenance(
                source_file=_source_name(path),
                source_sha256=sha256 or self.sha256.result(),
                source_bytes=self.source.bytes,
                published_name=name,
                stated=stated,
                licence=licence,
                converted_by=f"resnext {version('resnext')}",
                conversions=self.network.conversions,
                graph_file=as_utf8(graph_file) if graph_file else None,
                graph_sha256=graph_sha256,
            ),
            classes=self.network.classes,
            wnids=self.network.wnids,
        )
        return with_imagenet(checkpoint)


def known_as(network: Network, row: Row | None) -> tuple[str | None, str | None, bool]:
    """Return the published name, the licence, and whether only the file says that it is that.

    Args:
        network: as mapped.
        row: of the published network that the file's name, size and architecture show, or None.
    """
    if row:
        return row.name, row.licence, False
    return network.published_name, network.licence, network.published_name is not None


def _source_name(path: Path) -> str:
    """Return an original file's name, with its folder if all files of its kind are called so."""
    folder = f"{path.absolute().parent.name}/" if path.name in WEIGHTS else ""
    return as_utf8(folder + path.name)


def as_utf8(name: str) -> str:
    """Return a file's name, whatever bytes it consists of, as a text that UTF-8 can hold."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def load_checkpoint(path: Path, *, at: str | None = None) -> Checkpoint:
    """Return the checkpoint in a file, as `convert.load` does."""
    path = weights_of(path)
    require_file(path)
    if is_converted(path):
        return load_converted(path, at=at)
    return load_original(path, sha256=start_sha256(path), at=at).checkpoint()


def load_converted(path: Path, *, at: str | None = None) -> Checkpoint:
    """Return a converted checkpoint, its values checked like those of an original.

    Args:
        path: the file.
        at: refused, as a converted file has one network.

    Raises:
        SourceError: a place was given.
        CheckpointError: it is damaged, or this project did not write it.
        OSError: it cannot be opened.
    """
    if at is not None:
        with naming(path):
            raise SourceError(
                f"a .t7 with a network at {cut(at)} expected, found a converted file, which has "
                "one network only; leave --at out"
            )
    checkpoint = with_imagenet(Checkpoint.load(path))
    for name, array in checkpoint.tensors.items():
        fault = None
        if not np.isfinite(array).all():
            fault = "NaN or infinity"
        elif name.endswith("running_var") and np.less(array, 0).any():
            fault = "a variance below zero"
        if fault:
            raise CheckpointError(
                f"{path}: tensor {name} holds {fault}; the training diverged or the file is "
                "damaged, convert the original again or take another checkpoint"
            )
    return checkpoint


def with_imagenet(checkpoint: Checkpoint) -> Checkpoint:
    """Return the checkpoint with ImageNet's classes, if it is a published network of these.

    The original's files name no classes, and files of earlier versions did not either.
    """
    published = checkpoint.provenance.published_name and checkpoint.training is None
    if not published or checkpoint.classes or checkpoint.spec.classes != IMAGENET_CLASSES:
        return checkpoint
    from resnext.images.imagenet import NAMES, WNIDS  # which reads a table

    return replace(checkpoint, classes=NAMES, wnids=WNIDS)


def load_original(path: Path, *, sha256: Future[str], at: str | None = None) -> Original:
    """Return a checkpoint of another project, read and mapped.

    Args:
        path: the file.
        sha256: of the file; its result may still be being computed.
        at: the place of the network, where the file holds several.

    Raises:
        ConvertError: it is damaged, holds no network of the family, or is another file than its
            name says.
        OSError: it cannot be opened.
    """
    with naming(path):
        source = open_source(path, at=at)
        check_digits(path, sha256.result)
        try:
            return Original(source, source.network(), sha256)
        except NoNetworkError as error:
            if source.note:
                raise NoNetworkError(f"{error}; {source.note}") from error
            raise


def open_source(path: Path, *, at: str | None = None) -> Source:
    """Open a checkpoint of another project; its content decides the format, not its name.

    Args:
        path: the file, not one of ours.
        at: the place of the network, where the file holds several.

    Raises:
        ConvertError: it is damaged or of no known format.
        OSError: it cannot be opened.
    """
    kind = kind_of(path)
    if kind is not None or is_safetensors(path):
        return PyTorchSource(path, kind, at=at)
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not is_params(head) and not is_caffemodel(head):
        refuse_symbol(path, head)
        refuse_prototxt(path, head)
        try:
            return T7Source(path, at=at)
        except NotT7Error as error:
            if path.suffix == ".t7":
                raise
            kinds = "Torch7, PyTorch, MXNet or Caffe"
            raise SourceError(f"a checkpoint of {kinds} expected, found {error.found}") from error
    if at is not None:
        raise SourceError(
            f"a file with a network at {cut(at)} expected, found one of a single network; leave "
            "--at out"
        )
    return MxnetSource(path) if is_params(head) else CaffeSource(path)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let every ConvertError of the block name the file."""
    try:
        yield
    except ConvertError as error:
        if not isinstance(error, OutputError):  # its message names another file
            error.path = path
        raise


def chosen_preprocessing(
    network: Network, row: Row | None
) -> tuple[Preprocessing, Origin] | tuple[None, None]:
    """Return the preprocessing of a network for which none is given.

    It is the published row's; else what the file states; else, where it may be assumed, ImageNet's
    for four stages, CIFAR's for three stages with 10 or 100 classes; else none. Mean and std that a
    graph computes with belong to its weights, whatever the row says.
    """
    stated, origin = network.preprocessing or (None, None)
    if row and row.preprocessing:
        return published_preprocessing(row.preprocessing, stated, origin), Origin.PUBLISHED
    if network.preprocessing:
        return network.preprocessing
    spec = network.spec
    name = "imagenet" if len(spec.blocks) == 4 else f"cifar{spec.classes}"
    if network.assumable and name in PREPROCESSINGS:
        return PREPROCESSINGS[name], Origin.ASSUMED
    return None, None


def published_preprocessing(
    published: Preprocessing, own: Preprocessing | None, origin: Origin | None
) -> Preprocessing:
    """Return a published row's preprocessing, with the mean and std that belong to the weights.

    Args:
        published: the row's.
        own: the checkpoint's so far, or None.
        origin: of `own`; those of a graph stay, as the network computes with no others.
    """
    if own is None or origin is not Origin.GRAPH:
        return published
    return replace(published, mean=own.mean, std=own.std, white=own.white)


def is_converted(path: Path) -> bool:
    """Tell whether a file is one of this project's: safetensors with its entries in the header.

    A damaged header counts as one, so that its loading reports it.

    Raises:
        OSError: the file cannot be opened.
    """
    if not is_safetensors(path):
        return False
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            header = file.metadata() or {}
    except SafetensorError:
        return True
    return "spec" in header or header.get("form", "").startswith(TRAINING_STATE_FORM)


def is_safetensors(path: Path) -> bool:
    """Tell whether a file starts as safetensors does: a length of 8 bytes, then a JSON object."""
    with path.open("rb") as file:
        head = file.read(9)
    # Four bytes of the length are zero; in a .t7 file the index of the root value stands there.
    return len(head) == 9 and head[8:] == b"{" and head[4:8] == bytes(4)

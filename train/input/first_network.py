"""The network before the first step: that of a checkpoint, or a new one."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import convert
from resnext.checkpoint import Checkpoint, Origin, Provenance
from resnext.download import Bar
from resnext.images.alignment import are_names_of_others, in_order_of_labels
from resnext.images.names import class_list
from resnext.layout import layout
from resnext.loader.batches import NO_MEMORY
from resnext.model import ResNeXt
from resnext.preprocessing import PREPROCESSINGS, Preprocessing, named_preprocessing
from resnext.published import read_table
from resnext.spec import Spec, Stem
from train.input.options import TrainingConfig
from train.recipe.recipe import Recipe, RecipeError

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FirstNetwork:
    """The network that a training starts from.

    Attributes:
        checkpoint: its float32 weights, with the preprocessing, provenance and class names that
            the trained checkpoints will have.
        source: the file that it comes from, ready for JSON; None for a new network.
        notes: what the user should know, one sentence each.
    """

    checkpoint: Checkpoint
    source: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Return the class names in the order of the outputs; None where labels are numbers."""
        return self.checkpoint.classes

    @property
    def preprocessing(self) -> Preprocessing:
        """Return the preprocessing, without which nothing is trained."""
        found = self.checkpoint.preprocessing
        assert found is not None
        return found


def from_scratch(
    config: TrainingConfig, recipe: Recipe, *, classes: int, names: tuple[str, ...] | None
) -> FirstNetwork:
    """Return a new network, initialised from the seed with the original's distributions.

    Args:
        config: gives the architecture.
        recipe: gives the stem.
        classes: number of classes of the images.
        names: of these classes, or None.

    Raises:
        RecipeError: there is no such architecture, or it does not fit in memory.
    """
    assert config.architecture is not None
    spec = config.architecture.spec(recipe.stem, classes)
    try:
        network = ResNeXt(spec, generator=torch.Generator().manual_seed(config.seed))
    except RuntimeError as error:
        if NO_MEMORY not in str(error):
            raise
        raise RecipeError(
            f"--depth {config.architecture.depth}: a network that fits in memory expected, found "
            f"{layout(spec).parameters():,} parameters; give a smaller --base-width or "
            "--cardinality"
        ) from error
    tensors = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    usual = "imagenet" if recipe.stem is Stem.IMAGENET else "cifar10"
    chosen = config.preprocessing or (config.data if config.data in PREPROCESSINGS else usual)
    return FirstNetwork(
        checkpoint=Checkpoint(
            spec=spec,
            tensors=tensors,
            preprocessing=named_preprocessing(chosen).with_sides(
                scale=config.scale, crop=config.crop, where=f"preprocessing {chosen}"
            ),
            origin=Origin.TRAINED,
            provenance=Provenance(
                source_file=None, source_sha256=None, source_bytes=None, converted_by=_version()
            ),
            classes=names,
            training={},
        )
    )


def from_checkpoint(
    config: TrainingConfig, *, classes: int, names: tuple[str, ...] | None, bar: Bar
) -> FirstNetwork:
    """Return the network of a checkpoint, with a classifier for the classes of the images.

    Args:
        config: gives the checkpoint.
        classes: number of classes of the images.
        names: of these classes, or None.
        bar: shows a download.

    Raises:
        ResnextError: it cannot be read, or its preprocessing is unknown.
    """
    path = convert.fetch(convert.find(str(config.init), cache=config.cache), bar)
    found = convert.load(path)
    usual, note = _preprocessing(config, found, path)
    preprocessing = usual.with_sides(scale=config.scale, crop=config.crop, where=path.name)
    kept, text = _classifier(config, found, classes=classes, names=names)
    spec = found.spec if kept else replace(found.spec, classes=classes)
    state = found.build().state_dict()
    tensors = {name: np.array(tensor.contiguous().numpy()) for name, tensor in state.items()}
    if not kept:
        tensors |= _new_classifier(spec, seed=config.seed)
    order = names
    if kept:
        order = found.matched_names or (names and in_order_of_labels(names))
    licence = found.provenance.licence
    notes = [text, *([note] if note else [])]
    if licence:
        notes.append(f"{path.name} is licensed {licence}, and so is what is trained from it")
    return FirstNetwork(
        checkpoint=Checkpoint(
            spec=spec,
            tensors=tensors,
            preprocessing=preprocessing,
            origin=Origin.TRAINED,
            provenance=_provenance(found, path),
            classes=order,
            training={},
        ),
        source={"file": path.name, "network": found.name, "weights_sha256": found.digest()},
        notes=tuple(notes),
    )


def _classifier(
    config: TrainingConfig, found: Checkpoint, *, classes: int, names: tuple[str, ...] | None
) -> tuple[bool, str]:
    """Return whether the checkpoint's classifier is kept, and a note that says so."""
    own = f"{found.spec.classes} classes" + (
        f" ({class_list(found.classes)})" if found.classes else ""
    )
    wanted = f"{classes} classes" + (f" ({class_list(names)})" if names else "")
    new = f"a new classifier for {wanted} replaces that of the checkpoint for {own}"
    if config.reset_classifier:
        return False, f"{new}, as --reset-classifier asks"
    if found.spec.classes != classes:
        return False, new
    if names is None:
        kept = f" ({class_list(found.classes)})" if found.classes else ""
        by_name = found.classes is not None and are_names_of_others(found.classes)
        way = "by their names, which are numbers" if by_name else "in their order"
        return True, (
            f"the classifier stays: the numbers of the images are taken for the {classes} classes "
            f"of the checkpoint {way}{kept}; --reset-classifier begins with another"
        )
    if found.matched_names is None:
        unnamed = "" if found.classes else " without names"
        return True, (
            f"the classifier stays: the checkpoint has {classes} classes{unnamed}, taken for those "
            f"of the images in their order: {class_list(in_order_of_labels(names))}; "
            "--reset-classifier begins with another"
        )
    if set(found.matched_names) == set(names):
        return True, f"the classifier stays: the checkpoint has the same {wanted}"
    return False, new


def _new_classifier(spec: Spec, *, seed: int) -> dict[str, NDArray[np.float32]]:
    """Return a classifier initialised as in the original: uniform weights, zero bias."""
    bound = 1 / sqrt(spec.features)
    weight = torch.empty(spec.classes, spec.features)
    weight.uniform_(-bound, bound, generator=torch.Generator().manual_seed(seed))
    return {"fc.weight": weight.numpy(), "fc.bias": np.zeros(spec.classes, np.float32)}


def _preprocessing(
    config: TrainingConfig, found: Checkpoint, path: Path
) -> tuple[Preprocessing, str | None]:
    """Return the preprocessing, and a note if it is only assumed."""
    if config.preprocessing is not None:
        return named_preprocessing(config.preprocessing), None
    if config.claims is not None:
        rows = {row.name: row for row in read_table(config.claims)}
        row = rows.get(found.provenance.published_name or "") or rows.get(path.stem)
        if row is None:
            raise RecipeError(f"{config.claims}: a row named {path.stem!r} expected, found none")
        if row.preprocessing is not None:
            return row.preprocessing, None
    if found.preprocessing is None:
        raise RecipeError(
            f"{path}: no preprocessing is known for this network; state it with --preprocessing"
        )
    assumed = None
    if found.origin is Origin.ASSUMED:
        assumed = (
            f"the preprocessing of {path.name} is assumed from the network's shape, "
            f"{found.preprocessing.describe()}; --preprocessing or --claims states another"
        )
    elif found.origin is Origin.GRAPH:
        assumed = (
            f"scale and crop of {path.name} are assumed, {found.preprocessing.describe()}; "
            "--preprocessing or --claims states others"
        )
    return found.preprocessing, assumed


def _provenance(found: Checkpoint, path: Path) -> Provenance:
    """Return the provenance of a network that is trained from a checkpoint: this file.

    The provenance in the header of a converted or trained checkpoint names the file that it was
    itself made from, so name, size and digest are taken from the file. Those of an original are
    known from its loading.
    """
    own = found.provenance
    name, sha256, size = own.source_file, own.source_sha256, own.source_bytes
    graph_file, graph_sha256 = own.graph_file, own.graph_sha256
    if convert.is_converted(path):
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        name, size = path.name.encode("utf-8", "backslashreplace").decode(), path.stat().st_size
        graph_file = graph_sha256 = None
    return Provenance(
        source_file=name,
        source_sha256=sha256,
        source_bytes=size,
        graph_file=graph_file,
        graph_sha256=graph_sha256,
        converted_by=_version(),
        licence=own.licence,
    )


def _version() -> str:
    return f"resnext {version('resnext')}"

"""The network that a training begins with: that of a checkpoint, or a new one."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import convert
from resnext.checkpoint import Checkpoint, Origin, Provenance
from resnext.images.alignment import in_order_of_labels
from resnext.images.names import few
from resnext.images.remote import Bar
from resnext.preprocessing import PREPROCESSINGS, Preprocessing, read_preprocessing
from resnext.published import read_table
from resnext.spec import Spec, Stem
from train.errors import RecipeError
from train.recipe.parts import parts_up_to

if TYPE_CHECKING:
    from train.input.options import Config
    from train.recipe.recipe import Recipe

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Beginning:
    """Where a training begins.

    Attributes:
        checkpoint: network, preprocessing, provenance and class names as the results will have
            them; float32.
        classes: what the labels of the images have to be, by name; None where they are numbers.
        source: what it began as, ready for JSON; None for a new network.
        notes: what the user should know, a sentence each.
    """

    checkpoint: Checkpoint
    classes: tuple[str, ...] | None
    source: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()


def check_network(config: "Config", recipe: "Recipe") -> None:
    """Check, without fetching anything, that there is a network, and that it has what is frozen.

    Raises:
        ResnextError: there is none, or it has not.
    """
    if config.architecture is not None:
        spec = config.architecture.spec(recipe.stem, classes=2)  # whatever the images have
    else:
        location = convert.find(str(config.init), cache=config.cache)
        if not recipe.freeze:
            return
        known = location.row.spec if location.row else None
        spec = known or convert.load(location.path).spec
    parts_up_to(spec, recipe.freeze)


def begin_anew(
    config: "Config", recipe: "Recipe", *, classes: int, names: tuple[str, ...] | None
) -> Beginning:
    """Return a new network, its weights drawn from the seed as the original drew them.

    Args:
        config: names the architecture.
        recipe: decides the stem.
        classes: of the images.
        names: of these classes, or None.

    Raises:
        RecipeError: there is no such architecture, or it does not fit in memory.
    """
    import torch

    from resnext.layout import layout
    from resnext.loader.batches import NO_MEMORY
    from resnext.model import ResNeXt

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
    return Beginning(
        checkpoint=Checkpoint(
            spec=spec,
            tensors=tensors,
            preprocessing=_named_preprocessing(chosen),
            origin=Origin.TRAINED,
            provenance=Provenance(
                source_file=None, source_sha256=None, source_bytes=None, converted_by=_version()
            ),
            classes=names,
            training={},
        ),
        classes=names,
    )


def begin_with(
    config: "Config", *, classes: int, names: tuple[str, ...] | None, bar: Bar
) -> Beginning:
    """Return the network of a checkpoint, with a classifier for the classes of the images.

    Args:
        config: names the checkpoint.
        classes: of the images.
        names: of these classes, or None.
        bar: shows a download.

    Raises:
        ResnextError: it cannot be read, or nobody knows its preprocessing.
    """
    path = convert.fetch(convert.find(str(config.init), cache=config.cache), bar)
    found = convert.load(path)
    preprocessing, note = _preprocessing(config, found, path)
    kept, text = _classifier(config, found, classes=classes, names=names)
    spec = found.spec if kept else replace(found.spec, classes=classes)
    state = found.build().state_dict()
    tensors = {name: np.array(tensor.contiguous().numpy()) for name, tensor in state.items()}
    if not kept:
        tensors |= _new_classifier(spec, seed=config.seed)
    order = names
    if kept:
        order = found.classes or (names and in_order_of_labels(names))
    licence = found.provenance.licence
    notes = [text, *([note] if note else [])]
    if licence:
        notes.append(f"{path.name} is licensed {licence}, and so is what is trained from it")
    return Beginning(
        checkpoint=Checkpoint(
            spec=spec,
            tensors=tensors,
            preprocessing=preprocessing,
            origin=Origin.TRAINED,
            provenance=_provenance(found, path),
            classes=order,
            training={},
        ),
        classes=order,
        source={"file": path.name, "network": found.name, "weights_sha256": found.digest()},
        notes=tuple(notes),
    )


def _classifier(
    config: "Config", found: Checkpoint, *, classes: int, names: tuple[str, ...] | None
) -> tuple[bool, str]:
    """Decide whether the checkpoint's classifier stays, and say so with names."""
    own = f"{found.spec.classes} classes" + (f" ({few(found.classes)})" if found.classes else "")
    wanted = f"{classes} classes" + (f" ({few(names)})" if names else "")
    new = f"a new classifier for {wanted} replaces that of the checkpoint for {own}"
    if config.reset_classifier:
        return False, f"{new}, as --reset-classifier asks"
    if found.spec.classes != classes:
        return False, new
    if names is None:
        kept = f" ({few(found.classes)})" if found.classes else ""
        return True, (
            f"the classifier stays: the numbers of the images are taken for the {classes} classes "
            f"of the checkpoint in their order{kept}; --reset-classifier begins with another"
        )
    if found.classes is None:
        return True, (
            f"the classifier stays: the checkpoint has {classes} classes without names, taken for "
            f"those of the images in their order: {few(in_order_of_labels(names))}; "
            "--reset-classifier begins with another"
        )
    if set(found.classes) == set(names):
        return True, f"the classifier stays: the checkpoint has the same {wanted}"
    return False, new


def _new_classifier(spec: Spec, *, seed: int) -> dict[str, NDArray[np.float32]]:
    """Draw a classifier as the original did: uniform weights, zero bias."""
    import torch

    bound = 1 / sqrt(spec.features)
    weight = torch.empty(spec.classes, spec.features)
    weight.uniform_(-bound, bound, generator=torch.Generator().manual_seed(seed))
    return {"fc.weight": weight.numpy(), "fc.bias": np.zeros(spec.classes, np.float32)}


def _preprocessing(
    config: "Config", found: Checkpoint, path: Path
) -> tuple[Preprocessing, str | None]:
    """Return what pictures go through, and what to say about the choice."""
    if config.preprocessing is not None:
        return _named_preprocessing(config.preprocessing), None
    if config.claims is not None:
        rows = {row.name: row for row in read_table(config.claims)}
        row = rows.get(found.provenance.published_name or "") or rows.get(path.stem)
        if row is None:
            raise RecipeError(f"{config.claims}: a row named {path.stem!r} expected, found none")
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
    return found.preprocessing, assumed


def _named_preprocessing(name: str) -> Preprocessing:
    return PREPROCESSINGS[name] if name in PREPROCESSINGS else read_preprocessing(Path(name))


def _provenance(found: Checkpoint, path: Path) -> Provenance:
    """Say which file the training began with: of an original, what its loading found out.

    What the header of a converted or trained file says is about the one that it came from.
    """
    own = found.provenance
    name, sha256, size = own.source_file, own.source_sha256, own.source_bytes
    if convert.is_converted(path):
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        name, size = path.name.encode("utf-8", "backslashreplace").decode(), path.stat().st_size
    return Provenance(
        source_file=name,
        source_sha256=sha256,
        source_bytes=size,
        converted_by=_version(),
        licence=own.licence,
    )


def _version() -> str:
    return f"resnext {version('resnext')}"

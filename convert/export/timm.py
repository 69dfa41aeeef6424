"""A checkpoint as timm's folder: config.json and a README.md beside model.safetensors."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from convert.export.errors import TopologyError
from convert.export.timm_card import timm_card
from resnext.checkpoint import Checkpoint
from resnext.errors import PreprocessingError
from resnext.files import whole_file, whole_folder
from resnext.layout import layout
from resnext.model_card.readme import README
from resnext.preprocessing import Pipeline, Preprocessing
from resnext.published import published
from resnext.spec import Block, Norm, Shortcut, Spec, Stem, StemPool

CONFIG: Final = "config.json"
WEIGHTS: Final = "model.safetensors"
FILES: Final = (CONFIG, WEIGHTS)

# timm's names of the networks that it builds without arguments.
ARCHITECTURES: Final = {
    "resnet18": Spec(blocks=(2, 2, 2, 2), block=Block.BASIC),
    "resnet34": Spec(blocks=(3, 4, 6, 3), block=Block.BASIC),
    "resnet50": Spec(blocks=(3, 4, 6, 3)),
    "resnet101": Spec(blocks=(3, 4, 23, 3)),
    "resnet152": Spec(blocks=(3, 8, 36, 3)),
    "resnet200": Spec(blocks=(3, 24, 36, 3)),
    "resnext50_32x4d": Spec(blocks=(3, 4, 6, 3), cardinality=32, base_width=4),
    "resnext101_32x4d": Spec(blocks=(3, 4, 23, 3), cardinality=32, base_width=4),
    "resnext101_64x4d": Spec(blocks=(3, 4, 23, 3), cardinality=64, base_width=4),
}
_NAMES: Final = {spec: name for name, spec in ARCHITECTURES.items()}
# The name that any other network of timm's ResNet class is built from, with arguments.
GENERIC: Final = {Block.BASIC: "resnet18", Block.BOTTLENECK: "resnet50"}

# timm's base width refers to this number of planes; the width of its 7x7 stem is fixed.
BASE_PLANES: Final = 64
STEM_WIDTH: Final = 64

NOTE: Final = (
    "The published accuracy belongs to Torch7's bicubic scaling, which does not antialias. timm's "
    "own resize does, so its validation sees other pixels; resnext-validate has the original ones, "
    "and so has resnext.Transform as the transform of a dataset."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A condition that a network has to meet to be one of timm's ResNets.

    Attributes:
        wants: the condition in words.
        field: of the spec, shown where the condition is not met.
        holds: tells whether a spec meets it.
    """

    wants: str
    field: str
    holds: Callable[[Spec], bool]


def _as_shortcut_b(spec: Spec) -> Spec:
    return replace(spec, shortcut=Shortcut.B)


REQUIREMENTS: Final = (
    Requirement(
        wants="a 7x7 stem with max-pooling",
        field="stem",
        holds=lambda spec: spec.stem is Stem.IMAGENET,
    ),
    Requirement(
        wants="a max-pool with padding",
        field="stem_pool",
        holds=lambda spec: spec.stem_pool is StemPool.PADDED,
    ),
    Requirement(wants="four stages", field="blocks", holds=lambda spec: len(spec.blocks) == 4),
    Requirement(
        wants="batch norm behind each convolution",
        field="norm",
        holds=lambda spec: spec.norm is Norm.POST,
    ),
    Requirement(
        wants="projections only where a block changes the shape",
        field="shortcut",
        holds=lambda spec: layout(spec) == layout(_as_shortcut_b(spec)),
    ),
    Requirement(
        wants=f"{STEM_WIDTH} channels behind the stem",
        field="stem_width",
        holds=lambda spec: spec.stem_width == STEM_WIDTH,
    ),
    Requirement(
        wants=f"a base width that is whole at {BASE_PLANES} planes",
        field="base_width",
        holds=lambda spec: BASE_PLANES * spec.base_width % spec.planes == 0,
    ),
)


def timm_architecture(spec: Spec) -> tuple[str, dict[str, object]]:
    """Return timm's name of a network, and the arguments that it takes besides the classes.

    timm's ResNet class builds any number of blocks, planes, cardinality and base width. Its base
    width is that of 64 planes, whatever the planes are.

    Raises:
        TopologyError: timm has no such network.
    """
    faults = [
        f"{row.wants} expected, found {row.field} {getattr(spec, row.field)}"
        for row in REQUIREMENTS
        if not row.holds(spec)
    ]
    if faults:
        raise TopologyError(f"not a network of timm: {'; '.join(faults)}")
    plain = replace(_as_shortcut_b(spec), classes=1000)
    if name := _NAMES.get(plain):
        return name, {}
    arguments: dict[str, object] = {
        "layers": list(spec.blocks),
        "channels": [spec.width(stage) for stage in range(len(spec.blocks))],
    }
    if spec.block is Block.BOTTLENECK:
        base_width = BASE_PLANES * spec.base_width // spec.planes
        arguments |= {"cardinality": spec.cardinality, "base_width": base_width}
    return GENERIC[spec.block], arguments


def timm_config(checkpoint: Checkpoint) -> dict[str, object]:
    """Return the content of config.json.

    Raises:
        TopologyError: timm has no such network.
        PreprocessingError: the preprocessing is not known; timm would take ImageNet's unasked.
    """
    spec, row = checkpoint.spec, checkpoint.preprocessing
    architecture, arguments = timm_architecture(spec)
    if row is None:
        raise PreprocessingError(
            "timm's folder holds the preprocessing, and this checkpoint's is not known; "
            "--preprocessing stores one"
        )
    return {
        "architecture": architecture,
        "num_classes": spec.classes,
        "num_features": spec.features,
        "global_pool": "avg",
        **({"model_args": arguments} if arguments else {}),
        **_labels(checkpoint),
        "pretrained_cfg": _pretrained_config(checkpoint, row),
        "resnext": checkpoint.facts(),  # timm ignores entries that it does not know
    }


def _labels(checkpoint: Checkpoint) -> dict[str, object]:
    """Return timm's entries of the classes; ImageNet's are known by wnids there too."""
    names, wnids = checkpoint.classes, checkpoint.wnids
    if names and wnids:
        described = dict(zip(wnids, names, strict=True))
        return {"label_names": wnids, "label_descriptions": described}
    return {"label_names": names} if names else {}


def write_timm(checkpoint: Checkpoint, path: Path) -> None:
    """Write the folder that `timm.create_model("local-dir:PATH", pretrained=True)` loads.

    Raises:
        TopologyError: timm has no such network.
        PreprocessingError: the preprocessing is not known.
        OSError: the parent is missing or read-only, or the disk is full.
    """
    texts = {
        CONFIG: json.dumps(timm_config(checkpoint), indent=2) + "\n",
        README: timm_card(checkpoint),
    }
    with whole_folder(path) as folder:
        checkpoint.save(folder / WEIGHTS)
        for name, text in texts.items():
            with whole_file(folder / name) as file:
                file.write(text.encode())


def _pretrained_config(checkpoint: Checkpoint, row: Preprocessing) -> dict[str, object]:
    """Return timm's `pretrained_cfg`, with fields of timm's class only."""
    source = checkpoint.provenance
    origin = f" ({checkpoint.origin})" if checkpoint.origin else ""
    origins = {known.name: known.url for known in published()}
    checksum = f", sha256 {source.source_sha256}" if source.source_sha256 else ""
    notes = [NOTE] if row.pipeline is Pipeline.TORCH7 else []
    optional = {
        "license": source.licence,
        "origin_url": origins.get(source.published_name or ""),
    }
    return {
        "input_size": [3, row.crop, row.crop],
        "pool_size": [math.ceil(row.crop / 32)] * 2,
        "interpolation": row.interpolation,
        "crop_pct": crop_fraction(row),
        "crop_mode": "center",
        "mean": [value / row.white for value in row.mean],
        "std": [value / row.white for value in row.std],
        "num_classes": checkpoint.spec.classes,
        "first_conv": "conv1",
        "classifier": "fc",
        "description": f"{checkpoint.name}: {checkpoint.history}{checksum}",
        "notes": [*notes, f"Preprocessing: {row.describe()}{origin}."],
        **{name: value for name, value in optional.items() if value is not None},
    }


def crop_fraction(row: Preprocessing) -> float:
    """Return timm's `crop_pct`: the crop over the scale, or 1 without scaling.

    timm computes the scale as floor(crop / crop_pct), so the fraction is lowered until rounding
    does not lose a pixel there.
    """
    if row.scale is None:
        return 1.0
    fraction = row.crop / row.scale
    while math.floor(row.crop / fraction) < row.scale:
        fraction = math.nextafter(fraction, 0.0)
    return fraction

"""The folder in which timm and the Hugging Face hub keep a network: config.json beside weights.

The configuration tells what no tensor shows: how pictures are prepared, and whether the network is
one of those that differ from the plain ones without having other tensors.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import floor
from pathlib import Path
from typing import Final

from convert.source.errors import ForeignModuleError, StructureError
from resnext.errors import PreprocessingError
from resnext.fields import is_number, is_whole, shown
from resnext.files import read_once
from resnext.header import Provenance
from resnext.preprocessing import Interpolation, Pipeline, Preprocessing
from resnext.spec import Spec

CONFIG: Final = "config.json"
# In the order in which they are taken.
WEIGHTS: Final = ("model.safetensors", "pytorch_model.bin")
LARGEST: Final = 1 << 22  # bytes; labels of 21,000 classes take one million

# The names in timm of networks that are plain: not resnet50d, resnetaa50, resnetblur50 and so on.
_PLAIN: Final = re.compile(
    r"((tv|gluon|ig|ssl|swsl)_)?(wide_)?res(net|next)\d+(_\d+|_\d+x\d+d|_v1b)*(\..*)?"
)
# Arguments of timm's ResNet that its tensors show, or that only a training uses.
_SHOWN: Final = frozenset(
    {
        *("layers", "channels", "cardinality", "base_width", "stem_width", "num_classes"),
        *("in_chans", "block_reduce_first", "zero_init_last"),
        *("drop_rate", "drop_path_rate", "drop_block_rate"),
    }
)
# Those that no tensor shows -> their value in a plain network.
_HIDDEN: Final = {"output_stride": 32, "global_pool": "avg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedFacts:
    """What a file, or config.json beside it, says of a network.

    Attributes:
        spec: its architecture; None where only the shapes tell.
        preprocessing: of pictures; None where it states none, or one that is not known here.
        class_count: the number of classes; None where it states none.
        classes: the names of the classes; None where it has none.
        wnids: their WordNet ids, likewise.
        note: what of it was not taken.
        provenance: where a state dict that this project wrote states that its weights come from.
        training: how they were trained, likewise; None if they were not.
    """

    spec: Spec | None = None
    preprocessing: Preprocessing | None = None
    class_count: int | None = None
    classes: tuple[str, ...] | None = None
    wnids: tuple[str, ...] | None = None
    note: str | None = None
    provenance: Provenance | None = None
    training: Mapping[str, object] | None = None


def weights_in(folder: Path) -> Path | None:
    """Return the file of weights in a folder of the hub, None if it is no such folder."""
    if not (folder / CONFIG).is_file():
        return None
    return next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)


def read_config(weights: Path) -> StatedFacts:
    """Return what the configuration beside a file of weights says, if there is one.

    Raises:
        StructureError: it is damaged.
        ForeignModuleError: it says that the network is not a plain one.
        OSError: it cannot be read.
    """
    path = weights.with_name(CONFIG)
    if weights.name not in WEIGHTS or not path.is_file():
        return StatedFacts()
    try:
        fields = json.loads(read_once(path, StructureError, most=LARGEST))
    except (ValueError, RecursionError) as error:
        raise StructureError(f"{path.name}: a JSON object expected, found none") from error
    if not isinstance(fields, dict):
        raise StructureError(f"{path.name}: a JSON object expected, found {shown(fields)}")
    _check_plain(path, fields)
    pretrained = fields.get("pretrained_cfg", fields)
    if not isinstance(pretrained, dict):
        pretrained = {}
    count = fields.get("num_classes")
    facts = StatedFacts(
        class_count=count if isinstance(count, int) else None, classes=_classes(fields)
    )
    try:
        return replace(facts, preprocessing=_preprocessing(pretrained))
    except PreprocessingError as error:
        return replace(facts, note=f"{CONFIG}: preprocessing not taken: {error}")


def _check_plain(path: Path, fields: Mapping[str, object]) -> None:
    name = fields.get("architecture")
    if name is not None and not (isinstance(name, str) and _PLAIN.fullmatch(name)):
        raise ForeignModuleError(
            f"{path.name}: architecture {shown(name)}, which is none of timm's plain ResNets and "
            "ResNeXts: not converted"
        )
    arguments = fields.get("model_args")
    given = dict(arguments) if isinstance(arguments, dict) else {}
    given.setdefault("global_pool", fields.get("global_pool"))
    for name, value in given.items():
        if name not in _SHOWN and value not in (None, _HIDDEN.get(name)):
            raise ForeignModuleError(
                f"{path.name}: {shown(name)} of {shown(value)}, which no tensor shows; only plain "
                "ResNets and ResNeXts are converted"
            )


def _preprocessing(fields: Mapping[str, object]) -> Preprocessing | None:
    """Return the preprocessing as timm applies it: scaled to the crop over its fraction.

    Raises:
        PreprocessingError: it is not known here.
    """
    if not all(name in fields for name in ("input_size", "mean", "std")):
        return None
    size, fraction = fields["input_size"], fields.get("crop_pct", 0.875)
    if not isinstance(size, list) or len(size) != 3 or not all(map(is_whole, size)):
        raise PreprocessingError(f"input_size of three numbers expected, found {shown(size)}")
    if size[0] != 3 or size[1] != size[2]:
        raise PreprocessingError(f"a square of three channels expected, found {shown(size)}")
    if not is_number(fraction, below=1.0001) or fraction <= 0.01:
        raise PreprocessingError(f"crop_pct up to 1 expected, found {shown(fraction)}")
    if (mode := fields.get("crop_mode", "center")) != "center":
        raise PreprocessingError(f"crop_mode center expected, found {shown(mode)}")
    return Preprocessing.from_fields(
        {
            "pipeline": Pipeline.PIL,  # timm's transforms scale with Pillow
            "interpolation": fields.get("interpolation", Interpolation.BICUBIC),
            "scale": floor(size[1] / fraction),
            "crop": size[1],
            "mean": fields["mean"],
            "std": fields["std"],
        },
        "pretrained_cfg",
    )


def _classes(fields: Mapping[str, object]) -> tuple[str, ...] | None:
    """Return the names of the classes, if the configuration has one text for each."""
    names = fields.get("label_names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    described = fields.get("label_descriptions")
    if isinstance(described, dict):
        names = [str(described.get(name, name)) for name in names]
    return tuple(names) if names else None

"""Modules of networks that are not of the family, by which their state dicts are told."""

import re
from collections.abc import Mapping
from typing import Final

from convert.source.errors import ForeignModuleError
from convert.source.source import Array
from resnext.fields import cut

POOLED: Final = "an average pool in front of a projection (ResNet-D)"

# Pattern of a module's name, at the beginning of a tensor's -> what has such a module. The first
# that fits is named.
FOREIGN: Final = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"layer\d+\.\d+\.conv[12]\.[a-z]+\d*(?=\.)", "split or selective kernels"),
        (
            r"(.*?\.)?(se|se_module|se_layer|eca|cbam)(?=\.)",
            "channels that are weighed (SE, ECA)",
        ),
        (r"(.*?\.)?(attn|self_attn|attention)(?=\.)", "attention"),
        (r"cls_token$|pos_embed$|patch_embed(?=\.)", "a vision transformer"),
        (r"conv1\.\d+(?=\.)|layer0(?=\.)|stem(?=\.)", "a stem of several convolutions"),
        (r"(.*?\.)?(aa(?=\.)|filt$)", "anti-aliasing"),
        (r"layer\d+\.\d+\.(convs|bns)(?=\.)", "Res2Net"),
        (r"layer\d+\.\d+\.downsample\.2(?=\.)", POOLED),
        (r"(.*?\.)?(gamma|layer_scale\w*)$", "a scale of its own for each layer"),
    )
)
_SECOND_PROJECTION: Final = re.compile(r"(layer\d+\.\d+\.downsample\.1)\.weight")


def check_modules(arrays: Mapping[str, Array]) -> None:
    """Refuse a state dict with a module that no network of the family has.

    Raises:
        ForeignModuleError: names the module and what has it.
    """
    for name, array in arrays.items():
        if (found := _SECOND_PROJECTION.fullmatch(name)) and array.ndim == 4:
            _refuse(found[1], POOLED)
        for pattern, words in FOREIGN:
            if found := pattern.match(name):
                _refuse(found[0], words)


def _refuse(module: str, words: str) -> None:
    raise ForeignModuleError(
        f"{cut(module)}: {words}, which no network of the ResNeXt and ResNet family has; leaving "
        "it out would change the answers: not converted"
    )

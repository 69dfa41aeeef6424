"""Modules of networks that are not of the family, by which their state dicts are told."""

import re
from collections.abc import Mapping
from typing import Final

from convert.source.errors import ForeignModuleError
from convert.source.source import Array
from resnext.fields import cut

# Pattern of a tensor's name -> what has such a module. The first that fits is named.
FOREIGN: Final = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"(.*\.)?(se|se_module|se_layer|eca|cbam)\..+", "a block that weighs channels (SE, ECA)"),
        (r"(.*\.)?(attn|self_attn|attention)\..+", "attention"),
        (r"(cls_token|pos_embed|patch_embed\..+|.*\.qkv\..+)", "a vision transformer"),
        (r"(conv1\.\d+\..+|layer0\..+|stem\..+)", "a stem of several convolutions"),
        (r"(.*\.)?(aa\..+|filt)", "anti-aliasing"),
        (r"layer\d+\.\d+\.(convs|bns)\..+", "Res2Net"),
        (r"layer\d+\.\d+\.conv2\.(conv|bn\d|fc\d?|paths|attn)\b.*", "split or selective kernels"),
        (
            r"layer\d+\.\d+\.downsample\.2\..+",
            "an average pool in front of a projection (ResNet-D)",
        ),
        (r"(.*\.)?(gamma|layer_scale\w*)", "a scale of its own for each layer"),
    )
)
_SECOND_PROJECTION: Final = re.compile(r"layer\d+\.\d+\.downsample\.1\.weight")


def check_modules(arrays: Mapping[str, Array]) -> None:
    """Refuse a state dict with a module that no network of the family has.

    Raises:
        ForeignModuleError: names the module and what has it.
    """
    for name, array in arrays.items():
        if _SECOND_PROJECTION.fullmatch(name) and array.ndim == 4:
            _refuse(name, "an average pool in front of a projection (ResNet-D)")
    for name in arrays:
        for pattern, words in FOREIGN:
            if pattern.fullmatch(name):
                _refuse(name, words)


def _refuse(name: str, words: str) -> None:
    raise ForeignModuleError(
        f"{cut(name)}: {words}, which no network of the ResNeXt and ResNet family has; leaving it "
        "out would change the answers: not converted"
    )

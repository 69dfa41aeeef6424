"""The settings of MXNet's operators: how each is written, its default, and which have no effect."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from convert.mxnet.symbol import Node
from convert.source.errors import StructureError
from resnext.fields import shown

Parser = Callable[[str], object]

_INTEGER: Final = re.compile(r"[0-9]{1,9}L?")
_PAIR: Final = re.compile(r"[(\[]\s*([0-9]{1,9})L?\s*,\s*([0-9]{1,9})L?\s*,?\s*[)\]]")
_FLOAT: Final = re.compile(r"[+-]?(\d{1,40}\.?\d{0,40}|\.\d{1,40})([eE][+-]?\d{1,3})?")


def whole(text: str) -> int:
    """Parse a whole number of at least 0."""
    if not _INTEGER.fullmatch(text):
        raise ValueError
    return int(text.rstrip("L"))


def pair(text: str) -> tuple[int, int]:
    """Parse a pair (height, width)."""
    if not (match := _PAIR.fullmatch(text)):
        raise ValueError
    return int(match[1]), int(match[2])


def number(text: str) -> float:
    """Parse a number."""
    if not _FLOAT.fullmatch(text):
        raise ValueError
    return float(text)


def flag(text: str) -> bool:
    """Parse True or False."""
    return {"True": True, "true": True, "1": True, "False": False, "false": False, "0": False}[text]


def floats(text: str) -> str:
    """Take the name of a type of floats."""
    if text not in ("float16", "float32", "float64"):
        raise ValueError
    return text


def flat(text: str) -> str:
    """Take the shape that makes one row of each picture."""
    if re.sub(r"\s", "", text).strip("()[]") != "0,-1":
        raise ValueError
    return text


def word(text: str) -> str:
    """Take a word as it is."""
    return text


@dataclass(frozen=True, slots=True)
class Setting:
    """How a setting is read.

    Attributes:
        parse: raises ValueError or KeyError for what it cannot read.
        kind: what it parses, in words.
        default: where it is left out; `REQUIRED` if it must not be.
        only: the one value that this project converts; None if a value is compared later.
    """

    parse: Parser
    kind: str
    default: object
    only: object = None


REQUIRED: Final = object()


def _whole(default: object = REQUIRED) -> Setting:
    return Setting(whole, "a whole number", default)


def _pair(default: object = REQUIRED) -> Setting:
    return Setting(pair, "a pair of whole numbers", default)


def _flag(*, default: bool, only: bool | None = None) -> Setting:
    return Setting(flag, "True or False", default, only)


def _word(default: object, only: str | None = None) -> Setting:
    return Setting(word, "a word", default, only)


_LAYOUT: Final = Setting(word, "a word", "NCHW", "NCHW")

# Operator -> its settings that change the arithmetic of a prediction.
SETTINGS: Final[Mapping[str, Mapping[str, Setting]]] = {
    "Convolution": {
        "num_filter": _whole(),
        "kernel": _pair(),
        "stride": _pair((1, 1)),
        "pad": _pair((0, 0)),
        "dilate": _pair((1, 1)),
        "num_group": _whole(1),
        "no_bias": _flag(default=False),
        "layout": _LAYOUT,
    },
    "BatchNorm": {
        "eps": Setting(number, "a number", 1e-3),
        "fix_gamma": _flag(default=True),
        "output_mean_var": _flag(default=False, only=False),
        "axis": Setting(word, "a whole number", "1", "1"),
    },
    "Activation": {"act_type": _word(REQUIRED, "relu")},
    "relu": {},
    "Pooling": {
        "kernel": _pair((1, 1)),
        "stride": _pair((1, 1)),
        "pad": _pair((0, 0)),
        "pool_type": _word("max"),
        "global_pool": _flag(default=False),
        "pooling_convention": _word("valid"),
        "count_include_pad": _flag(default=True, only=True),
        "layout": _LAYOUT,
    },
    "add": {},
    "add_n": {"num_args": _whole(2)},
    "Flatten": {},
    "Reshape": {
        "shape": Setting(flat, "(0, -1), which flattens", REQUIRED),
        "reverse": _flag(default=False, only=False),
    },
    "FullyConnected": {
        "num_hidden": _whole(),
        "no_bias": _flag(default=False),
        "flatten": _flag(default=True, only=True),
    },
    "softmax": {},
    "identity": {"mode": _word("training", "training")},
    "cast": {"dtype": Setting(floats, "float16, float32 or float64", REQUIRED)},
}

# Name in a file -> operator; the others are other versions' names for the same arithmetic.
OPERATORS: Final = {
    **{name: name for name in SETTINGS if name not in ("add", "identity", "cast")},
    "Convolution_v1": "Convolution",
    "BatchNorm_v1": "BatchNorm",
    "CuDNNBatchNorm": "BatchNorm",
    "Pooling_v1": "Pooling",
    **dict.fromkeys(
        ("elemwise_add", "_plus", "_Plus", "_add", "_grad_add", "broadcast_add"), "add"
    ),
    "ElementWiseSum": "add_n",
    "flatten": "Flatten",
    "reshape": "Reshape",
    **dict.fromkeys(("SoftmaxOutput", "Softmax", "SoftmaxActivation"), "softmax"),
    "log_softmax": "softmax",
    **dict.fromkeys(("_copy", "identity", "Dropout"), "identity"),
    **dict.fromkeys(("Cast", "cast", "amp_cast"), "cast"),
}

# Operator -> its settings that change no prediction, with the reason.
_SPEED: Final = "how fast or in how much memory it is computed"
_TRAINING: Final = "of the training only"
NO_EFFECT: Final[Mapping[str, Mapping[str, str]]] = {
    "Convolution": {"workspace": _SPEED, "cudnn_tune": _SPEED, "cudnn_off": _SPEED},
    "BatchNorm": {
        "momentum": _TRAINING,
        "use_global_stats": _TRAINING,
        "cudnn_off": _SPEED,
    },
    "Pooling": {"cudnn_off": _SPEED},
    "softmax": dict.fromkeys(
        (
            *("grad_scale", "ignore_label", "multi_output", "use_ignore", "preserve_shape"),
            *("normalization", "out_grad", "smooth_alpha", "axis", "mode", "temperature"),
            *("use_length", "dtype"),
        ),
        "it is behind the logits",
    ),
    "identity": {"p": _TRAINING, "axes": _TRAINING, "cudnn_off": _SPEED},
}
# The same of every node: `weight_lr_mult` and such, and what a user notes in underscores.
OF_ANY: Final = {"mirror_stage": _SPEED, "force_mirroring": _SPEED, "ctx_group": _SPEED}
OF_TRAINING: Final = re.compile(r"(\w+_)?(lr|wd)_mult|__\w+__")


def read_settings(node: Node, operator: str) -> dict[str, object]:
    """Return the settings of a node that change the arithmetic, the default where one is left out.

    Args:
        node: of the graph.
        operator: a key of `SETTINGS`.

    Raises:
        StructureError: one is unknown, missing, unreadable, or has a value that no network of the
            family has.
    """
    rows, without = SETTINGS[operator], NO_EFFECT.get(operator, {})
    for name in node.attributes:
        known = name in rows or name in without or name in OF_ANY
        if not known and not OF_TRAINING.fullmatch(name):
            raise StructureError(
                f"{node.place}: settings of {operator} expected, found the unknown {shown(name)}; "
                "it might change the answers: not converted"
            )
    return {name: _value(node, name, row) for name, row in rows.items()}


def _value(node: Node, name: str, row: Setting) -> object:
    text = node.attributes.get(name)
    unset = text is None or text in ("None", "()")
    if unset and row.default is REQUIRED:
        raise StructureError(f"{node.place}: {name} is missing, {row.kind} expected")
    try:
        value = row.default if text is None or unset else row.parse(text)
    except (ValueError, KeyError) as error:
        raise StructureError(
            f"{node.place}: {name} must be {row.kind}, found {shown(text)}"
        ) from error
    if row.only is not None and value != row.only:
        raise StructureError(
            f"{node.place}: {name} {row.only} expected, found {shown(value)}; no ResNeXt or ResNet "
            "of the family has it: not converted"
        )
    return value

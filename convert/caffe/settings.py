"""The fields of Caffe's layers: which change a prediction, and which do not and why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from convert.caffe.layers import SYMBOL, WHOLE, Form, Layer
from convert.caffe.text_format import Message
from convert.source.errors import ForeignModuleError, StructureError, first_of
from resnext.fields import cut, shown

_TRAINING: Final = "of the training only"
_SPEED: Final = "how fast it is computed"
_NAMES: Final = "says what the graph is"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerType:
    """A type of layer.

    Attributes:
        parameters: the field of its parameters; "" if it has none.
        fields: of these, what changes a prediction and is compared.
        without_effect: the others that it may have, and why they change no prediction.
        blobs: names of its arrays, in their order.
    """

    parameters: str = ""
    fields: frozenset[str] = frozenset()
    without_effect: Mapping[str, str] = field(default_factory=dict)
    blobs: tuple[str, ...] = ()


def _fields(*names: str) -> frozenset[str]:
    return frozenset(names)


def _window(*sides: str) -> Iterable[str]:
    for side in sides:
        yield from (side if side != "kernel" else "kernel_size", f"{side}_h", f"{side}_w")


_FILLERS: Final = dict.fromkeys(("weight_filler", "bias_filler", "filler"), _TRAINING)
_ENGINE: Final = {"engine": _SPEED}

TYPES: Final[Mapping[str, LayerType]] = {
    "Input": LayerType(parameters="input_param", fields=_fields("shape")),
    "Data": LayerType(
        parameters="data_param",
        without_effect=dict.fromkeys(
            ("source", "backend", "batch_size", "rand_skip", "prefetch"), "where pictures lie"
        ),
    ),
    "ImageData": LayerType(
        parameters="image_data_param",
        without_effect=dict.fromkeys(
            (
                *("source", "batch_size", "rand_skip", "shuffle", "new_height", "new_width"),
                *("is_color", "root_folder"),
            ),
            "where pictures lie",
        ),
    ),
    "Convolution": LayerType(
        parameters="convolution_param",
        fields=_fields(
            *_window("kernel", "stride", "pad"),
            *("num_output", "bias_term", "dilation", "group", "axis"),
        ),
        without_effect={**_FILLERS, **_ENGINE, "force_nd_im2col": _SPEED},
        blobs=("weight", "bias"),
    ),
    "BatchNorm": LayerType(
        parameters="batch_norm_param",
        fields=_fields("use_global_stats", "eps"),
        without_effect={"moving_average_fraction": _TRAINING, **_ENGINE},
        blobs=("mean", "variance", "factor"),
    ),
    "Scale": LayerType(
        parameters="scale_param",
        fields=_fields("axis", "num_axes", "bias_term"),
        without_effect=_FILLERS,
        blobs=("gamma", "beta"),
    ),
    "ReLU": LayerType(
        parameters="relu_param", fields=_fields("negative_slope"), without_effect=_ENGINE
    ),
    "Pooling": LayerType(
        parameters="pooling_param",
        fields=_fields(
            *_window("kernel", "stride", "pad"), "pool", "global_pooling", "round_mode", "ceil_mode"
        ),
        without_effect=_ENGINE,
    ),
    "Eltwise": LayerType(
        parameters="eltwise_param",
        fields=_fields("operation", "coeff"),
        without_effect={"stable_prod_grad": _TRAINING},
    ),
    "InnerProduct": LayerType(
        parameters="inner_product_param",
        fields=_fields("num_output", "bias_term", "axis", "transpose"),
        without_effect=_FILLERS,
        blobs=("weight", "bias"),
    ),
    "Flatten": LayerType(parameters="flatten_param", fields=_fields("axis", "end_axis")),
    "Reshape": LayerType(parameters="reshape_param", fields=_fields("shape", "axis", "num_axes")),
    "Softmax": LayerType(
        parameters="softmax_param", without_effect={"axis": "it is behind the logits", **_ENGINE}
    ),
    "Dropout": LayerType(
        parameters="dropout_param",
        fields=_fields("scale_train"),
        without_effect={"dropout_ratio": _TRAINING},
    ),
}

# Fields that every layer may have, and why they change no prediction.
OF_ANY: Final = {
    **dict.fromkeys(("name", "type", "bottom", "top", "include", "exclude"), _NAMES),
    **dict.fromkeys(("param", "loss_weight", "propagate_down", "phase"), _TRAINING),
}
# Types that a text for training has behind the logits.
OF_LABELS: Final = frozenset({"SoftmaxWithLoss", "Accuracy"})
# Fields of `param`; a name shares the weights of two layers.
OF_PARAM: Final = frozenset({"lr_mult", "decay_mult"})


def check_fields(layers: Iterable[Layer]) -> None:
    """Check that layers are of known types, with known fields only.

    Raises:
        ForeignModuleError: layers of a type that no network of the family has; names each place.
        StructureError: a field that might change the answers.
    """
    layers = tuple(layers)
    foreign = [f"{layer.place} ({cut(layer.type)})" for layer in layers if layer.type not in TYPES]
    if foreign:
        reason = "and leaving it out would change the answers; not converted"
        if any(layer.type in OF_LABELS for layer in layers):
            reason = "which takes labels: a text for training; give the one for prediction (deploy)"
        raise ForeignModuleError(
            f"{first_of(foreign)}: no layer of the ResNeXt and ResNet family, {reason}"
        )
    for layer in layers:
        row = TYPES[layer.type]
        known = {row.parameters, "transform_param", *OF_ANY}
        unknown = [name for name in layer.message.fields if name not in known]
        inside = layer.parameters(row.parameters).fields if row.parameters else {}
        unknown += [name for name in inside if name not in row.fields | row.without_effect.keys()]
        for param in layer.message.fields.get("param", []):
            names = param.fields if isinstance(param, Message) else {"no message": []}
            unknown += [f"param.{name}" for name in names if name not in OF_PARAM]
        if unknown:
            raise StructureError(
                f"{layer.place}: fields of {layer.type} expected, found the unknown "
                f"{shown(unknown[0])}; it might change the answers: not converted"
            )


def sides(layer: Layer, parameters: Message, name: str, usual: int) -> tuple[int, int]:
    """Return height and width of a window: `name` once or twice, or `name_h` and `name_w`.

    Args:
        layer: for messages.
        parameters: its message.
        name: "kernel", "stride", "pad" or "dilation".
        usual: where neither is given.

    Raises:
        StructureError: three sides or more, or both ways.
    """
    found = layer.values(parameters, "kernel_size" if name == "kernel" else name, WHOLE)
    both = [layer.values(parameters, f"{name}_{axis}", WHOLE) for axis in "hw"]
    if len(found) > 2 or (found and any(both)) or any(len(each) > 1 for each in both):
        raise StructureError(f"{layer.place}: {name} of one or two sides expected")
    if any(both):
        height, width = ((each or [usual])[0] for each in both)
        return height, width
    return (found[0], found[-1]) if found else (usual, usual)


def choice(layer: Layer, parameters: Message, name: str, words: Mapping[str, str]) -> str:
    """Return the meaning of a word or number; the first of `words` is the usual one.

    Raises:
        StructureError: it is none of the words.
    """
    found = layer.value(parameters, name, SYMBOL, next(iter(words)))
    if found not in words:
        raise StructureError(
            f"{layer.place}: {name} {' or '.join(word for word in words if not word.isdigit())} "
            f"expected, found {shown(found)}"
        )
    return words[found]


def require(layer: Layer, parameters: Message, name: str, form: Form[int], only: int) -> None:
    """Check that a field, if it is given, has the one value that is converted.

    Raises:
        StructureError: it has another.
    """
    found = layer.value(parameters, name, form, only)
    if found != only:
        raise StructureError(f"{layer.place}: {name} {only} expected, found {found}")

"""The Lua classes of the family: their kinds, settings, weights and ignored fields, as tables."""

from typing import Final

# Class name in the file -> kind: nn's, cudnn's and fbnn's classes of one kind compute the same.
KINDS: Final = {
    "nn.Sequential": "Sequential",
    "nn.ConcatTable": "ConcatTable",
    "nn.CAddTable": "CAddTable",
    "nn.JoinTable": "JoinTable",
    "nn.Concat": "Concat",
    "nn.Identity": "Identity",
    "nn.Copy": "Copy",
    "nn.MulConstant": "MulConstant",
    "nn.View": "View",
    "nn.Linear": "Linear",
    "nn.ReLU": "ReLU",
    "cudnn.ReLU": "ReLU",
    "nn.SpatialConvolution": "SpatialConvolution",
    "nn.SpatialConvolutionMM": "SpatialConvolution",
    "cudnn.SpatialConvolution": "SpatialConvolution",
    "nn.SpatialBatchNormalization": "SpatialBatchNormalization",
    "cudnn.SpatialBatchNormalization": "SpatialBatchNormalization",
    "fbnn.SpatialBatchNormalization": "SpatialBatchNormalization",
    "nn.SpatialMaxPooling": "SpatialMaxPooling",
    "cudnn.SpatialMaxPooling": "SpatialMaxPooling",
    "nn.SpatialAveragePooling": "SpatialAveragePooling",
    "cudnn.SpatialAveragePooling": "SpatialAveragePooling",
}

AVERAGE_MODES: Final = frozenset(
    {  # all the same without padding, and the padding is checked to be zero
        b"CUDNN_POOLING_AVERAGE",
        b"CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING",
        b"CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING",
    }
)

# Every setting that changes the results of a kind, and its value where the file has none.
# REQUIRED: a file without the setting is refused.
REQUIRED: Final = object()
_WINDOW: Final = {"kW": REQUIRED, "kH": REQUIRED, "dW": 1.0, "dH": 1.0, "padW": 0.0, "padH": 0.0}
SETTINGS: Final[dict[str, dict[str, object]]] = {
    "Sequential": {},
    "ConcatTable": {},
    "CAddTable": {},
    "JoinTable": {"dimension": REQUIRED, "nInputDims": None},
    "Concat": {"dimension": REQUIRED},
    "Identity": {},
    "Copy": {},
    # In place it would overwrite the output of the Identity beside it.
    "MulConstant": {"constant_scalar": REQUIRED, "inplace": False},
    "View": {"size": REQUIRED, "numElements": REQUIRED, "numInputDims": None},
    "Linear": {},
    "ReLU": {"threshold": 0.0, "val": 0.0, "mode": b"CUDNN_ACTIVATION_RELU"},
    "SpatialConvolution": {
        **_WINDOW,
        "nInputPlane": REQUIRED,
        "nOutputPlane": REQUIRED,
        "groups": 1.0,
        "dilationW": 1.0,
        "dilationH": 1.0,
    },
    "SpatialBatchNormalization": {"eps": REQUIRED, "affine": True},
    "SpatialMaxPooling": {**_WINDOW, "ceil_mode": False, "mode": b"CUDNN_POOLING_MAX"},
    "SpatialAveragePooling": {
        **_WINDOW,
        "ceil_mode": False,
        "divide": True,
        "mode": b"CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING",
    },
}

# Classes with another default than their kind's where the file lacks the setting.
CLASS_SETTINGS: Final[dict[str, dict[str, object]]] = {
    # Files older than the field sum: nn's updateOutput still does so without it.
    "nn.SpatialAveragePooling": {"divide": False},
}

# Fields that would replace a module's computation with a function from the file.
METHODS: Final = frozenset({"forward", "updateOutput"})

# The tensors of a kind that are converted.
WEIGHTS: Final[dict[str, frozenset[str]]] = {
    "SpatialConvolution": frozenset({"weight", "bias"}),
    "SpatialBatchNormalization": frozenset(
        {"weight", "bias", "running_mean", "running_var", "running_std"}
    ),
    "Linear": frozenset({"weight", "bias"}),
}

_GRADIENT: Final = "a gradient, zeroed at the next step"
_ACTIVATION: Final = "an activation of the last picture that was seen"
_SCRATCH: Final = "scratch space of the backend"
_SIZES: Final = "sizes of the last input"
# Fields with tensors that are not converted, each with the reason.
LEFT_BEHIND: Final = {
    "gradWeight": _GRADIENT,
    "gradBias": _GRADIENT,
    "gradInput": _GRADIENT,
    "_gradOutput": _GRADIENT,
    "output": _ACTIVATION,
    "_input": _ACTIVATION,
    "_output": _ACTIVATION,
    "normalized": _ACTIVATION,
    "centered": _ACTIVATION,
    "input_slice": _ACTIVATION,
    "output_slice": _ACTIVATION,
    "indices": "where the last picture's maxima were",
    "save_mean": "statistics of the last batch",
    "save_std": "statistics of the last batch",
    "finput": _SCRATCH,
    "fgradInput": _SCRATCH,
    "buffer": _SCRATCH,
    "buffer2": _SCRATCH,
    "addBuffer": _SCRATCH,
    "ones": _SCRATCH,
    "std": _SCRATCH,
    "iSize": _SIZES,
    "iDesc": _SCRATCH,
    "oDesc": _SCRATCH,
    "convDescData": "derived by cudnn from the settings at each forward",
    "pad": "derived by cudnn from padW and padH at each forward",
    "stride": "derived by cudnn from dW and dH at each forward",
    "size": _SIZES,
    "outputSize": _SIZES,
}

"""The module tree that the original's model files build for a spec, to compare a file with.

Sources: models/resnext.lua of the ResNeXt release; models/resnet.lua and models/preresnet.lua of
fb.resnet.torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from convert.torch7.lua_classes import AVERAGE_MODES
from resnext.layout import BatchNorm, Convolution, Layout, Linear, Residual, layout
from resnext.spec import Spec, Stem


@dataclass(frozen=True, slots=True)
class Expected:
    """One module of the expected tree.

    Attributes:
        kind: a value of `lua_classes.KINDS`.
        settings: those that differ from the defaults of `lua_classes.SETTINGS`; a frozenset lists
            several allowed values.
        modules: the children.
        layer: that its tensors belong to; form B's modules hold slices of a layer, in order.
    """

    kind: str
    settings: Mapping[str, object] = field(default_factory=dict)
    modules: tuple["Expected", ...] = ()
    layer: Convolution | BatchNorm | Linear | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeForm:
    """Variants of the tree of a spec between versions of the original, with equal results.

    Attributes:
        branches: form B, one branch for each group, instead of form C, grouped convolutions.
        wrapped: a projection is inside an nn.Sequential, as in all versions with a batch norm.
        normed: a projection has the batch norm that the spec says. In the published ResNet-18 and
            34 it has none (fb.resnet.torch, issue 49).
    """

    branches: bool = False
    wrapped: bool = True
    normed: bool = True


RELU = Expected("ReLU")
IDENTITY = Expected("Identity")
ADD = Expected("CAddTable")


def expected_tree(spec: Spec, form: TreeForm) -> Expected:
    """Return the tree that `th main.lua` builds.

    Args:
        spec: the network.
        form: the variant.
    """
    rows = layout(spec)
    modules = [_convolution(rows.stem)]
    if rows.stem_norm:
        modules += [_norm(rows.stem_norm), RELU]
    if spec.stem is Stem.IMAGENET:
        modules.append(Expected("SpatialMaxPooling", _window(3, 2, 1)))
    modules += [_sequential(*(_block(row, spec, form) for row in s)) for s in rows.stages]
    if rows.last_norm:
        modules += [_norm(rows.last_norm), RELU]
    return _sequential(*modules, *_head(rows, spec))


def _head(rows: Layout, spec: Spec) -> list[Expected]:
    features = float(spec.features)
    pool = {**_window(spec.pool, 1, 0), "mode": AVERAGE_MODES}
    view = {
        "size": (features,),
        "numElements": features,
        "numInputDims": frozenset({None, 3.0}),
    }
    return [
        Expected("SpatialAveragePooling", pool),
        Expected("View", view),
        Expected("Linear", layer=rows.classifier),
    ]


def _block(row: Residual, spec: Spec, form: TreeForm) -> Expected:
    branch = _branch(row, spec, form)
    shortcut = _shortcut(row, form)
    if spec.norm.is_pre:
        before = [_norm(norm), RELU] if (norm := row.norms[0]) else []
        if row.shared_preactivation:
            return _sequential(*before, _fork(_sequential(*branch), shortcut), ADD)
        return _sequential(_fork(_sequential(*before, *branch), shortcut), ADD)
    after = [_norm(row.norm_add)] if row.norm_add else []
    return _sequential(_fork(_sequential(*branch), shortcut), ADD, *after, RELU)


def _branch(row: Residual, spec: Spec, form: TreeForm) -> list[Expected]:
    """List the modules of the branch, without a batch norm and ReLU in front of it."""
    # entry k: the batch norm after convolution k, which may be the one before convolution k + 1
    norms = (*row.norms[1:], None) if spec.norm.is_pre else row.norms
    last = len(row.convolutions) - 1
    modules: list[Expected] = []
    for index, (convolution, norm) in enumerate(zip(row.convolutions, norms, strict=True)):
        modules.append(_convolution(convolution))
        modules += [_norm(norm)] if norm else []
        modules += [RELU] if index < last else []
    if not form.branches:
        return modules
    parts = _sequential(*(_part(module, spec.cardinality) for module in modules[:6]))
    join = Expected("JoinTable", {"dimension": 2.0})
    return [_fork(*[parts] * spec.cardinality), join, *modules[6:]]


def _part(module: Expected, cardinality: int) -> Expected:
    """Return a module of one of form B's branches, which computes the channels of one group.

    `layer` remains the whole layer; the branches' tensors are its slices along the outputs.
    """
    match module.layer:
        case Convolution() as row:
            whole = _convolution(
                replace(
                    row,
                    inputs=row.inputs // row.groups,
                    outputs=row.outputs // cardinality,
                    groups=1,
                )
            )
            return replace(whole, layer=row)
        case _:
            return module


def _shortcut(row: Residual, form: TreeForm) -> Expected:
    if row.pads:
        zeros = Expected("MulConstant", {"constant_scalar": 0.0})
        pool = Expected(
            # A window of one pixel has the same sum and average.
            "SpatialAveragePooling",
            {
                **_window(1, row.stride, 0),
                "mode": AVERAGE_MODES,
                "divide": frozenset({True, False}),
            },
        )
        concat = Expected("Concat", {"dimension": 2.0}, (IDENTITY, zeros))
        return _sequential(pool, concat)
    if row.projection is None:
        return IDENTITY
    norm = [_norm(row.projection_norm)] if row.projection_norm and form.normed else []
    if not form.wrapped:
        return _convolution(row.projection)
    return _sequential(_convolution(row.projection), *norm)


def _sequential(*modules: Expected) -> Expected:
    return Expected("Sequential", modules=modules)


def _fork(*modules: Expected) -> Expected:
    return Expected("ConcatTable", modules=modules)


def _convolution(row: Convolution) -> Expected:
    settings = {
        **_window(row.kernel, row.stride, row.padding),
        "nInputPlane": float(row.inputs),
        "nOutputPlane": float(row.outputs),
        "groups": float(row.groups),
    }
    return Expected("SpatialConvolution", settings, layer=row)


def _norm(row: BatchNorm) -> Expected:
    return Expected("SpatialBatchNormalization", {"eps": 1e-5}, layer=row)


def _window(kernel: int, stride: int, padding: int) -> Mapping[str, object]:
    sides = {"k": kernel, "d": stride, "pad": padding}
    return MappingProxyType(
        {name + axis: float(size) for name, size in sides.items() for axis in "WH"}
    )

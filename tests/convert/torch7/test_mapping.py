"""The mapping: golden networks give their spec, and whatever else differs is refused by place."""

import copy
import math
import resource
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from convert.source.errors import ForeignModuleError, RefusedError, StructureError, WeightError
from convert.torch7 import file as t7
from convert.torch7 import objects
from convert.torch7.mapping import Network, read_network
from convert.torch7.tree import Module, find_network
from resnext.spec import Block, Norm, Shortcut, Spec, Stem
from tests.support.lua_nets import at, children, net, numbers_of, place
from tests.support.t7_writer import Function, Object, Pairs, Storage, Tensor, dumps, tensor

IMAGENET = {"stem_kind": "imagenet", "counts": (1, 1, 1, 1)}


def tree_of(model: Object) -> Module:
    return find_network(t7.loads(dumps(model)).root)


def convert(model: Object) -> Network:
    return read_network(tree_of(model))


# Golden networks

CIFAR = Spec(
    blocks=(1, 1, 1),
    stem=Stem.CIFAR,
    cardinality=4,
    base_width=4,
    planes=8,
    stem_width=8,
    classes=10,
)
CIFAR_RESNET = replace(CIFAR, cardinality=1, base_width=8)
SPECS = {
    "cifar_c": CIFAR,
    "cifar_b": CIFAR,
    "cifar_resnet": CIFAR_RESNET,
    "cifar_basic_a": replace(
        CIFAR_RESNET, blocks=(2, 2, 2), block=Block.BASIC, shortcut=Shortcut.A
    ),
    "cifar_c_shortcut_c": replace(CIFAR, blocks=(2, 1, 1), shortcut=Shortcut.C),
    "imagenet_c50": replace(CIFAR, blocks=(3, 4, 6, 3), stem=Stem.IMAGENET, classes=20),
    "imagenet_basic18": replace(
        CIFAR_RESNET, blocks=(2, 2, 2, 2), stem=Stem.IMAGENET, block=Block.BASIC, classes=20
    ),
    "imagenet_bn_after_add50": replace(
        CIFAR_RESNET, blocks=(3, 4, 6, 3), stem=Stem.IMAGENET, norm=Norm.AFTER_ADD, classes=20
    ),
    "preact_cifar20": Spec(
        blocks=(3, 3, 3),
        stem=Stem.CIFAR,
        block=Block.BASIC,
        norm=Norm.PRE,
        base_width=16,
        planes=16,
        stem_width=16,
        classes=10,
    ),
    "flat_storage": CIFAR,
    "double": CIFAR,
    "cuda": CIFAR,
    "cuda_half": CIFAR,
    "cudnn_bn": CIFAR,
    "fbnn": CIFAR,
    "ascii": CIFAR,
    "long32": CIFAR,
    "running_std": CIFAR,
    "weights_2d": CIFAR_RESNET,
    "conv_bias": CIFAR_RESNET,
    "data_parallel": CIFAR,
    "in_a_table": CIFAR,
    "classes100": replace(CIFAR, classes=100),
}


@pytest.mark.parametrize("name", SPECS)
def test_golden_network_gives_its_spec(golden: Callable[[str], Any], name: str) -> None:
    root = t7.load(golden(name).path).root
    assert read_network(find_network(root)).spec == SPECS[name]


@pytest.mark.parametrize(
    ("name", "form"), [("cifar_c", "C"), ("cifar_b", "B"), ("cifar_resnet", "")]
)
def test_golden_network_gives_its_form(golden: Callable[[str], Any], name: str, form: str) -> None:
    assert read_network(find_network(t7.load(golden(name).path).root)).form == form


@pytest.mark.parametrize(
    ("name", "conversions"),
    [
        ("cifar_b", ()),
        ("flat_storage", ()),
        ("weights_2d", ()),
        (
            "conv_bias",
            ("bias of a convolution folded into the batch norm behind it (13 times)",),
        ),
        (
            "running_std",
            ("running_std of a batch norm of version 1 converted to a variance (13 times)",),
        ),
    ],
)
def test_golden_network_tells_what_was_converted(
    golden: Callable[[str], Any], name: str, conversions: tuple[str, ...]
) -> None:
    assert read_network(find_network(t7.load(golden(name).path).root)).conversions == conversions


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("cuda_half", "float16"), ("cuda", "float32"), ("double", "float64")],
)
def test_golden_network_keeps_its_precision(
    golden: Callable[[str], Any], name: str, dtype: str
) -> None:
    tensors = read_network(find_network(t7.load(golden(name).path).root)).tensors
    found = {n: a.dtype.name for n, a in tensors.items() if "num_batches" not in n}
    assert set(found.values()) == {dtype}


@pytest.mark.parametrize(
    ("name", "error", "where"),
    [
        ("foreign_layer", ForeignModuleError, r"model\.modules\[4\] \(nn\.SpatialDropout @ byte"),
        (
            "odd_stride",
            StructureError,
            r"model\.modules\[4\](\.modules\[1\]){3}\.modules\[4\] .*: dW = 1 expected, found 2",
        ),
        (
            "nan_weight",
            WeightError,
            r"model\.modules\[1\] \(cudnn\.SpatialConvolution @ byte \d+\): weight holds NaN",
        ),
    ],
)
def test_golden_network_outside_the_family_is_refused(
    golden: Callable[[str], Any], name: str, error: type[RefusedError], where: str
) -> None:
    root = t7.load(golden(name).path).root
    with pytest.raises(error, match=where):
        read_network(find_network(root))


def test_weights_that_need_no_change_are_views_of_the_file() -> None:
    data = dumps(net())
    network = read_network(find_network(t7.loads(data).root))
    for name, array in network.tensors.items():
        if "num_batches" not in name:
            assert np.shares_memory(array, np.frombuffer(data, np.uint8)), name


# Settings that change the arithmetic: in the second stage, where nothing is read off them

C, B, A = {}, {"block": "resnext_B"}, {"block": "basic", "shortcut": "A"}
NN = {"nn": True, "block": "resnet"}
CONV, PROJECTION, LAST = (5, 1, 1, 1, 4), (5, 1, 1, 2, 1), (5, 1, 1, 1, 7)
NORM, RELU = (5, 1, 1, 1, 5), (5, 1, 1, 1, 6)

SETTINGS: list[tuple[str, dict[str, Any], tuple[int, ...], str, Any]] = [
    ("conv", C, CONV, "kW", 5),
    ("conv", C, CONV, "kH", 1),
    ("conv", C, CONV, "dW", 1),
    ("conv", C, CONV, "dH", 1),
    ("conv", C, CONV, "padW", 0),
    ("conv", C, CONV, "padH", 2),
    ("conv", C, CONV, "padW", 0.5),
    ("conv", C, CONV, "groups", 1),
    ("conv", C, CONV, "groups", 4),
    ("conv", C, CONV, "dilationW", 2),
    ("conv", C, CONV, "dilationH", 2),
    ("conv", C, CONV, "nInputPlane", 11),
    ("conv", C, CONV, "nOutputPlane", 24),
    ("projection", C, PROJECTION, "dW", 1),
    ("projection", C, PROJECTION, "padH", 1),
    ("projection", C, PROJECTION, "groups", 2),
    ("last conv", C, LAST, "dW", 2),
    ("stem", C, (1,), "dW", 2),
    ("stem", C, (1,), "padW", 0),
    ("stem", C, (1,), "nInputPlane", 1),
    ("stem", IMAGENET, (1,), "kH", 3),
    ("stem", IMAGENET, (1,), "dH", 1),
    ("norm", C, NORM, "eps", 1e-3),
    ("norm", C, NORM, "eps", 0),
    ("norm", C, NORM, "eps", math.nan),
    ("norm", C, NORM, "affine", False),
    ("relu", NN, RELU, "threshold", 0.1),
    ("relu", NN, RELU, "val", 0.1),
    ("relu", C, RELU, "mode", "CUDNN_ACTIVATION_SIGMOID"),
    ("relu", C, RELU, "mode", "CUDNN_ACTIVATION_CLIPPED_RELU"),
    ("max pool", IMAGENET, (4,), "kW", 2),
    ("max pool", IMAGENET, (4,), "kH", 2),
    ("max pool", IMAGENET, (4,), "dW", 1),
    ("max pool", IMAGENET, (4,), "dH", 1),
    ("max pool", IMAGENET, (4,), "padW", 0),
    ("max pool", IMAGENET, (4,), "padH", 0),
    ("max pool", IMAGENET, (4,), "ceil_mode", True),
    ("max pool", IMAGENET, (4,), "ceil_mode", 0),  # true in Lua
    ("max pool", IMAGENET, (4,), "mode", "CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING"),
    ("average pool", C, (7,), "kW", 4),
    ("average pool", C, (7,), "kH", 4),
    ("average pool", C, (7,), "dW", 2),
    ("average pool", C, (7,), "dH", 8),
    ("average pool", C, (7,), "padW", 1),
    ("average pool", C, (7,), "padH", 1),
    ("average pool", C, (7,), "ceil_mode", True),
    ("average pool", C, (7,), "mode", "CUDNN_POOLING_MAX"),
    ("average pool", C, (7,), "divide", False),
    ("shortcut pool", A, (5, 1, 1, 2, 1), "dW", 1),
    ("shortcut pool", A, (5, 1, 1, 2, 1), "kW", 2),
    ("concat", A, (5, 1, 1, 2, 2), "dimension", 3),
    ("zeros", A, (5, 1, 1, 2, 2, 2), "constant_scalar", 0.5),
    ("zeros", A, (5, 1, 1, 2, 2, 2), "inplace", True),
    ("join", B, (5, 1, 1, 1, 2), "dimension", 3),
    ("join", B, (5, 1, 1, 1, 2), "nInputDims", 3),
    ("branch", B, (5, 1, 1, 1, 1, 2, 4), "dW", 1),
    ("branch", B, (5, 1, 1, 1, 1, 2, 4), "kW", 1),
    ("branch", B, (5, 1, 1, 1, 1, 2, 1), "nOutputPlane", 5),
    ("branch", B, (5, 1, 1, 1, 1, 2, 4), "groups", 2),
    ("view", C, (8,), "size", Storage("Long", [4, 16])),
    ("view", C, (8,), "size", Storage("Long", [-1])),
    ("view", C, (8,), "size", tensor([64.0])),
    ("view", C, (8,), "numElements", 32),
    ("view", C, (8,), "numInputDims", 1),
]


@pytest.mark.parametrize(
    ("options", "numbers", "name", "value"),
    [row[1:] for row in SETTINGS],
    ids=[f"{row[0]} {row[3]} {row[4] if not hasattr(row[4], 'kind') else ''}" for row in SETTINGS],
)
def test_setting_that_changes_the_arithmetic_is_refused(
    options: dict[str, Any], numbers: tuple[int, ...], name: str, value: Any
) -> None:
    model = net(**options)
    at(model, *numbers).fields[name] = value
    with pytest.raises(StructureError) as caught:
        convert(model)
    assert str(caught.value).startswith(place(*numbers))
    assert f": {name} = " in str(caught.value)


REQUIRED = [
    (C, CONV, "kW"),
    (C, CONV, "kH"),
    (C, CONV, "nInputPlane"),
    (C, CONV, "nOutputPlane"),
    (C, CONV, "groups"),
    (C, CONV, "dW"),
    (C, NORM, "eps"),
    (IMAGENET, (4,), "kH"),
    (C, (7,), "kW"),
    (A, (5, 1, 1, 2, 2), "dimension"),
    (A, (5, 1, 1, 2, 2, 2), "constant_scalar"),
    (B, (5, 1, 1, 1, 2), "dimension"),
    (C, (8,), "size"),
    (C, (8,), "numElements"),
]


@pytest.mark.parametrize(
    ("options", "numbers", "name"), REQUIRED, ids=[f"{row[1]} {row[2]}" for row in REQUIRED]
)
def test_setting_that_is_missing_is_refused(
    options: dict[str, Any], numbers: tuple[int, ...], name: str
) -> None:
    model = net(**options)
    del at(model, *numbers).fields[name]
    with pytest.raises(StructureError) as caught:
        convert(model)
    assert str(caught.value).startswith(place(*numbers))
    assert name in str(caught.value)


def test_message_tells_what_to_expect_and_how_many_differences_there_are() -> None:
    model = net()
    at(model, *CONV).fields |= {"dW": 1, "dH": 1}
    with pytest.raises(
        StructureError,
        match=r"dW = 2 expected, found 1 \(and 1 more\); .*not converted",
    ):
        convert(model)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("3", "3"),
        (3.5, "3.5"),
        ("k" * 100_000, r"k{196} \.\.\."),
        (True, "true"),
        ([1, 2], "a table"),
        (tensor(np.ones((99, 99))), r"a torch\.FloatTensor"),
        (Storage("Long", [5, 3]), r"\(5, 3\)"),
    ],
    ids=["text", "number", "long text", "boolean", "table", "tensor", "sizes"],
)
def test_message_shows_any_value_in_one_short_line(value: Any, shown: str) -> None:
    model = net()
    at(model, *CONV).fields["kW"] = value
    with pytest.raises(StructureError, match=f"kW = 3 expected, found {shown};"):
        convert(model)


def test_message_shows_the_choices() -> None:
    model = net()
    at(model, 8).fields["numInputDims"] = 1
    with pytest.raises(StructureError, match="numInputDims = 3 or nil expected, found 1;"):
        convert(model)


@pytest.mark.parametrize("name", ["forward", "updateOutput"])
def test_function_in_place_of_a_method_is_refused(name: str) -> None:
    model = net()
    at(model, *RELU).fields[name] = Function(b"\x1bLJ")
    with pytest.raises(StructureError, match=f"stands in for the class's {name}") as caught:
        convert(model)
    assert str(caught.value).startswith(place(*RELU))


# Every setting of every module once more, without a list of what to change

HARMLESS = {
    "_type",
    "train",
    "output",
    "gradInput",
    "gradWeight",
    "gradBias",
    "momentum",
    "count_include_pad",
}
MAY_BE_IN_PLACE = {"cudnn.ReLU", "nn.ReLU", "nn.CAddTable"}
NETS = {
    "C": {},
    "B": {"block": "resnext_B"},
    "shortcut A": {"block": "basic", "shortcut": "A"},
    "ImageNet": {"nn": True, "block": "resnet", **IMAGENET},
    "pre-activation": {"pre": True, **IMAGENET},
    "after addition": {"bn_after_add": True},
}


def is_refused(model: Module) -> bool:
    try:
        read_network(model)
    except RefusedError as error:
        return "model" in str(error)
    return False


@cache
def tree(name: str) -> Module:
    return tree_of(net(**NETS[name]))


def changes(value: Any) -> list[Any]:
    """List values that are near enough to slip through."""
    match value:
        case bool():
            return [not value, float(value), b"true"]
        case float():
            near = [value + 1, value - 1, value + 0.5, -value, math.nan, math.inf, -math.inf, True]
            return [other for other in near if other is True or other != value]
        case bytes():
            return [value + b"_", b"", 1.0]
        case _:
            return [None, 1.0]


@pytest.mark.parametrize("name", NETS)
def test_every_other_value_of_any_setting_is_refused(name: str) -> None:
    accepted = []
    for module in tree(name).walk():
        if "model.modules[6]" in module.path:  # one stage is enough
            continue
        fields: dict[str, Any] = module.fields  # type: ignore[assignment]
        for field, value in list(fields.items()):
            in_place = field == "inplace" and module.type in MAY_BE_IN_PLACE
            one_pixel = field == "divide" and fields["kW"] == 1  # its sum is its average
            if field in HARMLESS or in_place or one_pixel or isinstance(value, objects.Tensor):
                continue
            for other in changes(value):
                fields[field] = other
                if not is_refused(tree(name)):
                    accepted.append((module.place, field, value, other))
            fields[field] = value
    assert accepted == []


def reading_of(model: Any) -> Network:
    return read_network(find_network(t7.loads(dumps(model)).root))


def test_average_pooling_of_nn_without_divide_is_a_sum_and_refused() -> None:
    model = net(block="basic", nn=True)
    del at(model, 7).fields["divide"]
    with pytest.raises(StructureError, match="divide = true expected, found false"):
        reading_of(model)


def test_shortcut_pooling_of_nn_without_divide_is_accepted() -> None:
    model = net(block="basic", shortcut="A")
    del at(model, 5, 1, 1, 2, 1).fields["divide"]
    assert reading_of(model).spec.shortcut == "A"


def test_padding_of_old_convolutions_overrides_padw_and_padh() -> None:
    model = net(block="basic", nn=True)
    at(model, 1).fields |= {"padding": 1.0, "padW": 0.0, "padH": 0.0}
    reading_of(model)
    at(model, 1).fields["padding"] = 0.0
    with pytest.raises(StructureError, match="padW = 1 expected, found 0"):
        reading_of(model)


def test_sizes_that_no_tensor_has_are_refused_before_anything_is_allocated() -> None:
    # A projection without batch norm is given one, whose width nothing but the file states.
    model = net(projection_norm=False)
    for numbers in numbers_of(model):
        fields = at(model, *numbers).fields
        for name in {"nInputPlane", "nOutputPlane", "numElements"} & fields.keys():
            fields[name] *= 1.0 if fields[name] == 3 else 2.0**22
        if "numElements" in fields:
            fields["size"].values[0] *= 2**22
    resource_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(WeightError, match=r"weight is \(4, 3, 3, 3\)"):
        reading_of(model)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resource_before < 100_000


# Modules in other places


def edited(module: Module, path: str, modules: tuple[Module, ...]) -> Module:
    """Return a tree in which the module at `path` has other children."""
    if module.path == path:
        return replace(module, modules=modules)
    if not path.startswith(module.path):
        return module
    return replace(module, modules=tuple(edited(m, path, modules) for m in module.modules))


def fresh(module: Module) -> Module:
    """Copy a module with memory of its own, so that only its place is wrong."""
    return tree_copy(module, copy.deepcopy(dict(module.fields)))


def tree_copy(module: Module, fields: dict[str, Any]) -> Module:
    return replace(module, fields=fields, modules=tuple(fresh(m) for m in module.modules))


def rearranged(modules: tuple[Module, ...]) -> Iterator[tuple[str, tuple[Module, ...]]]:
    """Yield every list of children with one missing, one twice, two swapped or one wrapped."""
    for i, module in enumerate(modules):
        yield f"without {i + 1}", (*modules[:i], *modules[i + 1 :])
        yield f"{i + 1} twice", (*modules[: i + 1], fresh(module), *modules[i + 1 :])
        wrapped = replace(module, type="nn.Sequential", fields={}, modules=(module,))
        yield f"{i + 1} wrapped", (*modules[:i], wrapped, *modules[i + 1 :])
        if module.type != "nn.Identity":
            nothing = replace(module, type="nn.Identity", fields={}, modules=())
            yield f"nothing for {i + 1}", (*modules[:i], nothing, *modules[i + 1 :])
            yield f"nothing before {i + 1}", (*modules[:i], nothing, *modules[i:])
        if i:
            swapped = (*modules[: i - 1], module, modules[i - 1], *modules[i + 1 :])
            yield f"{i} and {i + 1} swapped", swapped


# What is another network of the family, and not a fault.
LEGAL = {
    # Form B's branches come in any order: their outputs are joined in the same one.
    *(("B", f"model.modules[{n}].modules[1].modules[1].modules[1].modules[1]") for n in (4, 5, 6)),
    # The first stage does not change the width here: any number of blocks, with an identity.
    ("shortcut A", "model.modules[4]"),
}


@pytest.mark.parametrize("name", NETS)
def test_every_other_order_of_modules_is_refused(name: str) -> None:
    accepted = []
    for module in tree(name).walk():
        for what, modules in rearranged(module.modules):
            if not is_refused(edited(tree(name), module.path, modules)):
                accepted.append((name, module.path, what))
    assert [row for row in accepted if row[:2] not in LEGAL] == []


def test_branches_of_form_b_in_another_order_give_their_own_weights() -> None:
    model = net(block="resnext_B")
    parts = children(at(model, 5, 1, 1, 1, 1))
    first = parts[0].fields["modules"][0].fields["weight"].storage.values
    parts.reverse()
    weight = convert(model).tensors["layer2.0.conv1.weight"]
    assert weight[6:].ravel().tolist() == first.tolist()


@pytest.mark.slow
def test_resnext_101_of_sixty_four_branches_a_block_is_read() -> None:
    sizes = {"stem": 16, "base": 16, "base_width": 4, "cardinality": 64}
    model = net(stem_kind="imagenet", block="resnext_B", counts=(3, 4, 23, 3), **sizes)
    spec = convert(model).spec
    assert (spec.cardinality, spec.blocks) == (64, (3, 4, 23, 3))


@pytest.mark.parametrize(
    ("edit", "where"),
    [
        (lambda model: children(model).append(Object("cudnn.ReLU")), "model.modules[10] ("),
        (lambda model: children(model).insert(0, Object("nn.Identity")), "model.modules[1] ("),
        (lambda model: children(at(model, 5, 1)).append(Object("cudnn.ReLU")), place(5, 1)),
        (lambda model: children(at(model, 5, 1)).pop(), place(5, 1)),
        (lambda model: children(at(model, 5, 1, 1)).pop(), place(5, 1)),
        (lambda model: children(at(model, 5, 1, 1, 1)).pop(2), place(5, 1, 1, 1)),
        (lambda model: children(at(model, 5)).clear(), "model ("),
        (lambda model: children(model).pop(4), "model ("),
        (lambda model: children(model).clear(), "model ("),
    ],
    ids=[
        "ReLU behind the classifier",
        "identity before the stem",
        "second ReLU behind a block",
        "no ReLU behind a block",
        "no shortcut",
        "no ReLU in a branch",
        "empty stage",
        "two stages",
        "empty network",
    ],
)
def test_module_too_many_or_too_few_is_refused(edit: Callable[[Object], None], where: str) -> None:
    model = net()
    edit(model)
    with pytest.raises(StructureError) as caught:
        convert(model)
    assert str(caught.value).startswith(where)


def test_branch_that_differs_is_refused() -> None:
    model = net(block="resnext_B")
    children(at(model, 5, 1, 1, 1, 1, 2)).pop()  # its last ReLU
    with pytest.raises(StructureError) as caught:
        convert(model)
    assert str(caught.value).startswith(place(5, 1, 1, 1, 1, 2))


@pytest.mark.parametrize("count", [1, 3])
def test_block_with_another_number_of_branches_is_refused(count: int) -> None:
    model = net(block="resnext_B", counts=(1, 2, 1))
    parts = children(at(model, 5, 2, 1, 1, 1))
    parts[:] = [copy.deepcopy(parts[0]) for _ in range(count)]
    with pytest.raises(StructureError) as caught:
        convert(model)
    assert str(caught.value).startswith(place(5, 2, 1, 1, 1))


def test_strided_block_that_is_missing_is_refused() -> None:
    model = net(counts=(2, 2, 2))
    children(at(model, 5)).pop(0)
    with pytest.raises(StructureError) as caught:
        convert(model)
    assert "model.modules[5].modules[1]" in str(caught.value)


def test_stages_in_another_order_are_refused() -> None:
    model = net()
    modules = children(model)
    modules[3], modules[4] = modules[4], modules[3]
    with pytest.raises(StructureError, match="model"):
        convert(model)


def test_projection_where_others_have_an_identity_is_refused() -> None:
    model = net(counts=(2, 2, 2))
    other = net(counts=(2, 2, 2), shortcut="C")
    children(at(model, 5, 2, 1))[1] = at(other, 5, 2, 1, 2)
    with pytest.raises(StructureError, match="model"):
        convert(model)


def test_copy_beside_a_branch_is_refused() -> None:
    """nn.Copy hands on its input, but as a branch it would be added."""
    model = net(block="basic", shortcut="A")
    children(at(model, 5, 1, 1, 2, 2)).append(Object("nn.Copy"))
    with pytest.raises(StructureError) as caught:
        convert(model)
    assert str(caught.value).startswith(place(5, 1, 1, 2, 2))


def test_copy_to_integers_is_refused() -> None:
    model = net()
    children(model).insert(6, Object("nn.Copy", {"output": tensor([1], "CudaInt")}))
    with pytest.raises(StructureError, match=r"^model \("):
        convert(model)


def test_copy_in_a_sequence_changes_nothing() -> None:
    model = net()
    expected = convert(model)
    children(model).insert(6, Object("nn.Copy", {"output": Tensor("Cuda", None, (), ())}))
    found = convert(model)
    assert found.spec == expected.spec
    assert found.tensors.keys() == expected.tensors.keys()


# What a training run leaves inside, and other ways to write the same


def activations(module: Object) -> None:
    picture = tensor(np.ones((2, 3, 4, 4)))
    module.fields |= {
        "output": picture,
        "gradInput": [picture, [picture]],
        "_input": picture,
        "iSize": Storage("Long", [2, 3, 4, 4]),
    }


def gradients(module: Object) -> None:
    for name in ("gradWeight", "gradBias"):
        if name in module.fields:
            module.fields[name] = tensor(np.full(7, np.nan))


def scratch(module: Object) -> None:
    if module.type.endswith("SpatialConvolution"):
        names = ("finput", "fgradInput", "ones", "input_slice", "output_slice", "_output")
        module.fields |= {name: tensor(np.ones(9)) for name in names}
    if module.type.endswith("BatchNormalization"):
        names = ("buffer", "buffer2", "centered", "std", "normalized", "save_mean", "save_std")
        module.fields |= {name: tensor(np.ones(4)) for name in names}
    if module.type == "nn.Linear":
        module.fields["addBuffer"] = tensor(np.ones(2))
    if module.type.endswith("MaxPooling"):
        module.fields["indices"] = tensor(np.ones((2, 2)))
    if module.type.endswith("AveragePooling"):
        module.fields["outputSize"] = Storage("Long", [1, 1])
    if module.type == "nn.JoinTable":
        module.fields["size"] = Storage("Long", [1, 2])
    if module.type == "nn.ConcatTable":
        module.fields["_gradOutput"] = [tensor(np.ones(2))]


def descriptors(module: Object) -> None:
    if module.type.startswith("cudnn."):
        cdata = Pairs([(1, Object("nn.Descriptor", {})), (2, {"mode": "x"})])
        module.fields |= {
            "iDesc": cdata,
            "oDesc": cdata,
            "convDescData": {"padA": [1, 1], "mode": "CUDNN_CROSS_CORRELATION"},
            "pad": Storage("Int", [1, 1]),
            "stride": {1: 1.0, 2: 1.0},
        }


def out_of_place(module: Object) -> None:
    if "inplace" in module.fields:
        module.fields["inplace"] = False


def training(module: Object) -> None:
    module.fields |= {"train": True, "momentum": 0.3}


def empty_unknown(module: Object) -> None:
    module.fields |= {"scales": Tensor("Float", None, (), ()), "note": "a text", "n": 3}


def functions(module: Object) -> None:
    """What `m.accGradParameters = function() end` leaves: training that skips a layer."""
    module.fields["accGradParameters"] = Function(b"\x1bLJ")


def share_key(module: Object) -> None:
    module.fields["__shareGradInputKey"] = "torch.CudaTensor:preact"


def zero_bias(module: Object) -> None:
    if module.type == "cudnn.SpatialConvolution":
        module.fields["bias"] = Tensor("Float", None, (), ())


@pytest.mark.parametrize(
    "leave",
    [
        activations,
        gradients,
        scratch,
        descriptors,
        out_of_place,
        training,
        empty_unknown,
        functions,
        share_key,
        zero_bias,
    ],
    ids=lambda function: function.__name__,
)
@pytest.mark.parametrize("name", ["C", "B", "ImageNet"])
def test_what_training_leaves_inside_changes_nothing(
    leave: Callable[[Object], None], name: str
) -> None:
    model = net(**NETS[name])
    expected = convert(model)
    pending = [model]
    while pending:
        module = pending.pop()
        leave(module)
        pending += module.fields.get("modules", [])
    found = convert(model)
    assert found.spec == expected.spec
    assert found.conversions == expected.conversions
    for key, array in expected.tensors.items():
        np.testing.assert_array_equal(found.tensors[key], array)


@pytest.mark.parametrize("name", ["dW", "dH", "padW", "padH"])
def test_setting_that_old_files_lack_has_its_default(name: str) -> None:
    model = net()
    del at(model, 7).fields[name]
    assert convert(model).spec.classes == 5


def test_form_b_gives_the_tensors_of_form_c() -> None:
    """The branches' weights, joined along the outputs, are the grouped convolution's."""
    model = net(block="resnext_B", cardinality=4)
    tensors = convert(model).tensors
    parts = children(at(model, 5, 1, 1, 1, 1))
    assert tensors["layer2.0.conv2.weight"].shape == (24, 6, 3, 3)
    for number, part in enumerate(parts):
        rows = slice(6 * number, 6 * number + 6)
        for name, index, shape in (("conv1", 0, (6, 16, 1, 1)), ("conv2", 3, (6, 6, 3, 3))):
            values = part.fields["modules"][index].fields["weight"].storage.values
            found = tensors[f"layer2.0.{name}.weight"][rows]
            np.testing.assert_array_equal(found, values.reshape(shape))
        mean = part.fields["modules"][1].fields["running_mean"].storage.values
        np.testing.assert_array_equal(tensors["layer2.0.bn1.running_mean"][rows], mean)

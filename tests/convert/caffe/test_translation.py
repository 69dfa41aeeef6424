"""Caffe's layers: those of the family, and what else is refused, with the layer's name."""

import numpy as np
import pytest

from convert.source.errors import ConvertError, RefusedError, WeightError
from convert.source.source import Network
from resnext.spec import StemPool
from tests.support.caffe_writer import blob, caffemodel, layer, prototxt
from tests.support.graph_nets import Net, resnext
from tests.support.graph_reading import read_caffe

NET = resnext(pool_pad=0)


def read(text: str, blobs: bytes | None = None) -> Network:
    return read_caffe(text, caffemodel(NET) if blobs is None else blobs)


def changed(name: str, old: str, new: str) -> str:
    """Return the text in which one layer is written in another way."""
    text = prototxt(NET)
    start = text.index(f'layer {{\n  name: "{name}"\n')
    end = text.index("\n}\n", start) + 3
    assert old in text[start:end]
    return text[:start] + text[start:end].replace(old, new, 1) + text[end:]


def test_network_is_read_with_the_pool_of_caffe() -> None:
    spec = read(prototxt(NET)).spec
    assert (spec.name, spec.stem_pool) == ("resnext_17_2x2d", StemPool.CEIL)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("conv0", "kernel_size: 7", "kernel_size: 5", "kernel 7 expected, found 5"),
        ("conv0", "kernel_size: 7", "kernel_h: 7 kernel_w: 5", "kernel 7 expected, found 7x5"),
        ("conv0", "stride: 2", "stride: 2 stride: 1", "stride 2 expected, found 2x1"),
        ("conv0", "pad: 3", "pad: 2", "padding 3 expected, found 2"),
        ("conv0", "pad: 3", "pad: 3 pad_h: 3", "pad of one or two sides expected"),
        ("conv0", "pad: 3", "pad: [3, 3, 3]", "pad of one or two sides expected"),
        ("conv0", "pad: 3", "pad: 3 dilation: 2", "dilation 1 expected, found 2"),
        ("conv0", "pad: 3", "pad: 3 axis: 2", "axis 1 expected, found 2"),
        (
            "conv0",
            "pad: 3",
            "pad: three",
            "pad: a whole number of at least 0 expected, found 'three'",
        ),
        (
            "conv0",
            "pad: 3",
            "pad { }",
            "pad: a whole number of at least 0 expected, found a message",
        ),
        ("conv0", "pad: 3", "pad: 08", "pad: a whole number of at least 0 expected, found '08'"),
        ("conv0", "pad: 3", 'pad: "3"', "pad: a whole number of at least 0 expected, found '3'"),
        ("conv0", "num_output: 4", "num_output: 4 num_output: 4", "one value expected, found 2"),
        ("conv0", "num_output: 4", "num_output: 0", "num_output and group of at least 1"),
        ("conv0", "bias_term: false", "", r"2 blobs \(weight, bias\) expected .*, found 1"),
        ("conv0", "bias_term: false", "bias_term: no", "bias_term: true or false expected"),
        ("conv0", "pad: 3", "pad: 3 offset: 1", "found the unknown 'offset'"),
        ("conv0", "convolution_param", "deformable_param", "the unknown 'deformable_param'"),
        (
            "conv0",
            'type: "Convolution"',
            'type: "Deconvolution"',
            r"\(Deconvolution\): no layer of",
        ),
        ("conv0", 'type: "Convolution"', "", r"\(\): no layer of"),
        ("conv0", 'top: "conv0"', 'top: "conv0" param { name: "w" }', "the unknown 'param.name'"),
        (
            "conv0",
            'bottom: "data"',
            'bottom: "date"',
            "the top of an earlier layer expected .*'date'",
        ),
        ("conv0", 'bottom: "data"', "", "1 bottoms and one top expected, found 0 and 1"),
        ("bn0", "use_global_stats: true", "use_global_stats: false", "other pictures of a batch"),
        ("bn0", "eps: 2e-05", "eps: 1 eps: 2e-05", "eps: one value expected, found 2"),
        ("bn0", "eps: 2e-05", "eps: 00.1", "eps: a number expected, found '00.1'"),
        ("bn0", "eps: 2e-05", "eps: -2", "a variance that is not below 2 expected"),
        ("scale_bn0", "bias_term: true", "bias_term: true axis: 2", "axis 1 expected, found 2"),
        (
            "scale_bn0",
            "bias_term: true",
            "bias_term: false",
            r"1 blobs \(gamma\) expected .*, found 2",
        ),
        (
            "relu0",
            'top: "conv0"',
            'top: "conv0" relu_param { negative_slope: 0.1 }',
            "slope 0.0 expected",
        ),
        (
            "pooling0",
            "pool: MAX",
            "pool: STOCHASTIC",
            "pool MAX or AVE expected, found 'STOCHASTIC'",
        ),
        ("pooling0", "pool: MAX", "pool: 1", "max-pool expected, found average pool"),
        ("pooling0", "pad: 0", "pad: 1", "rounding down expected, found up"),
        ("pooling0", "pad: 0", "pad: 0 round_mode: FLOOR", "rounding up expected, found down"),
        ("pool1", "global_pooling: true", "kernel_size: 7", "window 2, stride 1, .* found 7"),
        ("pool1", "pool: AVE", "pool: MAX", "average pool expected, found max-pool"),
        ("stage1_unit1_plus", "operation: SUM", "operation: MAX", "operation SUM expected"),
        (
            "stage1_unit1_plus",
            "operation: SUM",
            "coeff: 1 coeff: -1",
            r"factors \(1.0, 1.0\) expected",
        ),
        ("fc1", "num_output: 3", "num_output: 4", r"weight: \(4, 64\) expected, found \(3, 64\)"),
        ("fc1", "num_output: 3", "num_output: 3 transpose: true", "transpose false expected"),
        ("fc1", "num_output: 3", "num_output: 3 axis: 2", "axis 1 expected, found 2"),
        ("data", "dim: 3", "dim: 4", r"dim N, 3, height, width expected, found \[1, 4, 64, 64\]"),
        (
            "data",
            'name: "data"',
            'name: "data" include { stage: "x" }',
            "include by phase expected",
        ),
    ],
    ids=lambda value: value[:30],
)
def test_field_that_changes_the_arithmetic_is_refused(
    name: str, old: str, new: str, message: str
) -> None:
    with pytest.raises(ConvertError, match=rf"net.prototxt, line \d+: layer '\w+'.*({message})"):
        read(changed(name, old, new))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("conv0", "pad: 3", "pad_h: 3 pad_w: 3 engine: CUDNN weight_filler { type: 'msra' }"),
        ("conv0", 'top: "conv0"', 'top: "conv0" param { lr_mult: 0 decay_mult: 0 }'),
        ("conv0", "kernel_size: 7", "kernel_size: [7, 7]"),
        ("conv0", "kernel_size: 7", "kernel_size: 0x7"),
        ("conv0", "num_output: 4", "num_output: 04"),
        ("bn0", "use_global_stats: true", "moving_average_fraction: 0.9"),
        ("bn0", 'top: "conv0"', 'top: "conv0" include { phase: TEST }'),
        ("scale_bn0", "bias_term: true", "bias_term: true filler { value: 1 } axis: 1"),
        ("stage1_unit1_plus", "operation: SUM", "coeff: 1 coeff: 1.0"),
        ("pool1", "global_pooling: true", "kernel_size: 2 stride: 1"),
        ("softmax", 'top: "softmax"', 'top: "softmax" softmax_param { axis: 1 }'),
    ],
    ids=range(11),
)
def test_field_without_effect_is_not_looked_at(name: str, old: str, new: str) -> None:
    assert read(changed(name, old, new)).spec.name == "resnext_17_2x2d"


def test_layers_of_the_training_are_left_out() -> None:
    lost = 'layer { name: "loss" type: "Loss" bottom: "fc1" top: "l" include { phase: TRAIN } }\n'
    lost += 'layer { name: "m" type: "M" bottom: "fc1" top: "m" exclude { phase: TEST } }\n'
    assert read(prototxt(NET) + lost).spec.name == "resnext_17_2x2d"


@pytest.mark.parametrize("scales", ["true", "false"])
def test_dropout_that_scales_a_prediction_is_refused(scales: str) -> None:
    """In branches of Caffe with this field, a prediction is scaled where the training is not."""
    text = with_reshape("").replace('"Reshape"', '"Dropout"')
    text = text.replace(
        "reshape_param { ", f"dropout_param {{ dropout_ratio: 0.5 scale_train: {scales}"
    )
    if scales == "true":
        assert read(text).spec.name == "resnext_17_2x2d"
        return
    with pytest.raises(RefusedError, match="layer 'flat': scale_train true expected, found false"):
        read(text)


def with_reshape(inside: str) -> str:
    """Return the text with a Reshape in front of the classifier."""
    top = 'layer { name: "flat" type: "Reshape" bottom: "pool1" top: "flat" '
    text = changed("fc1", 'bottom: "pool1"', 'bottom: "flat"')
    at = text.index('layer {\n  name: "fc1"')
    return f"{text[:at]}{top}reshape_param {{ {inside} }} }}\n{text[at:]}"


def test_reshape_that_flattens_is_read() -> None:
    assert read(with_reshape("shape { dim: 0 dim: -1 }")).spec.name == "resnext_17_2x2d"


@pytest.mark.parametrize(
    "inside",
    ["", "shape { dim: 0 dim: 64 }", "shape { dim: 0 dim: -1 } axis: 1", "shape { dim: -1 }"],
)
def test_other_reshape_is_refused(inside: str) -> None:
    with pytest.raises(RefusedError, match=r"layer 'flat': (dim 0 and -1|axis 0)"):
        read(with_reshape(inside))


def test_layer_that_leads_nowhere_is_refused() -> None:
    lost = 'layer { name: "lost" type: "ReLU" bottom: "conv0" top: "lost" }\n'
    with pytest.raises(RefusedError, match="layer 'lost': a ReLU that does not lead to the logits"):
        read(prototxt(NET) + lost)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name: "net"', 'name: "net" layers { }', "in the form of Caffe before 2015"),
        ('name: "net"', 'name: "net" solver: 3', "found the unknown 'solver'"),
        ('name: "net"', 'name: "net" layer: 3', "line 1: layer: a message expected"),
        ('name: "conv0"', 'name: "bn0"', "layer 'bn0': a name of its own expected"),
        ('name: "conv0"', "name: conv0", "name: a text in quotes expected, found 'conv0'"),
    ],
    ids=range(5),
)
def test_another_text_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(ConvertError, match=message):
        read(prototxt(NET).replace(old, new, 1))


def test_text_without_layers_is_refused() -> None:
    with pytest.raises(ConvertError, match="a network of Caffe's, with layers, expected"):
        read('name: "net"')


def test_input_of_the_old_form_is_read() -> None:
    text = prototxt(NET)
    start, end = text.index("layer"), text.index("layer", text.index("layer") + 5)
    for old in (
        'input: "data" input_dim: 1 input_dim: 3 input_dim: 96 input_dim: 96\n',
        'input: "data" input_shape { dim: 1 dim: 3 dim: 96 dim: 96 }\n',
        # As in C, what begins with 0 is octal and with 0x hexadecimal.
        'input: "data" input_dim: 1 input_dim: 3 input_dim: 0140 input_dim: 0x60\n',
    ):
        found, _ = read(text[:start] + old + text[end:]).preprocessing or (None, None)
        assert found is not None
        assert (found.scale, found.crop) == (110, 96)


def test_two_sizes_of_the_input_are_refused() -> None:
    dims = "input_dim: [1, 3, 96, 96] input_shape { dim: [1, 3, 64, 64] }"
    with pytest.raises(ConvertError, match="either input_dim or input_shape expected, found both"):
        read(f'input: "data" {dims}\n' + prototxt(NET))


def without(net: Net, name: str) -> Net:
    net.ops = [op for op in net.ops if op.name != name]
    return net


@pytest.mark.parametrize(
    ("blobs", "message"),
    [
        (
            caffemodel(NET) + layer("extra", "Scale", [blob(np.ones(3))]),
            "blobs of a layer that the",
        ),
        (caffemodel(NET) * 2, "'bn_data': a name of its own expected for each layer with blobs"),
        (
            caffemodel(without(resnext(), "conv0")),
            r"'conv0': 1 blobs \(weight\) expected in the caffemodel, found 0",
        ),
        (
            caffemodel(without(resnext(), "conv0")) + layer("conv0", "Scale", [blob(np.ones(3))]),
            "the caffemodel's layer 'conv0': type Convolution expected, found 'Scale'",
        ),
        (
            caffemodel(without(resnext(), "conv0")) + layer("conv0", "", [blob(np.ones((4, 3)))]),
            r"'conv0': weight: \(4, 3, 7, 7\) expected, found \(4, 3\)",
        ),
        (caffemodel(NET, factor=float("nan")), "one finite number expected as the factor"),
    ],
    ids=range(6),
)
def test_blobs_that_are_not_the_texts_are_refused(blobs: bytes, message: str) -> None:
    with pytest.raises(WeightError, match=message):
        read(prototxt(NET), blobs)


def test_empty_layers_of_the_caffemodel_are_left_out() -> None:
    assert read(prototxt(NET), caffemodel(NET) + layer("label", "Data", [])).spec.classes == 3


def test_factor_of_zero_makes_mean_and_variance_zero() -> None:
    """As Caffe does: `scale_factor = blob == 0 ? 0 : 1 / blob`."""
    net = resnext(input_norm=False)
    net.op("bn0").arrays["mean"][:] = 5
    found = read(prototxt(net), caffemodel(net, factor=0.0))
    assert found.tensors["bn1.running_mean"].tolist() == [0, 0, 0, 0]
    # float32 of 2e-05 - 1e-05: the variance that makes the same sum with our eps
    assert found.tensors["bn1.running_var"].tolist() == pytest.approx([1e-5] * 4, rel=1e-6)


def test_factor_divides_mean_and_variance() -> None:
    found = read(prototxt(NET), caffemodel(NET, factor=999.98))
    expected = NET.op("bn0").arrays["mean"]
    np.testing.assert_allclose(found.tensors["bn1.running_mean"], expected, rtol=2e-7)
    assert "divided by the factor beside them (21 times)" in found.conversions[0]
    rules = [found.computed[f"bn1.running_{kind}"] for kind in ("mean", "var")]
    assert rules[0] == "mean and variance of a batch norm divided by the factor beside them"
    assert rules[1].startswith(f"{rules[0]}; variance of a batch norm, whose eps is 2e-05")


def test_batch_norm_without_scale_multiplies_by_one() -> None:
    net = resnext()
    net.op("bn0").settings["scale"] = False
    found = read(prototxt(net), caffemodel(net))
    assert found.tensors["bn1.weight"].tolist() == [1, 1, 1, 1]
    assert found.tensors["bn1.bias"].tolist() == [0, 0, 0, 0]
    rule = "batch norm without a Scale layer behind it: gamma 1, beta 0"
    assert rule in found.conversions
    assert [n for n, words in found.computed.items() if words == rule] == ["bn1.weight", "bn1.bias"]


def test_scale_in_another_place_is_refused() -> None:
    text = changed("scale_bn0", 'bottom: "conv0"', 'bottom: "data"')
    with pytest.raises(RefusedError, match="a Scale directly behind a BatchNorm"):
        read(text)


def test_mean_and_scale_of_the_data_layer_are_the_preprocessing() -> None:
    net = resnext(input_norm=False)
    transform = "transform_param { mean_value: 104 mean_value: 117 mean_value: 124 scale: 0.0167 }"
    text = prototxt(net).replace("  input_param", f"  {transform}\n  input_param", 1)
    row, _ = read(text, caffemodel(net)).preprocessing or (None, None)
    assert row is not None
    assert row.mean == (124, 117, 104)
    assert row.std == pytest.approx((59.88024, 59.88024, 59.88024), rel=1e-6)


def test_mean_in_a_file_is_refused() -> None:
    text = prototxt(NET).replace(
        "  input_param", '  transform_param { mean_file: "m" }\n  input_param', 1
    )
    with pytest.raises(RefusedError, match="found 'mean_file'"):
        read(text)

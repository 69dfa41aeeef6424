"""Features of every kind of network are what the Lua modules give before the last one."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

import convert
from convert.torch7 import file as t7
from convert.torch7.oracle import run
from convert.torch7.tree import find_network
from resnext.inference.arithmetic import Precision
from resnext.inference.predictor import Predictor
from tests.support.golden import Golden

CPU = torch.device("cpu")
# The usual order, batch norm after the addition, before the convolutions, and shortcut A.
NETWORKS = ("cifar_c", "imagenet_bn_after_add50", "preact_cifar20", "cifar_basic_a")


@pytest.mark.parametrize("name", NETWORKS)
def test_features_are_the_inputs_of_the_lua_classifier(
    golden: Callable[[str], Golden], name: str
) -> None:
    found = golden(name)
    assert found.input is not None
    pictures = torch.from_numpy(found.input)
    whole = find_network(t7.load(found.path).root)
    headless = replace(whole, modules=whole.modules[:-1])
    wanted = cast("Tensor", run(headless, pictures.double())).flatten(1).numpy()
    network = convert.load(found.path).build()
    plain = Predictor(network, device=CPU, precision=Precision.FP32)
    both = Predictor(network, device=CPU, precision=Precision.FP32, features=True)
    values, logits = both.logits(pictures), plain.logits(pictures)
    classes = logits.shape[1]
    np.testing.assert_array_equal(values[:, :classes], logits)
    np.testing.assert_allclose(values[:, classes:], wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_features_of_every_stage_are_averages_over_its_map(
    golden: Callable[[str], Golden], name: str
) -> None:
    found = golden(name)
    assert found.input is not None
    pictures = torch.from_numpy(found.input)
    network = convert.load(found.path).build()
    for layer in network.stage_names:
        maps: list[Tensor] = []
        stage = network.get_submodule(layer)
        hook = stage.register_forward_hook(lambda *each, maps=maps: maps.append(each[2]))
        with torch.inference_mode():
            network(pictures)
        hook.remove()
        predictor = Predictor(
            network, device=CPU, precision=Precision.FP32, features=True, layer=layer
        )
        values = predictor.logits(pictures)
        wanted = maps[0].mean((2, 3)).numpy()
        np.testing.assert_allclose(values[:, -wanted.shape[1] :], wanted, rtol=1e-4, atol=1e-5)


def test_features_of_ten_crops_are_summed_like_logits(golden: Callable[[str], Golden]) -> None:
    found = golden("cifar_c")
    assert found.input is not None
    network = convert.load(found.path).build()
    predictor = Predictor(network, device=CPU, precision=Precision.FP32, features=True)
    crops = torch.from_numpy(found.input[:2])[None]  # (1, 2, 3, H, W)
    np.testing.assert_allclose(
        predictor.logits(crops)[0], predictor.logits(crops[0]).sum(0), rtol=1e-5, atol=1e-5
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_compiled_network_gives_features_too(golden: Callable[[str], Golden]) -> None:
    found = golden("cifar_c")
    assert found.input is not None
    pictures = torch.from_numpy(found.input)
    network = convert.load(found.path).build()
    ways = [
        Predictor(
            network,
            device=CPU,
            precision=Precision.FP32,
            compiled=compiled,
            features=True,
            layer="layer2",
        )
        for compiled in (False, True)
    ]
    plain, compiled = (way.logits(pictures) for way in ways)
    np.testing.assert_allclose(compiled, plain, rtol=1e-4, atol=1e-4)

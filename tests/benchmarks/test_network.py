"""The network alone on a CPU: every way that is measured answers the same."""

from importlib.util import find_spec

import pytest
import torch

from benchmarks import runtimes
from benchmarks.network import STEPS, WAYS
from resnext.model import ResNeXt
from resnext.spec import Spec

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = Spec(blocks=(1, 1, 1, 1), cardinality=2, base_width=4, planes=8, stem_width=8, classes=7)
SIDE = 64


@pytest.fixture(scope="module")
def network() -> ResNeXt:
    return ResNeXt(TINY, generator=torch.Generator().manual_seed(0)).eval()


def noise(count: int) -> torch.Tensor:
    return torch.randn(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def furthest(network: ResNeXt, found: torch.Tensor, pictures: torch.Tensor) -> float:
    with torch.inference_mode():
        expected = network(pictures)
    return float((found.float() - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("name", STEPS)
def test_steps_leave_the_answers_as_they_are(network: ResNeXt, name: str) -> None:
    way, pictures = WAYS[name], noise(2)
    with torch.inference_mode():
        compute = way.make(network)
        found = compute(pictures.to(way.dtype).contiguous(memory_format=way.layout))
    assert furthest(network, found, pictures) < (1e-5 if way.dtype is torch.float32 else 0.05)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_onnxruntime_computes_the_same_network(network: ResNeXt) -> None:
    compute = runtimes.onnxruntime_network(network, SIDE)
    for count in (3, 1):
        pictures = noise(count)
        assert furthest(network, compute(pictures), pictures) < 1e-5


@pytest.mark.peers
@pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO is not installed")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_openvino_computes_the_same_network(network: ResNeXt) -> None:
    compute = runtimes.openvino_network(network, SIDE)
    for count in (3, 1, 3):
        pictures = noise(count)
        assert furthest(network, compute(pictures), pictures) < 1e-5


@pytest.mark.skipif(find_spec("openvino") is not None, reason="OpenVINO is installed")
def test_runtime_that_is_missing_is_said() -> None:
    with pytest.raises(SystemExit, match="install openvino with `make peers`"):
        runtimes.import_openvino()

import numpy as np
import pytest
import torch

from resnext.loader.upload import Upload
from resnext.pixels.raw_crops import RawCrops
from resnext.pixels.transforms import raw_crop
from resnext.preprocessing import IMAGENET

needs_gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
DEVICES = ["cpu", pytest.param("cuda", marks=needs_gpu)]


def raw_crops(count: int) -> RawCrops:
    pictures = [np.full((300, 260 + n, 3), n, np.uint8) for n in range(count)]
    return RawCrops.of([raw_crop(each, IMAGENET) for each in pictures])


@pytest.mark.parametrize("device", DEVICES)
def test_tensor_arrives_as_it_was_sent(device: str) -> None:
    upload = Upload(torch.device(device))
    sent = torch.arange(6.0)
    found = upload.begin(sent).take()
    assert found.device.type == device
    assert found.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("device", DEVICES)
def test_sources_arrive_as_they_were_sent(device: str) -> None:
    upload = Upload(torch.device(device))
    sent = raw_crops(3)
    found = upload.begin(sent.pin_memory() if device == "cuda" else sent).take()
    assert found.device.type == device
    assert found.preprocessing == IMAGENET
    for name in ("flat", "starts", "sizes", "firsts", "fractions"):
        assert torch.equal(getattr(found, name).cpu(), getattr(sent, name))
    assert found.nbytes == sent.flat.numel() + 24 + 48 + 10752 + 5376


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_batch_arrives_while_the_gpu_computes() -> None:
    """While the GPU computes for seconds, the next batch arrives."""
    device = torch.device("cuda")
    upload = Upload(device)
    sent = torch.arange(1 << 20).pin_memory()
    upload.begin(sent).take()
    torch.cuda.synchronize()
    torch.cuda._sleep(3_000_000_000)
    computed = torch.cuda.current_stream().record_event()
    arrival = upload.begin(sent)
    assert arrival.arrived is not None
    arrival.arrived.synchronize()
    assert not computed.query()
    assert torch.equal(arrival.take().cpu(), sent)

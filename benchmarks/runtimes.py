"""Other runtimes for a network on the CPU, which compute the ONNX file that a conversion writes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from convert.export.onnx import INPUT, onnx_model
from resnext.model import ResNeXt
from resnext.preprocessing import IMAGENET


def import_openvino() -> Any:
    """Import OpenVINO.

    Raises:
        SystemExit: it is not installed.
    """
    try:
        import openvino
    except ImportError as error:
        raise SystemExit(f"{error}; install openvino with `make peers`") from error
    return openvino


def onnxruntime_network(network: ResNeXt, side: int = IMAGENET.crop) -> Callable[[Tensor], Tensor]:
    """Return ONNX Runtime's way to compute a network's ONNX file, on one thread.

    Args:
        network: in evaluation mode, float32, on the CPU.
        side: of the pictures, in pixels.

    Returns:
        What computes the logits (N, classes) of pictures (N, 3, side, side).
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        onnx_model(network, side, metadata={}), options, providers=["CPUExecutionProvider"]
    )
    return lambda pictures: torch.from_numpy(session.run(None, {INPUT: pictures.numpy()})[0])


def openvino_network(network: ResNeXt, side: int = IMAGENET.crop) -> Callable[[Tensor], Tensor]:
    """Return OpenVINO's way to compute the same file, in float32; see `onnxruntime_network`.

    It is compiled for the number of pictures of the first batch.
    """
    openvino = import_openvino()
    core = openvino.Core()
    model = core.read_model(onnx_model(network, side, metadata={}))
    settings = {
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    requests: dict[int, Any] = {}

    def compute(pictures: Tensor) -> Tensor:
        if len(pictures) not in requests:
            model.reshape(list(pictures.shape))
            compiled = core.compile_model(model, "CPU", settings)
            requests[len(pictures)] = compiled.create_infer_request()
        found = requests[len(pictures)].infer([pictures.numpy()])
        return torch.from_numpy(found[0].copy())

    return compute

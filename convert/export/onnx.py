"""A checkpoint as an ONNX file, checked by onnxruntime before it is written."""

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from convert.export.errors import OnnxError
from resnext.checkpoint import Checkpoint
from resnext.files import whole_file
from resnext.header import to_metadata

if TYPE_CHECKING:
    from torch import nn

OPSET: Final = 17
INPUT: Final = "pictures"
OUTPUT: Final = "logits"
# Largest difference of the logits: absolute, or of the largest logit if that is larger than 1.
TOLERANCE: Final = 1e-4
CHECKED_BATCHES: Final = (1, 3)
# Of the weights: a protobuf message has less than 2 GiB, and the graph takes less than 1 MiB.
LARGEST: Final = (1 << 31) - (1 << 20)


def write_onnx(checkpoint: Checkpoint, path: Path) -> None:
    """Write the network as ONNX: pictures (N, 3, crop, crop) to logits (N, classes), any N.

    Weights and arithmetic are float32, whatever the checkpoint's are. The facts of the checkpoint
    stand in the model's `metadata_props`.

    Raises:
        OnnxError: onnxruntime does not answer what the network answers, or the network is larger
            than the format can hold.
        OSError: the folder is missing or read-only, or the disk is full.
    """
    network, side = checkpoint.build(), picture_side(checkpoint)
    model = onnx_model(network, side, metadata=to_metadata(checkpoint.facts()))
    difference = largest_difference(model, network, side)
    if not difference <= TOLERANCE:
        raise OnnxError(
            f"onnxruntime's logits differ from the network's by {difference:.1e}, "
            f"at most {TOLERANCE:.0e} expected; nothing was written"
        )
    with whole_file(path) as file:
        file.write(model)


def picture_side(checkpoint: Checkpoint) -> int:
    """Return the side, in pixels, of the network's input."""
    row = checkpoint.preprocessing
    return row.crop if row else checkpoint.spec.input_size


def onnx_model(network: "nn.Module", side: int, *, metadata: dict[str, str]) -> bytes:
    """Return a network in evaluation mode as the bytes of an ONNX file.

    torch's TorchScript exporter is used: the other one, the default since 2.9, needs onnxscript.
    Its warnings are suppressed, as a user can do nothing about them; the file's answers are checked
    instead.

    Args:
        network: float32, on the CPU; the file holds its weights bit for bit, under their names (of
            several equal ones, under the first one's).
        side: of the input images in pixels; the file takes no other.
        metadata: becomes `metadata_props`.

    Raises:
        OnnxError: the network is larger than the format can hold.
    """
    import onnx
    import torch

    weights = sum(tensor.nbytes for tensor in network.state_dict().values())
    if weights > LARGEST:
        raise OnnxError(f"{weights:,} bytes of weights, an ONNX file holds {LARGEST:,}")
    buffer: Any = io.BytesIO()  # torch's annotation knows paths only
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(1, 3, side, side),),
            buffer,
            dynamo=False,
            opset_version=OPSET,
            do_constant_folding=False,
            # Not TrainingMode.EVAL, which folds each batch norm into its convolution.
            training=torch.onnx.TrainingMode.PRESERVE,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "N"}, OUTPUT: {0: "N"}},
        )
    model = onnx.load_from_string(buffer.getvalue())
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString()
    return data


def largest_difference(model: bytes, network: "nn.Module", side: int) -> float:
    """Compare onnxruntime's logits of an ONNX file with a network's, on seeded pictures.

    Args:
        model: the bytes of the file.
        network: the reference; float32, on the CPU.
        side: of the input images in pixels.

    Returns:
        The largest difference over the batches of `CHECKED_BATCHES`: absolute, or over the largest
        logit if that is larger than 1; NaN if a logit is NaN.
    """
    import numpy as np
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    differences = []
    for count in CHECKED_BATCHES:
        pictures = torch.randn(count, 3, side, side, generator=generator)
        with torch.inference_mode():
            expected = network(pictures).numpy()
        (found,) = session.run([OUTPUT], {INPUT: pictures.numpy()})
        size = max(1.0, float(np.abs(expected).max()))
        differences.append(float(np.abs(found - expected).max()) / size)
    return float(np.max(differences))

"""Maps a graph of operators to a spec, named tensors and a preprocessing, or refuses it."""

from typing import Final

import numpy as np

from convert.graph.comparison import matched_operators
from convert.graph.expected import expected_graph
from convert.graph.operators import Graph, InputNorm, Kind
from convert.graph.recognition import recognise
from convert.graph.weights import Tensors, input_norm, layer_tensors
from convert.source.errors import WeightError
from convert.source.source import Network
from resnext.errors import PreprocessingError
from resnext.header import Origin
from resnext.preprocessing import Pipeline, Preprocessing
from resnext.spec import Spec

STEM: Final = "conv1.weight"
SIGN: Final = "sign of a channel of the input moved into the first convolution"

# ImageNet's usual shorter side for its usual crop.
SCALE: Final = 256
CROP: Final = 224


def read_graph(graph: Graph) -> Network:
    """Map a graph to the spec, the tensors and the preprocessing of the network.

    Raises:
        StructureError: an operator differs from the one that the family has there.
        WeightError: an array is missing, misshapen, unexpected, not finite or impossible.
    """
    spec = recognise(graph)
    first = next(graph.of_kind(Kind.CONVOLUTION))
    norm = graph.operators[graph.operators[first].inputs[0]]
    has_norm = norm.kind is Kind.NORM
    expected = expected_graph(spec, input_norm=has_norm, side=graph.side)
    found = matched_operators(graph, expected)
    tensors = layer_tensors(expected, found)
    transform = graph.transform
    if has_norm:
        if transform is not None:
            raise WeightError(
                f"{norm.place}: either a batch norm of the input or a mean of the data layer "
                "expected, found both"
            )
        transform = input_norm(norm)
        tensors.changes["batch norm of the input became mean and std of the preprocessing"] += 1
    preprocessing = None
    if transform is not None:
        try:
            preprocessing = _preprocessing(graph, spec, transform)
        except PreprocessingError as error:
            raise WeightError(f"{norm.place}: {error}") from error
        _move_signs(tensors, transform)
    if graph.reversed_channels:
        tensors.change(
            STEM,
            np.ascontiguousarray(tensors.arrays[STEM][:, ::-1]),
            "input channels of the first convolution reversed: it takes BGR, and ours RGB",
        )
    return Network(
        spec=spec,
        tensors=tensors.arrays,
        conversions=(*graph.conversions, *tensors.conversions()),
        computed=tensors.computed,
        preprocessing=(preprocessing, Origin.GRAPH) if preprocessing else None,
        assumable=False,
    )


def _move_signs(tensors: Tensors, transform: InputNorm) -> None:
    """Move a negative factor of a channel into the first convolution: a std is above zero."""
    stem, negative = tensors.arrays[STEM], np.less(transform.std, 0)
    if negative.any():
        signs = np.where(negative, -1, 1).astype(stem.dtype)
        tensors.arrays[STEM] = np.ascontiguousarray(np.multiply(stem, signs[:, None, None]))
        tensors.changes[SIGN] += int(negative.sum())
        tensors.follow(STEM, SIGN)


def _preprocessing(graph: Graph, spec: Spec, transform: InputNorm) -> Preprocessing:
    """Return the preprocessing of bytes, 0..255; scale, crop and pipeline as they are usual.

    Raises:
        PreprocessingError: numbers out of bounds.
    """
    crop = graph.side or spec.input_size
    order = slice(None, None, -1 if graph.reversed_channels else 1)
    return Preprocessing(
        pipeline=Pipeline.OPENCV,
        scale=round(crop * SCALE / CROP) if len(spec.blocks) == 4 else None,
        crop=crop,
        mean=tuple(transform.mean[order].tolist()),
        std=tuple(abs(transform.std)[order].tolist()),
        white=255,
    )

"""The hand-made files of MXNet and Caffe, read and mapped without a folder to lie in."""

import json
from typing import Any

import numpy as np

from convert.caffe import translation as caffe
from convert.caffe.layers import read_layers
from convert.caffe.model import read_caffemodel
from convert.caffe.text_format import read_text_format
from convert.graph.mapping import read_graph
from convert.mxnet import translation as mxnet
from convert.mxnet.symbol import read_symbol
from convert.source.source import Network


def read_mxnet(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> Network:
    """Return the network of a symbol file's content and its arrays."""
    symbol = read_symbol(json.dumps(document).encode(), "net-symbol.json")
    return read_graph(mxnet.translate(symbol, arrays))


def read_caffe(text: str, blobs: bytes) -> Network:
    """Return the network of a prototxt and a caffemodel."""
    layers = read_layers(read_text_format(text.encode(), "net.prototxt"), "net.prototxt")
    return read_graph(caffe.translate(layers, read_caffemodel(blobs)))

"""Coverage-guided fuzz runs over MXNet's and Caffe's files, in memory (atheris, libFuzzer).

    pip install atheris
    python tests/fuzz/fuzz_graphs.py params --record -max_total_time=300 -max_len=4096 \\
        -timeout=5 -rss_limit_mb=1024

The first word says which file is fuzzed: `params` or `symbol` (MXNet), `caffemodel` or `prototxt`
(Caffe); the other half of the pair is that of a small network. Every input has to end as a network
or as an error of this project; anything else, a hang or memory beyond the limit included, stops the
run with the input. Without a folder on the command line the seeds are small files of the
independent writers. `--record` writes the figures to benchmarks/results/fuzz_WORD.json every half
minute: libFuzzer ends the process without a word to Python.
"""

import json
import sys
from pathlib import Path

import atheris
import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

with atheris.instrument_imports(include=["convert", "resnext"]):
    from convert.caffe import translation as caffe
    from convert.caffe.layers import read_layers
    from convert.caffe.model import is_caffemodel, read_caffemodel
    from convert.caffe.text_format import read_text_format
    from convert.graph.mapping import read_graph
    from convert.mxnet import translation as mxnet
    from convert.mxnet.params import read_params
    from convert.mxnet.symbol import read_symbol
    from convert.source.source import Network

from tests.fuzz.harness import Harness  # noqa: E402
from tests.support import caffe_writer, graph_nets, mxnet_writer  # noqa: E402

TARGETS = ("params", "symbol", "caffemodel", "prototxt")
TARGET = next((word for word in sys.argv[1:] if word in TARGETS), "params")

NET = graph_nets.resnext(filters=(2, 4, 4, 4, 4), units=(1, 1, 1, 1), groups=1, classes=2)
PARAMS = mxnet_writer.params(mxnet_writer.arrays(NET))
SYMBOL = json.dumps(mxnet_writer.symbol(NET)).encode()
MODEL = caffe_writer.caffemodel(NET)
TEXT = caffe_writer.prototxt(NET).encode()

ARRAYS = read_params(PARAMS).arrays
GRAPH = read_symbol(SYMBOL, "net-symbol.json")
BLOBS = read_caffemodel(MODEL)
LAYERS = read_layers(read_text_format(TEXT, "net.prototxt"), "net.prototxt")


def convert(data: bytes) -> Network:
    """Read one file of a pair, and map the network that it makes with the other one."""
    match TARGET:
        case "params":
            return read_graph(mxnet.translate(GRAPH, read_params(data).arrays))
        case "symbol":
            return read_graph(mxnet.translate(read_symbol(data, "net-symbol.json"), ARRAYS))
        case "caffemodel":
            is_caffemodel(data[:512])
            return read_graph(caffe.translate(LAYERS, read_caffemodel(data)))
        case _:
            layers = read_layers(read_text_format(data, "net.prototxt"), "net.prototxt")
            return read_graph(caffe.translate(layers, BLOBS))


def seeds(folder: Path) -> None:
    """Write the inputs to start from: whole networks, and files of a few bytes."""
    small = {"arg:a": np.ones(3, np.float32), "aux:b": np.zeros((2, 1), np.float16)}
    blobs = [caffe_writer.blob(np.ones(2), form) for form in ("packed", "loose", "old", "double")]
    found = {
        "params": [PARAMS, *(mxnet_writer.params(small, form) for form in mxnet_writer.FORMS)],
        "symbol": [json.dumps(mxnet_writer.symbol(NET, key)).encode() for key in ("attr", "param")],
        "caffemodel": [MODEL, caffe_writer.layer("a", "Scale", blobs)],
        "prototxt": [TEXT, b'name: "x" layer { name: "a" input_param { shape: { dim: [1, 3] } } }'],
    }[TARGET]
    for number, content in enumerate(found):
        (folder / str(number)).write_bytes(content)


if __name__ == "__main__":
    Harness(convert, words=TARGETS, libraries=("atheris", "numpy", "resnext")).run(
        f"fuzz_{TARGET}", seeds
    )

"""Writes MXNet's files by hand, from the description of the format: no code of ours."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.graph_nets import Net

FLAGS = {"float32": 0, "float64": 1, "float16": 2, "uint8": 3, "int32": 4, "int8": 5, "int64": 6}
FORMS = ("legacy", "v1", "v2", "v3")


def array(value: np.ndarray, form: str = "v2") -> bytes:
    """Return one array in a form."""
    shape = value.shape
    long = struct.pack(f"<{len(shape)}q", *shape)
    head = {
        "legacy": struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}I", *shape),
        "v1": struct.pack("<II", 0xF993FAC8, len(shape)) + long,
        "v2": struct.pack("<IiI", 0xF993FAC9, 0, len(shape)) + long,
        "v3": struct.pack("<Iii", 0xF993FACA, 0, len(shape)) + long,
    }[form]
    return head + struct.pack("<iii", 1, 0, FLAGS[value.dtype.name]) + value.tobytes()


def listed(arrays: list[bytes], names: list[bytes]) -> bytes:
    """Return a file of arrays and their names."""
    parts = [struct.pack("<QQQ", 0x112, 0, len(arrays)), *arrays, struct.pack("<Q", len(names))]
    for name in names:
        parts += [struct.pack("<Q", len(name)), name]
    return b"".join(parts)


def params(arrays: Mapping[str, np.ndarray], form: str = "v2") -> bytes:
    """Return a file of named arrays."""
    return listed([array(each, form) for each in arrays.values()], [n.encode() for n in arrays])


OPS = {
    "conv": "Convolution",
    "norm": "BatchNorm",
    "relu": "Activation",
    "max": "Pooling",
    "average": "Pooling",
    "add": "elemwise_add",
    "linear": "FullyConnected",
    "softmax": "SoftmaxOutput",
}
SUFFIXES = {
    "weight": "weight",
    "bias": "bias",
    "gamma": "gamma",
    "beta": "beta",
    "mean": "moving_mean",
    "variance": "moving_var",
}


def settings(kind: str, values: dict[str, Any]) -> dict[str, str]:
    """Return an operator's settings as MXNet writes them."""
    if kind == "conv":
        names = {"kernel": "kernel", "stride": "stride", "pad": "pad"}
        found = {k: f"({values[v]}, {values[v]})" for k, v in names.items() if v in values}
        found |= {"num_filter": str(values["outputs"]), "no_bias": str(not values.get("bias"))}
        return found | {"num_group": str(values.get("groups", 1)), "workspace": "256"}
    if kind == "norm":
        fixed = {"eps": values["eps"], "fix_gamma": str(values["fix_gamma"])}
        return {**fixed, "momentum": "0.9"}
    if kind == "relu":
        return {"act_type": "relu"}
    if kind == "max":
        sides = {k: f"({v}, {v})" for k, v in values.items()}
        convention = {} if values["pad"] else {"pooling_convention": "full"}
        return {**sides, "pool_type": "max", **convention}
    if kind == "average":
        return {"global_pool": "True", "kernel": "(7, 7)", "pool_type": "avg"}
    if kind == "linear":
        return {"num_hidden": str(values["outputs"])}
    return {}


def symbol(net: Net, key: str = "attrs") -> dict[str, Any]:
    """Return the graph of a network as a JSON document.

    Args:
        net: the network.
        key: of the settings: "attrs" (1.x), "attr" (0.9) or "param" (0.8, without the nodes of
            auxiliary arrays).
    """
    nodes: list[dict[str, Any]] = []
    at: dict[str, int] = {}

    def variable(name: str) -> list[int]:
        nodes.append({"op": "null", "name": name, "inputs": []})
        return [len(nodes) - 1, 0, 0][: 2 if key == "param" else 3]

    for op in net.ops:
        if op.kind == "input":
            at[op.name] = variable(op.name)[0]
            continue
        inputs = [[at[name], 0, 0][: 2 if key == "param" else 3] for name in op.inputs]
        hidden = ("mean", "variance") if key == "param" else ()
        fields = [field for field in op.arrays if field not in hidden]
        inputs += [variable(f"{op.name}_{SUFFIXES[field]}") for field in fields]
        if op.kind == "softmax":
            inputs.append(variable("softmax_label"))
        node = {"op": OPS[op.kind], "name": op.name, "inputs": inputs}
        nodes.append({**node, key: settings(op.kind, op.settings)})
        at[op.name] = len(nodes) - 1
    attributes = {"mxnet_version": ["int", 905 if key == "attr" else 10901]}
    return {"nodes": nodes, "heads": [[len(nodes) - 1, 0, 0]], "attrs": attributes}


def arrays(net: Net) -> dict[str, np.ndarray]:
    """Return the arrays of a network by their names in the file."""
    return {
        f"{'aux' if field in ('mean', 'variance') else 'arg'}:{op.name}_{SUFFIXES[field]}": value
        for op in net.ops
        for field, value in op.arrays.items()
    }


def save(net: Net, folder: Path, *, form: str = "v2", key: str = "attrs") -> Path:
    """Write both files of a network; return the path of the arrays."""
    (folder / "net-symbol.json").write_text(json.dumps(symbol(net, key)))
    path = folder / "net-0007.params"
    path.write_bytes(params(arrays(net), form))
    return path

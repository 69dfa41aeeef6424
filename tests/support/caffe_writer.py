"""Writes Caffe's files by hand, from caffe.proto and protobuf's wire format: no code of ours."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.support.graph_nets import Net, Op


def varint(value: int) -> bytes:
    """Return a whole number in groups of seven bits."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number: int, content: bytes) -> bytes:
    """Return a field with a length."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def number_field(number: int, value: int) -> bytes:
    """Return a field with a whole number."""
    return varint(number << 3) + varint(value)


def blob(value: np.ndarray, form: str = "packed") -> bytes:
    """Return a blob: "packed", "loose" (a tag before each number), "old" (four sizes), "double"."""
    if form == "old":
        sizes = (1,) * (4 - value.ndim) + value.shape
        shape = b"".join(number_field(at, size) for at, size in enumerate(sizes, 1))
    else:
        shape = field(7, field(1, b"".join(varint(size) for size in value.shape)))
    flat = value.astype("<f8" if form == "double" else "<f4").ravel()
    if form == "loose":
        return b"".join(varint(5 << 3 | 5) + each.tobytes() for each in flat) + shape
    return field(8 if form == "double" else 5, flat.tobytes()) + shape


def layer(name: str, kind: str, blobs: list[bytes]) -> bytes:
    """Return a layer."""
    parts = [field(1, name.encode()), field(2, kind.encode()), field(3, b"x"), field(4, b"y")]
    return field(100, b"".join([*parts, *(field(7, each) for each in blobs)]))


def blobs(op: Op, factor: float) -> dict[str, tuple[str, list[np.ndarray]]]:
    """Return layer name -> its type and arrays."""
    match op.kind:
        case "conv" | "linear":
            kind = "Convolution" if op.kind == "conv" else "InnerProduct"
            return {op.name: (kind, list(op.arrays.values()))}
        case "norm":
            scaled = [op.arrays[name] * np.float32(factor) for name in ("mean", "variance")]
            found = {op.name: ("BatchNorm", [*scaled, np.array([factor], np.float32)])}
            if op.settings.get("scale", True):
                pair = [op.arrays["gamma"], op.arrays["beta"]]
                found[f"scale_{op.name}"] = ("Scale", pair)
            return found
        case _:
            return {}


def caffemodel(net: Net, *, form: str = "packed", factor: float = 1.0) -> bytes:
    """Return the blobs of a network."""
    layers = [
        layer(name, kind, [blob(each, form) for each in arrays])
        for op in net.ops
        for name, (kind, arrays) in blobs(op, factor).items()
    ]
    return field(1, b"net") + b"".join(layers)


def words(value: Any) -> str:
    """Return a value in the text format."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def message(name: str, fields: dict[str, Any]) -> str:
    """Return a message in the text format."""
    inside = " ".join(f"{key}: {words(value)}" for key, value in fields.items())
    return f"  {name} {{ {inside} }}\n"


def text_layer(name: str, kind: str, bottoms: list[str], top: str, inside: str = "") -> str:
    """Return a layer in the text format."""
    ends = "".join(f'  bottom: "{each}"\n' for each in bottoms) + f'  top: "{top}"\n'
    return f'layer {{\n  name: "{name}"\n  type: "{kind}"\n{ends}{inside}}}\n'


def layer_texts(op: Op, tops: dict[str, str], side: int) -> list[str]:
    """Return the layers of an operator; in-place where Caffe's networks are."""
    bottoms, values = [tops[name] for name in op.inputs], op.settings
    tops[op.name] = bottoms[0] if op.kind in ("norm", "relu") else op.name
    top = tops[op.name]
    match op.kind:
        case "input":
            dims = " ".join(f"dim: {each}" for each in (1, 3, side, side))
            return [
                text_layer(op.name, "Input", [], top, f"  input_param {{ shape {{ {dims} }} }}\n")
            ]
        case "conv":
            names = {"num_output": "outputs", "kernel_size": "kernel", "group": "groups"}
            fields = {k: values[v] for k, v in names.items() if v in values}
            fields |= {k: values[k] for k in ("stride", "pad") if k in values}
            inside = message("convolution_param", {**fields, "bias_term": bool(values.get("bias"))})
            return [text_layer(op.name, "Convolution", bottoms, top, inside)]
        case "norm":
            inside = message("batch_norm_param", {"use_global_stats": True, "eps": values["eps"]})
            found = [text_layer(op.name, "BatchNorm", bottoms, top, inside)]
            if values.get("scale", True):
                inside = message("scale_param", {"bias_term": True})
                found.append(text_layer(f"scale_{op.name}", "Scale", [top], top, inside))
            return found
        case "relu":
            return [text_layer(op.name, "ReLU", bottoms, top)]
        case "max":
            fields = {"pool": "MAX", "kernel_size": 3, "stride": 2, "pad": values["pad"]}
            fields |= {"round_mode": "FLOOR"} if values["pad"] else {}
            return [text_layer(op.name, "Pooling", bottoms, top, message("pooling_param", fields))]
        case "average":
            inside = message("pooling_param", {"pool": "AVE", "global_pooling": True})
            return [text_layer(op.name, "Pooling", bottoms, top, inside)]
        case "add":
            inside = message("eltwise_param", {"operation": "SUM"})
            return [text_layer(op.name, "Eltwise", bottoms[::-1], top, inside)]
        case "linear":
            inside = message("inner_product_param", {"num_output": values["outputs"]})
            return [text_layer(op.name, "InnerProduct", bottoms, top, inside)]
        case _:
            return [text_layer(op.name, "Softmax", bottoms, top)]


def prototxt(net: Net, side: int = 64) -> str:
    """Return the text of a network."""
    tops: dict[str, str] = {}
    layers = [text for op in net.ops for text in layer_texts(op, tops, side)]
    return 'name: "net"\n' + "".join(layers)


def save(net: Net, folder: Path, *, form: str = "packed", factor: float = 1.0) -> Path:
    """Write both files of a network; return the path of the blobs."""
    (folder / "net.prototxt").write_text(prototxt(net))
    path = folder / "net.caffemodel"
    path.write_bytes(caffemodel(net, form=form, factor=factor))
    return path

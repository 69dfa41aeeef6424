"""A .t7 of exactly a published file's layout and size, its weights drawn from a seed."""

import json
import lzma
import sys
from pathlib import Path

import numpy as np

SKELETONS = Path(__file__).parents[1] / "tests" / "data" / "skeletons"


def write_filled(name: str, target: Path, *, seed: int = 0) -> None:
    """Unpack the skeleton of a published file and fill its two flat storages.

    Args:
        name: e.g. `resnext_101_64x4d`.
        target: the file to write.
        seed: of the normal floats. Their deviation lets the logits follow the picture, without
            which nothing could be proven: with 0.01 the biases are all that is left of it.
    """
    row = json.loads((SKELETONS / f"{name}.json").read_text())
    with lzma.open(SKELETONS / f"{name}.t7.xz") as packed:
        data = bytearray(packed.read())
    generator = np.random.default_rng(seed)
    for storage in row["flat_storages"]:
        start, size = storage["offset"], storage["bytes"]
        weights = np.float32(0.1) * generator.standard_normal(size // 4, dtype=np.float32)
        data[start : start + size] = weights.tobytes()
    assert len(data) == row["bytes"]
    target.write_bytes(data)


if __name__ == "__main__":
    write_filled(sys.argv[1], Path(sys.argv[2]))

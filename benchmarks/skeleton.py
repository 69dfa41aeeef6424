"""A .t7 of exactly a published file's layout and size, its weights drawn from a seed."""

import json
import lzma
from pathlib import Path

import numpy as np

from benchmarks.runs import command_line
from resnext.files import whole_file

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
    with whole_file(target) as file:
        file.write(data)


def main() -> None:
    """Write the file that the command line names."""
    names = sorted(path.stem for path in SKELETONS.glob("*.json"))
    parser = command_line()
    parser.add_argument("name", choices=names, help=f"One of {', '.join(names)}.", metavar="NAME")
    parser.add_argument("target", type=Path, help="The file to write.", metavar="FILE")
    parser.add_argument("--seed", type=int, default=0, help="Of the weights. Default: 0.")
    given = parser.parse_args()
    try:
        write_filled(given.name, given.target, seed=given.seed)
    except OSError as error:
        parser.error(f"{given.target}: {error.strerror}; name another file")


if __name__ == "__main__":
    main()

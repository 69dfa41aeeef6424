"""The three published files at full size, as Torch7 wrote them, with random weights filled in."""

import json
import lzma
import mmap
import shutil
from pathlib import Path

import numpy as np
import pytest

from convert.loading import load_original
from convert.location import start_sha256
from resnext.checkpoint import Origin
from resnext.layout import layout
from tests.support.golden import DATA

SKELETONS = DATA / "skeletons"


def filled(name: str, folder: Path) -> tuple[Path, list[float]]:
    """Unpack a skeleton; fill its weights and its gradients with floats of [0, 1).

    Returns the path, and the sums of both: which of them comes first in the file is chance.
    """
    path = folder / f"{name}.t7"
    with lzma.open(SKELETONS / f"{name}.t7.xz") as source, path.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    rng, sums = np.random.default_rng(0), []
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        for storage in json.loads((SKELETONS / f"{name}.json").read_text())["flat_storages"]:
            sums.append(0.0)
            for start in range(0, storage["bytes"], 1 << 24):
                count = min(1 << 24, storage["bytes"] - start) // 4
                at = storage["offset"] + start
                values = rng.random(count, np.float32)
                sums[-1] += float(values.sum(dtype=np.float64))
                data[at : at + 4 * count] = values.tobytes()
    return path, sums


@pytest.mark.parametrize(
    ("name", "size", "parameters"),
    [
        ("resnext_50_32x4d", 200_631_353, 25_028_904),
        pytest.param("resnext_101_32x4d", 354_222_426, 44_177_704, marks=pytest.mark.slow),
        pytest.param("resnext_101_64x4d", 668_703_066, 83_455_272, marks=pytest.mark.slow),
    ],
)
def test_published_file_is_the_published_network(
    name: str, size: int, parameters: int, tmp_path: Path
) -> None:
    path, sums = filled(name, tmp_path)
    original = load_original(path, sha256=start_sha256(path))
    path.unlink()  # it stays mapped, and does not stay behind
    checkpoint = original.checkpoint()
    assert original.source.bytes == size
    assert layout(checkpoint.spec).parameters() == parameters
    trained = [a for n, a in checkpoint.tensors.items() if n.endswith(("weight", "bias"))]
    assert sum(array.size for array in trained) == parameters
    assert checkpoint.provenance.published_name == name
    assert checkpoint.provenance.licence == "CC BY-NC 4.0"
    assert checkpoint.provenance.conversions == ()
    assert checkpoint.origin is Origin.PUBLISHED
    assert checkpoint.classes is not None
    assert checkpoint.wnids is not None
    last = (checkpoint.classes[0], checkpoint.wnids[0], checkpoint.classes[999])
    assert last == ("tench", "n01440764", "toilet tissue")
    assert (checkpoint.classes.count("crane"), len(set(checkpoint.wnids))) == (2, 1000)
    # Each weight is used once, and no gradient in its place.
    total = sum(float(array.sum(dtype=np.float64)) for array in trained)
    assert min(abs(total - expected) for expected in sums) < 1e-12 * total

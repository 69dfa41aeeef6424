import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from resnext.images.image_set import PictureSet
from resnext.loader.batches import read_batches
from resnext.pixels.pipelines import Preparation
from resnext.pixels.raw_crops import RawCrops
from resnext.preprocessing import Preprocessing
from tests.support.golden import DATA

NAMES = ("landscape_420", "grayscale", "cmyk", "portrait_444", "progressive_422")
WHOLE = Preprocessing(scale=None, crop=40, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))


@dataclass(frozen=True)
class Stored:
    files: Sequence[bytes]

    def read(self, position: int) -> bytes:
        return self.files[position]

    def stamp(self) -> str:
        return ""


def png(side: int, value: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side), (value, 0, 0)).save(file, "PNG")
    return file.getvalue()


def photographs() -> PictureSet:
    """Return JPEG files of many kinds, one that is cut short and a PNG between them."""
    files = [(DATA / "images" / f"{name}.JPEG").read_bytes() for name in NAMES]
    files[2:2] = [files[0][:3000], png(50, 7)]
    ids = [f"{number}.jpg" for number in range(len(files))]
    return PictureSet(root="", ids=ids, reader=Stored(files))


@pytest.mark.parametrize("workers", [0, 1])
def test_pictures_in_one_memory_do_not_touch_those_before(workers: int) -> None:
    images = photographs()
    ways = [Preparation(WHOLE, 1, True), Preparation(WHOLE)]
    read = read_batches(images, [[6, 0, 1, 2, 3, 4, 5], [3]], ways, workers=workers)
    batch = next(read)
    assert batch.positions.tolist() == [6, 0, 1, 3, 4, 5]
    crops, floats = batch.inputs
    assert isinstance(crops, RawCrops)
    for row, position in enumerate(batch.positions.tolist()):
        with Image.open(io.BytesIO(images.reader.read(position))) as image:
            whole = np.asarray(image if image.mode == "CMYK" else image.convert("RGB"))
        whole = 255 - whole[:, :, :3] if whole.shape[2] == 4 else whole
        top, left = ((side - 40 + 1) // 2 for side in whole.shape[:2])
        expected = whole[top : top + 40, left : left + 40].astype(np.float64) / 255
        found = (floats[row].numpy().astype(np.float64) * 0.2 + 0.5).transpose(1, 2, 0)
        assert np.abs(found - expected).max() < 1e-6
        begin, (height, width) = int(crops.starts[row]), crops.sizes[row].tolist()
        raw = crops.flat[begin : begin + 3 * height * width].numpy().reshape(height, width, 3)
        inner = whole[top : top + 40, left : left + 40]
        windows = np.lib.stride_tricks.sliding_window_view(raw, (40, 40, 3))
        assert (windows == inner).all(axis=(3, 4, 5)).any()  # a line more on some sides
    read.close()


def test_large_picture_leaves_no_memory_behind() -> None:
    from resnext.pixels.decoding import PixelMemory

    memory = PixelMemory()
    small = memory.take(1000)
    assert memory.take(17 << 20) is not memory.take(17 << 20)
    assert memory.take(10) is small
    assert len(memory.take(2000)) == 2000

"""`resnext.Transform`: the pixels of Torch7 from whatever a dataset hands over."""

import copy
import hashlib
import io
import json
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

import resnext
from resnext.errors import ImageError, PreprocessingError
from resnext.pixels.decoding import decode
from resnext.preprocessing import CIFAR10, IMAGENET, Preprocessing
from tests.support.golden import DATA

IMAGES = DATA / "images"
EXPECTED = json.loads((IMAGES / "expected.json").read_text(encoding="utf-8"))
TEN = "ten_crop_sha256_float32_nchw"
# Keeps the values of bytes, so that a test can identify pixels.
PLAIN = Preprocessing(scale=None, crop=1, mean=(0, 0, 0), std=(1, 1, 1), white=255)


def sha256(tensor: torch.Tensor) -> str:
    return hashlib.sha256(tensor.numpy().tobytes()).hexdigest()


def loaded(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


FORMS: dict[str, Callable[[Path], object]] = {
    "bytes": Path.read_bytes,
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "memoryview": lambda path: memoryview(path.read_bytes()),
    "array": lambda path: decode(path.read_bytes()),
    "from blue, green, red": lambda path: decode(path.read_bytes())[:, :, ::-1].copy()[:, :, ::-1],
    "opened": Image.open,
    "loaded": loaded,
    "copied": lambda path: loaded(path).copy(),  # which has forgotten its format
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_picture_in_any_form_is_torch7s_in_every_bit(name: str, form: str) -> None:
    found = resnext.Transform(IMAGENET)(FORMS[form](IMAGES / name))
    assert (found.shape, found.dtype) == ((3, 224, 224), torch.float32)
    assert found.is_contiguous()
    assert sha256(found) == EXPECTED[name]["sha256_float32_chw"]


@pytest.mark.parametrize("form", ["bytes", "array", "opened"])
@pytest.mark.parametrize("name", sorted(name for name, row in EXPECTED.items() if TEN in row))
def test_ten_crops_are_torch7s_in_every_bit(name: str, form: str) -> None:
    found = resnext.Transform(IMAGENET, crops=10)(FORMS[form](IMAGES / name))
    assert found.shape == (10, 3, 224, 224)
    assert sha256(found) == EXPECTED[name][TEN]


def test_pil_pipeline_scales_as_pillow_does() -> None:
    """The whole picture of 40 x 40 to 20 x 20, computed with Pillow here."""
    pixels = (np.arange(40 * 40 * 3) ** 2 % 251).astype(np.uint8).reshape(40, 40, 3)
    row = replace(PLAIN, scale=20, crop=20)
    smaller = Image.fromarray(pixels).resize((20, 20), Image.Resampling.BILINEAR)
    found = resnext.Transform(row, pipeline="pil")(pixels)
    assert found.is_contiguous()
    np.testing.assert_array_equal(found.numpy(), np.asarray(smaller).transpose(2, 0, 1))


def test_copy_is_equal_and_pickling_keeps_it() -> None:
    transform = resnext.Transform(CIFAR10, crops=10, pipeline="torch7")
    for same in (pickle.loads(pickle.dumps(transform)), copy.deepcopy(transform)):  # noqa: S301
        assert same == transform
        assert (same.preprocessing, same.pipeline, same.crops) == (CIFAR10, "torch7", 10)


# Modes of Pillow


def drawn(mode: str, colour: object, **changes: object) -> Image.Image:
    image = Image.new(mode, (1, 1), colour)
    for name, value in changes.items():
        setattr(image, name, value)
    return image


def palette() -> Image.Image:
    image = Image.new("P", (1, 1), 1)
    image.putpalette([9, 8, 7, 10, 20, 30])
    image.info["transparency"] = 1
    return image


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (drawn("RGB", (1, 2, 3)), [1, 2, 3]),
        (drawn("L", 77), [77, 77, 77]),
        (drawn("1", 1), [255, 255, 255]),
        (drawn("LA", (77, 5)), [77, 77, 77]),
        (drawn("RGBA", (10, 20, 30, 0)), [10, 20, 30]),
        (palette(), [10, 20, 30]),
        (drawn("CMYK", (255, 155, 0, 99)), [0, 100, 255]),  # raw values of libjpeg, without black
        (drawn("CMYK", (255, 155, 0, 99), format="JPEG"), [0, 100, 255]),
    ],
    ids=["RGB", "L", "1", "LA", "RGBA", "P", "CMYK", "CMYK of a JPEG"],
)
def test_mode_of_pillow_follows_the_rules_of_the_decoder(
    image: Image.Image, expected: list[int]
) -> None:
    assert resnext.Transform(PLAIN)(image).flatten().tolist() == expected


def test_exif_orientation_is_ignored() -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    image = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(1, 2, 3))
    image.save(file, "PNG", exif=exif)
    found = resnext.Transform(replace(PLAIN, crop=1))(Image.open(file))
    assert found.flatten().tolist() == [3, 4, 5]  # ceil((2 - 1) / 2) from the left


def saved(image: Image.Image, form: str, **options: object) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, form, **options)
    file.seek(0)
    return file


def deep_png() -> Image.Image:
    """Return an opened PNG of 16 bits a channel, of which Pillow shows eight."""
    from struct import pack
    from zlib import compress, crc32

    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", crc32(kind + data))

    head = chunk(b"IHDR", pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0))
    body = chunk(b"IDAT", compress(b"\0" + bytes(6)))
    return Image.open(io.BytesIO(b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")))


def cut() -> Image.Image:
    data = (IMAGES / "square256.JPEG").read_bytes()
    return Image.open(io.BytesIO(data[: len(data) // 2]))


def closed() -> Image.Image:
    with Image.open(IMAGES / "square256.JPEG") as image:
        return image


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Image.new("I;16", (9, 9)), "at most 8 bits a sample expected, found 16 in an im"),
        (lambda: Image.new("I", (9, 9)), "at most 8 bits a sample expected, found 16 in an image"),
        (lambda: Image.new("F", (9, 9)), "found 16 in an image of mode F; convert"),
        (deep_png, "at most 8 bits a sample expected, found 16 in a PNG of mode RGB; convert"),
        (lambda: Image.new("La", (9, 9)), r"mode La that gives none \(conversion"),
        (lambda: Image.new("RGB", (0, 9)), "an image with pixels expected, found 0 x 9"),
        (cut, r"found one of mode RGB that gives none \(image file is truncated.*; load it before"),
        (closed, r"of mode RGB that gives none \(its file is closed\); load it before"),
        (lambda: "cat.jpg", r"found str; read the file with Path\(...\).read_bytes\(\)"),
        (lambda: Path("cat.jpg"), r"found PosixPath; read the file with Path"),
        (lambda: None, "an image of Pillow expected, found NoneType$"),
        (lambda: torch.zeros(9, 9, 3, dtype=torch.uint8), "expected, found Tensor$"),
        (lambda: np.zeros((9, 9)), "found (9, 9) float64; give the pixels as they were decoded"),
        (lambda: np.zeros((9, 9, 3), np.int8), "(9, 9, 3) int8; give the pixels as they were"),
        (lambda: np.zeros((9, 9), np.uint8), "(9, 9) uint8; repeat the gray channel"),
        (lambda: np.zeros((3, 9, 9), np.uint8), "(3, 9, 9) uint8; put the channels last"),
        (lambda: np.zeros((9, 9, 4), np.uint8), "(9, 9, 4) uint8; leave out the fourth"),
        (lambda: np.zeros((2, 9, 9, 3), np.uint8), "(2, 9, 9, 3) uint8; give one picture"),
        (lambda: np.zeros((0, 9, 3), np.uint8), "found (0, 9, 3) uint8; give one picture"),
        (lambda: np.zeros(3, object), "found (3,) object; give the pixels"),
        (lambda: np.zeros((1, 20000, 3), np.uint8), "found 5120000 x 256"),
        (lambda: b"", "an image expected, found an empty file"),
        (lambda: b"nothing", "an image (JPEG, PNG, PPM, BMP, GIF, TIFF, WEBP) expected"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(
    make: Callable[[], object], message: str
) -> None:
    transform = resnext.Transform(replace(IMAGENET, scale=256))
    message = message if "\\" in message else message.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ImageError, match=message) as caught:
        transform(make())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"preprocessing": None}, "no preprocessing is known for these weights"),
        ({"preprocessing": "imagenet"}, "a resnext.Preprocessing expected, found str"),
        ({"pipeline": "bicubic"}, "pipeline is one of torch7, pil, opencv, found 'bicubic'"),
        ({"pipeline": []}, r"pipeline is one of torch7, pil, opencv, found \[\]"),
        ({"crops": 5}, "crops 1 or 10 expected, found 5"),
        ({"crops": None}, "crops 1 or 10 expected, found None"),
    ],
)
def test_transform_of_something_else_is_refused(words: dict[str, object], message: str) -> None:
    with pytest.raises(PreprocessingError, match=message):
        resnext.Transform(**({"preprocessing": IMAGENET} | words))


# Datasets


class Golden(Dataset):
    """The pictures that Torch7 was asked about, as a dataset of torch."""

    def __init__(self, transform: Callable[[object], torch.Tensor], form: str) -> None:
        self.transform, self.form = transform, form

    def __len__(self) -> int:
        return len(EXPECTED)

    def __getitem__(self, position: int) -> tuple[torch.Tensor, int]:
        read = {"bytes": Path.read_bytes, "opened": Image.open}[self.form]
        return self.transform(read(IMAGES / sorted(EXPECTED)[position])), position


def checksums(batches: Iterator[tuple[torch.Tensor, torch.Tensor]]) -> list[str]:
    return [sha256(each) for inputs, _ in batches for each in inputs]


@pytest.mark.parametrize(
    ("workers", "start"), [(0, None), (2, "fork"), (2, "spawn")], ids=["none", "fork", "spawn"]
)
def test_data_loader_feeds_torch7s_pixels(workers: int, start: str | None) -> None:
    dataset = Golden(resnext.Transform(IMAGENET), "opened")
    loader = DataLoader(dataset, batch_size=5, num_workers=workers, multiprocessing_context=start)
    expected = [EXPECTED[name]["sha256_float32_chw"] for name in sorted(EXPECTED)]
    assert checksums(loader) == expected

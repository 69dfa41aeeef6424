import io
import struct
import time
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from resnext.errors import ImageError
from resnext.pixels.decoding import decode
from tests.support.golden import DATA

IMAGES = DATA / "images"
JPEG = (IMAGES / "landscape_420.JPEG").read_bytes()
COLOURS = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(width: int, height: int, *, bits: int, color: int, rows: bytes) -> bytes:
    """Write a PNG by hand: rows are raw scan lines, each behind its filter byte."""
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def with_junk(jpeg: bytes, marker: bytes) -> bytes:
    """Insert three extraneous bytes before a marker."""
    place = jpeg.rindex(marker)
    return jpeg[:place] + b"\0\1\2" + jpeg[place:]


@pytest.mark.parametrize(
    ("data", "gray"),
    [
        pytest.param(png(8, 1, bits=1, color=0, rows=b"\0\x55"), [0, 255] * 4, id="1-bit"),
        pytest.param(png(4, 1, bits=2, color=0, rows=b"\0\x1b"), [0, 85, 170, 255], id="2-bit"),
        pytest.param(png(4, 1, bits=4, color=0, rows=b"\0\x01\xef"), [0, 17, 238, 255], id="4-bit"),
        pytest.param(png(3, 1, bits=8, color=0, rows=b"\0\x00\x07\xff"), [0, 7, 255], id="8-bit"),
        pytest.param(png(2, 1, bits=8, color=4, rows=b"\0\x05\x00\x06\x80"), [5, 6], id="alpha"),
    ],
)
def test_gray_png_is_spread_and_repeated(data: bytes, gray: list[int]) -> None:
    assert decode(data).tolist() == [[[value] * 3 for value in gray]]


def test_rgba_png_keeps_its_raw_colours() -> None:
    data = png(2, 1, bits=8, color=6, rows=b"\0\x01\x02\x03\x00\x04\x05\x06\x80")
    assert decode(data).tolist() == [[[1, 2, 3], [4, 5, 6]]]


@pytest.mark.parametrize("transparency", [0, b"\x00\x80"], ids=["one entry", "by entry"])
def test_palette_png_with_transparency_keeps_its_colours(transparency: object) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    data = saved(image, "PNG", transparency=transparency)
    assert decode(data).tolist() == [[[10, 20, 30], [40, 50, 60]]]


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("PPM", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True})],
    ids=["png", "ppm", "bmp", "tiff", "webp"],
)
def test_lossless_format_gives_its_pixels(kind: str, options: dict[str, object]) -> None:
    pixels = decode(saved(Image.fromarray(COLOURS), kind, **options))
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert np.array_equal(pixels, COLOURS)


def test_animated_gif_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (3, 2), color) for color in [(255, 0, 0), (0, 0, 255)]]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(data).tolist() == [[[255, 0, 0]] * 3] * 2


def test_exif_orientation_is_ignored() -> None:
    assert decode((IMAGES / "exif_rotated.JPEG").read_bytes()).shape == (300, 400, 3)


def test_cmyk_jpeg_gives_its_first_three_raw_channels() -> None:
    # Pillow inverts all four channels of every CMYK JPEG.
    inverted = np.asarray(Image.open(IMAGES / "cmyk.JPEG"))
    assert np.array_equal(decode((IMAGES / "cmyk.JPEG").read_bytes()), 255 - inverted[:, :, :3])


@pytest.mark.parametrize("name", ["landscape_420", "grayscale", "progressive_422", "cmyk"])
@pytest.mark.parametrize("marker", [b"\xff\xdb", b"\xff\xd9"], ids=["header", "end"])
def test_jpeg_with_extraneous_bytes_decodes_to_the_same(name: str, marker: bytes) -> None:
    jpeg = (IMAGES / f"{name}.JPEG").read_bytes()
    assert np.array_equal(decode(with_junk(jpeg, marker)), decode(jpeg))


def test_jpeg_with_too_little_data_before_its_end_marker_is_decoded_as_far_as_it_goes() -> None:
    pixels = decode(JPEG[: len(JPEG) // 2] + b"\xff\xd9")
    assert np.array_equal(pixels[:100], decode(JPEG)[:100])
    assert (pixels[-1] == 128).all()


def test_jpeg_with_bytes_behind_its_end_decodes_to_the_same() -> None:
    assert np.array_equal(decode(JPEG + bytes(100)), decode(JPEG))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(JPEG[:300], id="jpeg in its header"),
        pytest.param(JPEG[:-1000], id="jpeg in its pixels"),
        pytest.param(JPEG[:-1], id="jpeg in its end marker"),
        pytest.param(with_junk(JPEG, b"\xff\xdb")[:-1000], id="jpeg after a warning"),
        pytest.param((IMAGES / "progressive_422.JPEG").read_bytes()[:30000], id="progressive"),
        pytest.param((IMAGES / "png_named.JPEG").read_bytes()[:-5000], id="png"),
        pytest.param(saved(Image.fromarray(COLOURS), "BMP")[:-20], id="bmp"),
    ],
)
def test_truncated_image_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match=rf"truncated after {len(data)} bytes"):
        decode(data)


@pytest.mark.parametrize(
    "data",
    [
        # Both are fatal to libjpeg; simplejpeg without `strict` returns half a picture.
        pytest.param(JPEG[:20000] + b"\xff\xa5" + JPEG[20002:], id="jpeg, marker in its pixels"),
        pytest.param(JPEG[:20000] + b"\xff\xd8" + JPEG[20002:], id="jpeg, second start"),
        pytest.param(
            png(1, 1, bits=8, color=0, rows=b"\0\0").replace(b"IDATx", b"IDATy"), id="png"
        ),
    ],
)
def test_damaged_image_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match="damaged"):
        decode(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty file"),
        (b"hello there" * 100, "found 1100 bytes starting b'hello th'"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1", "found HEIC, .*; save it as JPEG or PNG"),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1", "found AVIF"),
        (b"\xff\xd8", "found 2 bytes"),
        (b"\x89PNG\r\n\x1a\n", "PNG header expected"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", "an image .* expected"),
    ],
    ids=["empty", "text", "heic", "avif", "start of a jpeg", "start of a png", "postscript"],
)
def test_bytes_without_an_image_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        decode(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png(1, 1, bits=16, color=0, rows=bytes(3)), id="gray png"),
        pytest.param(png(1, 1, bits=16, color=2, rows=bytes(7)), id="rgb png"),
        pytest.param(saved(Image.new("F", (1, 1)), "TIFF"), id="float tiff"),
    ],
)
def test_more_than_eight_bits_are_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match="at most 8 bits a sample expected"):
        decode(data)


def declared(width: int, height: int, *, kind: str) -> bytes:
    """Return a small file whose header declares many pixels."""
    if kind == "png":
        return png(width, height, bits=8, color=2, rows=b"")
    if kind == "bmp":
        bmp = saved(Image.fromarray(COLOURS), "BMP")
        return bmp[:18] + struct.pack("<ii", width, height) + bmp[26:]
    jpeg = with_junk(JPEG, b"\xff\xdb") if kind == "damaged jpeg" else JPEG
    frame = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:frame] + struct.pack(">HH", height, width) + jpeg[frame + 4 :]


@pytest.mark.parametrize("kind", ["jpeg", "damaged jpeg", "png", "bmp"])
@pytest.mark.parametrize("side", [10000, 50000], ids=["beyond", "far beyond"])
def test_too_many_declared_pixels_are_refused(kind: str, side: int) -> None:
    with pytest.raises(ImageError, match="at most 89478485 pixels expected"):
        decode(declared(side, side, kind=kind))


@pytest.mark.parametrize("kind", ["jpeg", "damaged jpeg", "png", "bmp"])
def test_too_many_declared_pixels_give_no_warning_and_leave_the_filters(kind: str) -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        with pytest.raises(ImageError, match="at most 89478485 pixels expected"):
            decode(declared(10000, 10000, kind=kind))
        assert warnings.filters == before
    assert warned == []


def tiff(bits: tuple[int, ...], *, kind: int = 1) -> bytes:
    """Write a TIFF of 2 x 2 pixels by hand, with one sample of so many bits for each entry."""
    body = bytes(4 * sum(bits) // 8)
    short = struct.pack(f"<{len(bits)}H", *bits)
    entries = [
        (256, 4, 1, 2),
        (257, 4, 1, 2),
        (258, 3, len(bits), int.from_bytes(short, "little") if len(bits) < 3 else 200),
        (259, 3, 1, 1),
        (262, 3, 1, 2 if len(bits) > 2 else 1),
        (273, 4, 1, 300),
        (277, 3, 1, len(bits)),
        (278, 4, 1, 2),
        (279, 4, 1, len(body)),
        (339, 3, 1, kind),
    ]
    head = struct.pack("<2sHIH", b"II", 42, 8, len(entries))
    head += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    return head.ljust(200, b"\0") + short.ljust(100, b"\0") + body


@pytest.mark.parametrize(
    "data",
    [
        tiff((16, 16, 16)),
        tiff((16,)),
        b"P6 1 1 65535\n" + bytes(6),
        b"P6 1 1 1023\n" + bytes(6),
        b"P3 1 1 256\n1 2 3\n",
        b"P5 1 1 65535\n" + bytes(2),
    ],
    ids=["RGB TIFF", "gray TIFF", "PPM", "PPM of a sensor", "PPM as text", "PGM"],
)
def test_more_than_eight_bits_in_the_file_are_refused_whatever_pillow_makes_of_them(
    data: bytes,
) -> None:
    with pytest.raises(ImageError, match=r"at most 8 bits a sample expected, found (9|1\d) in a"):
        decode(data)


@pytest.mark.parametrize(
    "data",
    [tiff((8, 8, 8)), tiff((8,)), b"P6 2 2 255\n" + bytes(12), b"P6 2 2 200\n" + bytes(12)],
    ids=["RGB TIFF", "gray TIFF", "PPM", "PPM of less"],
)
def test_eight_bits_in_the_file_are_read(data: bytes) -> None:
    assert not decode(data).any()


def repeated_scans(times: int) -> bytes:
    data = saved(Image.new("RGB", (2000, 2000), "red"), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * times + data[-2:]


def test_jpeg_that_repeats_its_scans_is_refused_at_once() -> None:
    data = repeated_scans(3000)  # half a minute to decode
    begin = time.monotonic()
    with pytest.raises(ImageError, match=r"a JPEG of at most 100 scans expected, found 3009, each"):
        decode(data)
    assert time.monotonic() - begin < 1


def test_jpeg_of_usual_scans_is_read_whatever_follows_it() -> None:
    data = repeated_scans(1)
    assert decode(data + data[data.rindex(b"\xff\xda") : -2] * 3000).shape == (2000, 2000, 3)

"""The compiled kernel equals NumPy in every bit; one with any other arithmetic is rejected."""

import mmap
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resnext.pixels import bicubic
from resnext.pixels import compiled_bicubic as kernel
from resnext.pixels.bicubic import Levels, find_taps, scale_with_numpy
from resnext.pixels.compiled_bicubic import Kernel
from resnext.pixels.decoding import decode
from resnext.pixels.resample import agrees, scaled_size
from resnext.preprocessing import IMAGENET
from tests.support.golden import ROOT

ROOT = ROOT
IMAGES = ROOT / "tests" / "data" / "images"
SOURCE = Path(kernel.__file__).with_name("_bicubic.c")
COMPILER = shutil.which("cc")
FLAGS = ("-O3", "-ffp-contract=off")

INSTALLED = Kernel.installed()
needs_kernel = pytest.mark.skipif(
    INSTALLED is None, reason="the installation built no kernel: it found no C compiler"
)
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler")

LEVELS = Levels(
    unit=np.float32(1 / 255),
    shift=-np.array(IMAGENET.mean, np.float32),
    divisor=np.array(IMAGENET.std, np.float32),
)


def compile_library(source: str, folder: Path, *flags: str) -> Path:
    """Compile C as a library that Python's import system finds as the module "library".

    Raises:
        CalledProcessError: the compiler refuses.
    """
    assert COMPILER is not None
    path = folder / "library.c"
    path.write_text(source)
    library = folder / "library.so"
    command = [COMPILER, "-shared", "-fPIC", *flags, str(path), "-o", str(library)]
    subprocess.run(command, check=True, capture_output=True)
    return library


def fused_flags() -> tuple[str, ...] | None:
    """Return flags with which the compiler can fuse multiply and add; or None if it cannot.

    Only these instructions are enabled: -march=native may change other arithmetic too.
    """
    match platform.machine():
        case "x86_64":
            cpuinfo = Path("/proc/cpuinfo")
            has_fma = cpuinfo.exists() and " fma " in cpuinfo.read_text()
            return ("-mfma",) if has_fma else None
        case "aarch64" | "arm64":
            return ()
        case _:
            return None


def bits_differ(
    pixels: np.ndarray, size: tuple[int, int], wanted: tuple[range, range], levels: Levels
) -> int:
    """Count the numbers of a window of the scaled picture in which kernel and NumPy differ."""
    assert INSTALLED is not None
    rows = find_taps(pixels.shape[0], size[0], wanted[0])
    columns = find_taps(pixels.shape[1], size[1], wanted[1])
    source = pixels[rows.start : rows.stop, columns.start : columns.stop]
    found = INSTALLED(source, rows, columns, levels)
    expected = scale_with_numpy(source, rows, columns, levels)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    return int((found.view(np.uint32) != expected.view(np.uint32)).sum())


def whole(size: tuple[int, int]) -> tuple[range, range]:
    return range(size[0]), range(size[1])


@needs_kernel
@pytest.mark.parametrize("path", sorted(IMAGES.glob("*.[Jp][Pn][Eg]*")), ids=lambda path: path.name)
def test_kernel_scales_whole_pictures_as_numpy_does(path: Path) -> None:
    pixels = decode(path.read_bytes())
    size = scaled_size(*pixels.shape[:2], 256)
    assert bits_differ(pixels, size, whole(size), LEVELS) == 0


# Lengths of lines: mostly small, where borders are everywhere, and some long ones.
SIDES = st.one_of(st.integers(1, 9), st.integers(1, 90), st.integers(500, 2100))


@st.composite
def lines(draw: st.DrawFn) -> tuple[int, int, range]:
    """Draw the length of a line, the length that it is scaled to, and the range to compute."""
    source = draw(SIDES)
    target = draw(st.one_of(SIDES, st.integers(10**6, 2**40)))
    first = draw(st.one_of(st.integers(0, min(target - 1, 60)), st.integers(0, target - 1)))
    count = draw(st.integers(1, min(target - first, 70)))
    if draw(st.booleans()):
        first = target - count  # up to the last pixel, which is a copy
    return source, target, range(first, first + count)


@needs_kernel
@settings(max_examples=300)
@given(
    rows=lines(),
    columns=lines(),
    channels=st.integers(1, 4),
    flips=st.tuples(*[st.sampled_from([1, -1])] * 2),
    planar=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_kernel_scales_any_window_as_numpy_does(
    rows: tuple[int, int, range],
    columns: tuple[int, int, range],
    channels: int,
    flips: tuple[int, int],
    planar: bool,
    seed: int,
) -> None:
    draw = np.random.default_rng(seed)
    shape = (channels, rows[0], columns[0]) if planar else (rows[0], columns[0], channels)
    pixels = draw.integers(-128, 384, shape).clip(0, 255).astype(np.uint8)
    pixels = pixels.transpose(1, 2, 0) if planar else pixels
    levels = Levels(
        unit=draw.choice([np.float32(1 / 255), np.float32(1)]),
        shift=draw.normal(size=channels).astype(np.float32),
        divisor=draw.uniform(0.1, 70, channels).astype(np.float32),
    )
    view = pixels[:: flips[0], :: flips[1]]
    size, wanted = (rows[1], columns[1]), (rows[2], columns[2])
    assert bits_differ(view, size, wanted, levels) == 0


@needs_kernel
def test_kernel_reads_nothing_beyond_the_window() -> None:
    # The picture ends at the end of a page, and reading the next page is a segmentation fault.
    size = mmap.PAGESIZE
    script = f"""
import ctypes, mmap
import numpy as np
from resnext.pixels.bicubic import Levels, find_taps
from resnext.pixels.compiled_bicubic import Kernel

room = mmap.mmap(-1, 2 * {size})
address = ctypes.addressof(ctypes.c_char.from_buffer(room))
assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(address + {size}), {size}, 0) == 0
pixels = np.frombuffer(room, np.uint8, 17 * 13 * 3, {size} - 17 * 13 * 3).reshape(17, 13, 3)
ones = np.ones(3, np.float32)
levels = Levels(unit=ones[0], shift=ones, divisor=ones)
taps = find_taps(17, 40, range(40)), find_taps(13, 50, range(50))
print(Kernel.installed()(pixels, *taps, levels).shape)
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "(3, 40, 50)\n")


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize(("compiler", "built"), [("cc", 1), ("false", 0)], ids=["cc", "none"])
def test_installation_builds_the_kernel_or_goes_on_without(
    tmp_path: Path, compiler: str, built: int
) -> None:
    pytest.importorskip("setuptools", minversion="77")
    copy = tmp_path / "project"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "build", "tests", "*.so"))
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    command = [*pip, "--wheel-dir", str(tmp_path), str(copy)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "CC": compiler})
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        libraries = [name for name in content.namelist() if name.endswith(".so")]
        assert len(libraries) == built
        for name in libraries:
            assert agrees(Kernel(content.extract(name, tmp_path)))


@needs_compiler
def test_kernel_of_the_source_and_its_flags_is_trusted(tmp_path: Path) -> None:
    library = compile_library(SOURCE.read_text(), tmp_path, *FLAGS)
    assert agrees(Kernel(str(library)))


@needs_compiler
def test_kernel_with_one_product_in_float32_is_distrusted(tmp_path: Path) -> None:
    exact = "p1 + 0.5 * (double)fraction * (double)slope"
    source = SOURCE.read_text()
    assert source.count(exact) == 1
    library = compile_library(source.replace(exact, "p1 + 0.5f * fraction * slope"), tmp_path)
    assert not agrees(Kernel(str(library)))


@needs_compiler
@pytest.mark.skipif(fused_flags() is None, reason="the processor has no fused multiply-add (fma)")
def test_kernel_of_fused_products_is_distrusted(tmp_path: Path) -> None:
    flags = ("-O3", "-ffp-contract=fast", *(fused_flags() or ()))
    library = compile_library(SOURCE.read_text(), tmp_path, *flags)
    assert not agrees(Kernel(str(library)))


@needs_compiler
@pytest.mark.parametrize("method", [0, 16, 32])
def test_kernel_is_compiled_where_float_is_evaluated_as_float(tmp_path: Path, method: int) -> None:
    flags = ("-U__FLT_EVAL_METHOD__", f"-D__FLT_EVAL_METHOD__={method}")
    library = compile_library(SOURCE.read_text(), tmp_path, *FLAGS, *flags)
    assert agrees(Kernel(str(library)))


@needs_compiler
@pytest.mark.parametrize("method", [-1, 1, 2])
def test_kernel_is_not_compiled_where_float_is_evaluated_wider(tmp_path: Path, method: int) -> None:
    flags = ("-U__FLT_EVAL_METHOD__", f"-D__FLT_EVAL_METHOD__={method}")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        compile_library(SOURCE.read_text(), tmp_path, *FLAGS, *flags)
    assert b"rounds otherwise" in caught.value.stderr


@needs_compiler
def test_kernel_is_not_compiled_with_fast_arithmetic(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        compile_library(SOURCE.read_text(), tmp_path, "-ffast-math")
    assert b"rounds otherwise" in caught.value.stderr


@needs_compiler
def test_another_library_is_no_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_library("int other(void) { return 1; }", tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(kernel, "LIBRARY", "library")
    assert Kernel.installed() is None


def test_library_of_another_system_is_no_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "library.so").write_bytes(b"\x7fELF of nobody")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(kernel, "LIBRARY", "library")
    assert Kernel.installed() is None


def test_missing_library_is_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "LIBRARY", "resnext.pixels.nothing")
    assert Kernel.installed() is None


def test_numpy_blocks_hide_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (70, 40, 3)).astype(np.uint8)
    taps = find_taps(70, 67, range(67)), find_taps(40, 30, range(30))
    in_blocks = scale_with_numpy(pixels, *taps, LEVELS)
    monkeypatch.setattr(bicubic, "BLOCK", 1000)
    assert scale_with_numpy(pixels, *taps, LEVELS).tobytes() == in_blocks.tobytes()

"""The kernels of Triton, as far as a machine without a GPU can tell: what they compute, in Triton's
own interpreter, and what its compiler makes of them for GPUs of several generations.
"""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.support.golden import DATA

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed"),
]

IMAGES = DATA / "images"
EXPECTED = json.loads((IMAGES / "expected.json").read_text())
SIGNATURE = {
    "flat": "*u8",
    "starts": "*i64",
    "sizes": "*i64",
    "firsts": "*i64",
    "fractions": "*fp32",
    "shift": "*fp32",
    "divisor": "*fp32",
    "crops": "*fp32",
    "unit": "fp32",
    "count": "i32",
    "side": "i32",
    "block": "constexpr",
}
# In a process of its own: what Triton decorates is interpreted only if it was told so before.
INTERPRETED = """
import hashlib, json, sys
from pathlib import Path
from resnext.pixels.decoding import decode
from resnext.pixels.transforms import raw_crop
from resnext.inference import scaling, triton_scaling as kernel
from resnext.pixels.raw_crops import RawCrops
from resnext.preprocessing import IMAGENET
import torch

kernel.BLOCK = 65536
cpu = torch.device("cpu")
agreed = scaling.agrees(kernel.scale_with_triton, cpu)
pictures = [decode(Path(name).read_bytes()) for name in sys.argv[1:]]
sources = RawCrops.of([raw_crop(each, IMAGENET) for each in pictures])
few = sources.first(len(pictures) - 1)
levels = scaling.levels_on(IMAGENET, cpu)
digests = [
    [hashlib.sha256(crop.contiguous().numpy().tobytes()).hexdigest() for crop in crops]
    for crops in (kernel.scale_with_triton(part, *levels) for part in (sources, few))
]
print(json.dumps([agreed, *digests]))
"""

# Triton's interpreter rounds to bfloat16 towards zero, so that only float32 is compared.
FINISHED = """
import json, sys
from dataclasses import replace
import convert, torch
from resnext.inference import fusion
from resnext.inference import triton_convolution as epilogue
from resnext.inference.triton_convolution import FinishedConvolution
from resnext.inference.folding import folded
from resnext.inference.fusion import FusedBlock, fused
from torch.nn import functional as F

LAST = {"memory_format": torch.channels_last}
random = torch.Generator().manual_seed(0)
same = []
for shape in ((2, 64, 7, 5), (1, 20, 3, 3), (3, 96, 1, 1), (1, 200, 9, 9)):
    y, other = (torch.randn(shape, generator=random).contiguous(**LAST) for _ in range(2))
    y[0, 1, 0, 0] = torch.nan
    bias, beside = (torch.randn(shape[1], generator=random) for _ in range(2))
    b, c = bias[:, None, None], beside[:, None, None]
    for found, expected in (
        (epilogue.finish(y.clone(**LAST), bias), F.relu(y + b)),
        (epilogue.finish(y.clone(**LAST), bias, other), F.relu((y + b) + other)),
        (epilogue.finish(y.clone(**LAST), bias, other.contiguous(), beside),
            F.relu((y + b) + (other + c))),
    ):
        same.append(torch.equal(found.nan_to_num(7), expected.nan_to_num(7)))
        same.append(bool(found[0, 1, 0, 0].isnan()))

cpu = torch.device("cpu")
(triton,) = (each for each in fusion.ENGINES if each.name == "Triton")
fusion.ENGINES = (replace(triton, devices=("cpu",)),)
agreed = fusion.agrees(FinishedConvolution, cpu, torch.float32)
network = folded(convert.load(sys.argv[1]).build()).to(**LAST)
pictures = torch.randn(2, 3, 32, 32, generator=random).contiguous(**LAST)
with torch.inference_mode():
    expected = network(pictures)
    quick = fused(network)
    furthest = float((quick(pictures) - expected).abs().max() / expected.abs().max())
blocks = sum(isinstance(each, FusedBlock) for each in quick.modules())
print(json.dumps([same, agreed, blocks, furthest]))
"""
ENDS = {
    "y": "*{}",
    "bias": "*{}",
    "other": "*{}",
    "other_bias": "*{}",
    "rows": "i32",
    "channels": "i32",
    **dict.fromkeys(("adds", "shifts", "pixels", "lanes"), "constexpr"),
}


def test_interpreted_kernel_has_torch7s_bits() -> None:
    names = [name for name in EXPECTED if (IMAGES / name).is_file()]
    done = subprocess.run(
        [sys.executable, "-c", INTERPRETED, *(str(IMAGES / name) for name in names)],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    agreed, found, few = json.loads(done.stdout)
    wanted = [EXPECTED[name]["sha256_float32_chw"] for name in names]
    assert agreed
    assert len(names) == 16
    assert found == wanted
    assert few == wanted[:-1]


def test_interpreted_end_of_a_convolution_is_that_of_pytorch(golden) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FINISHED, str(golden("cifar_c").path)],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    same, agreed, blocks, furthest = json.loads(done.stdout)
    assert same == [True] * 24
    assert agreed
    assert blocks == 3
    assert furthest < 1e-6


@pytest.mark.parametrize(
    ("generation", "kind"),
    [(75, "fp32"), (80, "bf16"), (90, "fp32"), (90, "bf16"), (90, "fp16")],
)
def test_compiler_reads_and_writes_the_end_of_a_convolution_widely(
    generation: int, kind: str
) -> None:
    """Channels are read 16 bytes at a time, where there are multiples of 16 of them."""
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from resnext.inference import triton_convolution as epilogue
    from resnext.inference.triton_scaling import OPTIONS

    names = list(ENDS)
    source = ASTSource(
        fn=epilogue._finish,
        signature={name: each.format(kind) for name, each in ENDS.items()},
        constexprs={
            "adds": True,
            "shifts": True,
            "pixels": epilogue.PIXELS,
            "lanes": epilogue.CHANNELS,
        },
        attrs={
            (names.index(name),): [["tt.divisibility", 16]]
            for name in ("y", "bias", "other", "other_bias", "channels")
        },
    )
    target = GPUTarget("cuda", generation, 32)
    built = triton.compile(source, target=target, options=OPTIONS)
    ptx = built.asm["ptx"]
    assert re.search(r"\bst\.global\.v4\.b32", ptx)
    assert len(re.findall(r"\bld\.global\.v4\.b32", ptx)) >= 2
    assert not re.search(r"\b(?:fma|mad)\.[a-z.]*f32", ptx)


@pytest.mark.parametrize("generation", [75, 80, 90], ids=["turing", "ampere", "hopper"])
def test_compiler_rounds_each_operation_on_its_own(generation: int) -> None:
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from resnext.inference import triton_scaling as kernel
    from resnext.inference.triton_scaling import OPTIONS

    source = ASTSource(fn=kernel._scale, signature=SIGNATURE, constexprs={"block": kernel.BLOCK})
    target = GPUTarget("cuda", generation, 32)
    built = triton.compile(source, target=target, options=OPTIONS)
    operations = set(
        re.findall(r"\b((?:add|sub|mul|div|fma|mad)\.[a-z.]*f(?:32|64))\b", built.asm["ptx"])
    )
    assert operations == {
        "add.rn.f32",
        "sub.rn.f32",
        "mul.rn.f32",
        "div.rn.f32",
        "add.rn.f64",
        "mul.rn.f64",
    }

"""The kernel of Triton, as far as a machine without a GPU can tell: what it computes, in Triton's
own interpreter, and what its compiler makes of it for GPUs of several generations.
"""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed"),
]

IMAGES = Path(__file__).parent / "data" / "images"
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
from resnext.data.images import decode
from resnext.data.transforms import crop_source
from resnext.device import kernel, scaling
from resnext.data.crop_sources import Sources
from resnext.preprocessing import IMAGENET
import torch

kernel.BLOCK = 65536
cpu = torch.device("cpu")
agreed = scaling.agrees(kernel.scale_with_triton, cpu)
pictures = [decode(Path(name).read_bytes()) for name in sys.argv[1:]]
sources = Sources.of([crop_source(each, IMAGENET) for each in pictures])
few = sources.first(len(pictures) - 1)
levels = scaling.levels_on(IMAGENET, cpu)
digests = [
    [hashlib.sha256(crop.contiguous().numpy().tobytes()).hexdigest() for crop in crops]
    for crops in (kernel.scale_with_triton(part, *levels) for part in (sources, few))
]
print(json.dumps([agreed, *digests]))
"""


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


@pytest.mark.parametrize("generation", [75, 80, 90], ids=["turing", "ampere", "hopper"])
def test_compiler_rounds_each_operation_on_its_own(generation: int) -> None:
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from resnext.device import kernel

    source = ASTSource(fn=kernel._scale, signature=SIGNATURE, constexprs={"block": kernel.BLOCK})
    target = GPUTarget("cuda", generation, 32)
    built = triton.compile(source, target=target, options=kernel.OPTIONS)
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

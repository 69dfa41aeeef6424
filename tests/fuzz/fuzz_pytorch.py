"""A fuzz run over files of PyTorch: state dicts and training states, zip, old format, safetensors.

    TMPDIR=/dev/shm python tests/fuzz/fuzz_pytorch.py --seconds 600

Legal files of a small network are cut, and bytes in them replaced, taken out and put in, mostly
where their pickles lie. The checksums of an archive's entries are left out, so that not they alone
find the change. Every input has to end as a checkpoint or an error of this project within `MEMORY`
bytes of addresses; anything else stops the run, and the input is kept. The same seed makes the same
inputs.
"""

import argparse
import io
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import torch
from safetensors.torch import save

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import convert  # noqa: E402
from resnext.errors import ResnextError  # noqa: E402
from tests.support.torch_nets import TorchvisionNet, randomised  # noqa: E402

MEMORY = 6 << 30  # bytes of addresses; PyTorch itself takes most
PICKLES = 12_000  # bytes at the beginning of a file, where its pickles are


def seeds() -> list[bytes]:
    """Return legal files."""
    state = randomised(TorchvisionNet((1, 1, 1), planes=2, width=1, classes=2)).state_dict()
    optimizer = {"state": {0: {"momentum_buffer": torch.zeros(3)}}, "param_groups": [{"lr": 0.1}]}
    values: tuple[Any, ...] = (
        state,
        {"epoch": 3, "arch": "x", "state_dict": state, "optimizer": optimizer},
    )
    found = [save(state)]
    for value in values:
        for old in (False, True):
            file = io.BytesIO()
            torch.save(value, file, _use_new_zipfile_serialization=not old)
            found.append(file.getvalue())
    return found


def changed(data: bytes, random: Random) -> bytes:
    """Return a file that is cut short or changed at some places."""
    found = bytearray(data)
    if random.random() < 0.1:
        return bytes(found[: random.randrange(len(found))])
    for _ in range(random.choice((1, 1, 1, 2, 4, 16))):
        zone = len(found) if random.random() < 0.3 else min(len(found), PICKLES)
        place, length = random.randrange(zone), random.randrange(1, 8)
        match random.randrange(5):
            case 0:
                del found[place : place + length]
            case 1:
                found[place:place] = random.randbytes(length)
            case _:
                found[place] = random.randrange(256)
    return bytes(found)


def main() -> None:
    """Change files until the time is over, and print how each ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.serialization.set_crc32_options(False)
    legal, random = seeds(), Random(options.seed)  # noqa: S311
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    ends: Counter[str] = Counter()
    path = Path(tempfile.mkdtemp()) / "input.pth"
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        path.write_bytes(changed(random.choice(legal), random))
        try:
            convert.load(path)
            ends["checkpoint"] += 1
        except ResnextError as error:
            ends[type(error).__name__] += 1
        except BaseException:
            print(f"kept: {path}, after {ends.total()} inputs", file=sys.stderr)
            raise
    print(ends.total(), dict(ends.most_common()))


if __name__ == "__main__":
    main()

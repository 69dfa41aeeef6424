"""A fuzz run over files of PyTorch: state dicts and training states, zip, old format, safetensors.

    TMPDIR=/dev/shm python tests/fuzz/fuzz_pytorch.py --seconds 600

Legal files of a small network are cut, and bytes in them replaced, taken out and put in, mostly
where their pickles lie. The checksums of an archive's entries are left out, so that not they alone
find the change. Every input has to end as a checkpoint or an error of this project, and to have a
description, within `LIMIT` seconds and `MEMORY` bytes of addresses; anything else stops the run,
and the input is kept. The same seed makes the same inputs. `--record` writes the figures to
benchmarks/results/fuzz_pytorch.json.
"""

import argparse
import io
import json
import resource
import shutil
import signal
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
from benchmarks.runs import write_result  # noqa: E402
from convert.description import describe_file  # noqa: E402
from convert.summary import description_fields, description_lines  # noqa: E402
from resnext.errors import ResnextError  # noqa: E402
from tests.support.torch_nets import TorchvisionNet, randomised  # noqa: E402

LIMIT = 20  # seconds for one input
LONGEST = 4000  # letters of a message
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


def try_one(path: Path) -> str:
    """Load and describe a file, and return how the loading ended."""
    signal.alarm(LIMIT)
    try:
        description = describe_file(path)
        json.dumps(description_fields(description, modules=True), allow_nan=False)
        list(description_lines(description, modules=True))
        convert.load(path)
    except ResnextError as error:
        if len(str(error)) > LONGEST:
            raise ValueError("a value of the file went whole into a message") from error
        return type(error).__name__
    finally:
        signal.alarm(0)
    return "checkpoint"


def main() -> None:
    """Change files until the time is over, and print how each ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    torch.serialization.set_crc32_options(False)
    legal, random = seeds(), Random(options.seed)  # noqa: S311
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGALRM, _too_long)
    ends: Counter[str] = Counter()
    folder = Path(tempfile.mkdtemp())
    path = folder / "input.pth"
    begin = time.monotonic()
    while time.monotonic() < begin + options.seconds:
        path.write_bytes(changed(random.choice(legal), random))
        try:
            ends[try_one(path)] += 1
        except BaseException:
            print(f"kept: {path}, after {ends.total()} inputs", file=sys.stderr)
            raise
    shutil.rmtree(folder)
    fields = {
        "executions": ends.total(),
        "seconds": round(time.monotonic() - begin),
        "ends": dict(ends.most_common()),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, 1),
        "command": " ".join(["python", "tests/fuzz/fuzz_pytorch.py", *sys.argv[1:]]),
    }
    print(fields)
    if options.record:
        write_result("fuzz_pytorch", fields, ("numpy", "torch", "safetensors", "resnext"))


def _too_long(*_: object) -> None:
    raise TimeoutError(f"more than {LIMIT} seconds for one input")


if __name__ == "__main__":
    main()

"""A coverage-guided fuzz run over the reader and the mapping, in memory (atheris, libFuzzer).

    pip install atheris
    python tests/fuzz/fuzz_reader.py --record -max_total_time=1230 -max_len=512 \\
        -timeout=5 -rss_limit_mb=1024

Every input has to end as a network or as an error of this project; anything else, a hang or
memory beyond the limit included, stops the run with the input. Without a folder on the command line
the seeds are the golden files of at most 600 bytes: what is short is tried often. `--networks` adds
small networks of the independent writer, of up to 45 kB (-max_len=70000): about 40 a second.
`--record` writes the figures to benchmarks/results/fuzz.json, or fuzz_networks.json, every half
minute: libFuzzer ends the process without a word to Python.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

with atheris.instrument_imports(include=["convert", "resnext"]):
    from convert.torch7.contents import outline
    from convert.torch7.cursor import Limits
    from convert.torch7.file import loads
    from convert.torch7.mapping import read_network
    from convert.torch7.tree import find_network
    from resnext.errors import ResnextError

from benchmarks.runs import write_result  # noqa: E402
from tests.support import lua_nets, t7_writer  # noqa: E402

FOLDER = Path(tempfile.mkdtemp())  # of the seeds
LIMITS = Limits()
STARTED = time.monotonic()
COUNTS = {"executions": 0, "checkpoints": 0, "refusals": 0}
RECORD, NETWORKS = "--record" in sys.argv, "--networks" in sys.argv
MOST_BYTES = 600  # of a golden file that is a seed
EVERY = 30  # seconds


def test_one_input(data: bytes) -> None:
    """Load one file; whatever is not an error of the project is a finding."""
    COUNTS["executions"] += 1
    try:
        root = loads(data, limits=LIMITS).root
        json.dumps(outline("file", root).to_fields(), allow_nan=False)  # as `--info` describes it
        network = read_network(find_network(root))
    except ResnextError:
        COUNTS["refusals"] += 1
    else:
        COUNTS["checkpoints"] += 1
        assert network.spec.classes >= 1
    if RECORD and time.monotonic() > STATE["recorded"] + EVERY:
        STATE["recorded"] = time.monotonic()
        record()


def seeds(folder: Path) -> None:
    """Write the inputs to start from."""
    for path in (ROOT / "tests" / "data" / "formats").glob("*.t7"):
        if path.stat().st_size <= MOST_BYTES:
            (folder / path.name).write_bytes(path.read_bytes())
    if not NETWORKS:
        return
    small = {"stem": 1, "base": 1, "base_width": 1, "classes": 2}
    for block in ("basic", "resnext_B", "resnext_C"):
        network = lua_nets.net(block=block, cardinality=2, **small)
        for encoding in ("binary", "long32", "ascii"):
            (folder / f"{block}.{encoding}").write_bytes(t7_writer.dumps(network, encoding))


def memory() -> int:
    """Return the bytes that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def record() -> None:
    """Write the figures of the run."""
    fields = {
        **COUNTS,
        "seconds": round(time.monotonic() - STARTED),
        "memory_start_mb": round(STATE["memory"] / 1e6, 1),
        "memory_now_mb": round(memory() / 1e6, 1),
        "command": " ".join(["python", "tests/fuzz/fuzz_reader.py", *sys.argv[1:]]),
    }
    name = "fuzz_networks" if NETWORKS else "fuzz"
    write_result(name, fields, ("atheris", "numpy", "torchfile", "resnext"))


STATE = {"recorded": STARTED, "memory": memory()}


def main() -> None:
    """Run until libFuzzer ends it."""
    arguments = [argument for argument in sys.argv if argument not in ("--record", "--networks")]
    if all(argument.startswith("-") for argument in arguments[1:]):
        corpus = FOLDER / "corpus"
        corpus.mkdir()
        seeds(corpus)
        arguments.append(str(corpus))
    if RECORD:
        record()  # imports torch to name the machine: within an input that might look like a hang
        STATE["memory"] = memory()
    atheris.Setup(arguments, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

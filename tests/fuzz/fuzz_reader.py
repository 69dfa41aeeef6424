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
import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

with atheris.instrument_imports(include=["convert", "resnext"]):
    from convert.source.source import Network
    from convert.torch7.contents import outline
    from convert.torch7.cursor import Limits
    from convert.torch7.file import loads
    from convert.torch7.mapping import read_network
    from convert.torch7.tree import find_network

from tests.fuzz.harness import Harness  # noqa: E402
from tests.support import lua_nets, t7_writer  # noqa: E402

LIMITS = Limits()
NETWORKS = "--networks" in sys.argv
MOST_BYTES = 600  # of a golden file that is a seed


def convert(data: bytes) -> Network:
    """Read one file, describe it, and map the network in it."""
    root = loads(data, limits=LIMITS).root
    json.dumps(outline("file", root).to_fields(), allow_nan=False)  # as `--info` describes it
    return read_network(find_network(root))


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


if __name__ == "__main__":
    libraries = ("atheris", "numpy", "torchfile", "resnext")
    Harness(convert, words=("--networks",), libraries=libraries).run(
        "fuzz_networks" if NETWORKS else "fuzz", seeds
    )

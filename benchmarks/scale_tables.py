"""The tables of how time and memory grow with images, reading processes and processes."""

from benchmarks.markdown import Measured, measured_table
from benchmarks.runs import read_result

GROWTH = {"seconds": "{seconds:.1f}", "memory of all processes, MB": "{peak_mb:.0f}"}
SPEEDS = {"images a second": "{images_per_second:.1f}", "times the first": "{times_first:.2f}"}


def images_table() -> str:
    """Return how time and memory grow with the images, as `benchmarks.growth` measured it."""
    rows = read_result("growth")["images"]
    return measured_table("images", GROWTH, rows, {name: f"{int(name):,}" for name in rows})


WORKERS = Measured(name="`--workers`", result="growth", within=("workers", "rows"), columns=GROWTH)
PROCESSES = Measured(
    name="processes", result="scaling", within=("processes", "rows"), columns=SPEEDS
)
READERS = Measured(
    name="threads, `--workers`", result="scaling", within=("readers", "rows"), columns=SPEEDS
)
FEEDING = Measured(
    name="processor time a picture, handed over as",
    result="feeding",
    columns={
        "who reads, ms": "{reading_milliseconds:.2f}",
        "the main process, ms": "{main_milliseconds:.2f}",
    },
    texts={"bytes": "bytes, for a GPU that scales", "float32": "float32, scaled by who reads"},
)

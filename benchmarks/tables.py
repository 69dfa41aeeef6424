"""The tables of README and docs, made from data: `python -m benchmarks.tables` writes them anew."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import performance_tables as performance
from benchmarks import ports_tables as ports
from benchmarks import scale_tables as scale
from benchmarks import training_tables as training
from benchmarks.gpu import tables as gpu
from benchmarks.network_tables import (
    claims_table,
    complexity_table,
    files_table,
    published_table,
)
from benchmarks.runs import command_line
from resnext.published import by_source

ROOT = Path(__file__).parents[1]

# Page -> name between its markers -> table.
PAGES: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"published": published_table},
    "docs/published.md": {
        f"{kind}_{source}": partial(make, source)
        for source in by_source()
        for kind, make in (("claims", claims_table), ("files", files_table))
        if kind == "claims" or any(row.file for row in by_source()[source])
    },
    "docs/convert.md": {"conversion": performance.CONVERSION},
    "docs/predict.md": {"prediction_memory": performance.PREDICTION_MEMORY},
    "docs/train.md": {
        "complexity": complexity_table,
        "recipes": training.recipes_table,
        "training": training.training_table,
        "save_memory": training.SAVE_MEMORY,
    },
    "docs/performance.md": {
        "pixels": performance.PIXELS,
        "validation": performance.VALIDATION,
        "start": performance.START,
        "prediction": performance.PREDICTION,
        "readers_compared": performance.READERS_COMPARED,
        "network": performance.NETWORK,
        "runtimes": performance.RUNTIMES,
        "layers": performance.LAYERS,
        "pinning": performance.PINNING,
        "decisions": performance.decisions_table,
        "waiting": performance.waiting_table,
        "step": performance.step_table,
        "gpu_network": gpu.NETWORK,
        "gpu_validation": gpu.validation_table,
        "gpu_pixels": gpu.PIXELS,
        "gpu_training": gpu.TRAINING,
    },
    "docs/why-ports-lost-accuracy.md": {
        "ports_pixels": ports.pixels_table,
        "ports_moved": ports.moved_table,
        "ports_own": ports.own_table,
    },
    "docs/scale.md": {
        "images": scale.images_table,
        "workers": scale.WORKERS,
        "processes": scale.PROCESSES,
        "readers": scale.READERS,
        "feeding": scale.FEEDING,
    },
}


def fill(page: str, text: str) -> str:
    """Return the text of a page with every table between its markers made anew.

    Raises:
        ValueError: a table has no place on the page, or two.
    """
    for name, make in PAGES[page].items():
        start, end = f"<!-- table: {name} -->\n", "<!-- end of table -->"
        pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
        content = f"{start}\n{make()}\n\n{end}"
        text, count = pattern.subn(lambda _, content=content: content, text)
        if count != 1:
            raise ValueError(f"{page}: one table {name!r} expected, found {count}")
    return text


if __name__ == "__main__":
    command_line().parse_args()
    for page in PAGES:
        (ROOT / page).write_text(fill(page, (ROOT / page).read_text()))

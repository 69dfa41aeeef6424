"""The tables of README and docs, made from data: `python -m benchmarks.tables` writes them anew."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks import process_tables as processes
from benchmarks.gpu import tables as gpu
from benchmarks.markdown import measured_table, table
from benchmarks.network_tables import (
    claims_table,
    complexity_table,
    files_table,
    published_table,
)
from benchmarks.runs import command_line, read_result
from resnext.published import by_source
from train.recipe.description import StatedValue, stated_values
from train.recipe.recipe import RECIPES

ROOT = Path(__file__).parents[1]


PIXELS = {
    "compiled": "here",
    "numpy": "here, without a compiler: NumPy",
    "timm_bicubic": "timm's data set and transform, bicubic",
    "timm_bilinear": "the same, bilinear",
    "ten_compiled": "here, ten crops",
    "ten_numpy": "here, ten crops, NumPy",
}


def pixels_table() -> str:
    """Return what a picture takes to become network input, as `benchmarks.pixels` measured it."""
    columns = {"decode": "{decode:.2f}", "the rest": "{prepare:.2f}", "both": "{total:.2f}"}
    columns |= {"times the first": "{times_compiled:.2f}"}
    return measured_table("ms a picture, one core", columns, read_result("pixels")["rows"], PIXELS)


TRAININGS = {
    "finetune": "fine-tuned from the Torch7 checkpoint (4.17 %), 15 epochs, three seeds",
    "scratch": "from scratch, the CIFAR recipe of 2017 scaled down, 30 epochs, one seed",
}


def recipes_table() -> str:
    """Return every value of every recipe, by the option that states it."""
    columns = {name: dict(map(_stated, stated_values(row))) for name, row in RECIPES.items()}
    options = dict.fromkeys(option for column in columns.values() for option in column)
    lines = [
        (f"`{option}`", *(column.get(option, "") for column in columns.values()))
        for option in options
    ]
    return table(("option", *(f"`{name}`" for name in columns)), lines)


def _stated(value: StatedValue) -> tuple[str, str]:
    """Return the option of a value, without the "no" of a flag that is off, and its cell."""
    if value.value is None:
        off = value.option.startswith("--no-")
        return value.option.replace("--no-", "--"), "off" if off else "on"
    return value.option, f"{value.value} ({value.note})" if value.note else value.value


def training_table() -> str:
    """Return the errors that resnext-train reaches on the digits, over three seeds."""
    rows = read_result("train")["training"]
    lines = [
        (
            text,
            _spread(rows[name]["last_error"], "{:.2f}"),
            _spread(rows[name]["best_error"], "{:.2f}"),
            _spread([seconds / 60 for seconds in rows[name]["seconds"]], "{:.1f}"),
        )
        for name, text in TRAININGS.items()
    ]
    header = ("digits, mean (least to most)", "error, last epoch, %", "best epoch, %", "minutes")
    return table(header, lines)


def _spread(values: Sequence[float], form: str) -> str:
    middle, least, most = (form.format(value) for value in values)
    return middle if least == most else f"{middle} ({least} to {most})"


MEMORIES = {"kept": "activations kept", "saved": "as with `--save-memory`"}


def save_memory_table() -> str:
    """Return what keeping activations takes, and computing them again."""
    columns = {"peak memory, MB": "{peak_mb:.0f}", "times": "{times_kept:.2f}"}
    rows = read_result("train")["save_memory"]
    name = "ResNeXt-101 (32x4d), 16 pictures of 224 pixels"
    return measured_table(name, columns, rows, MEMORIES)


DECIDERS = {"digits": "trained by Torch7, digits", "calibrated": "random weights, photographs"}


def decisions_table() -> str:
    """Return how many decisions the quick networks change, as `benchmarks.decisions` counted."""
    facts = read_result("decisions")
    lines = [
        (
            f"`{facts[name]['network']}`, {text}",
            f"{facts[name]['images']:,}",
            *(str(facts[name]["changed"][way]) for way in ("channels_last", "fp32", "bf16")),
        )
        for name, text in DECIDERS.items()
    ]
    header = ("top-1 decisions that change", "of", "channels last alone", "fp32", "bf16")
    return table(header, lines)


WAYS = {
    "plain": "as loaded",
    "folded": "batch norms folded, channels last",
    "fused": "and convolutions that add and rectify as they write",
    "kept": "and freed memory kept: `resnext-validate`",
    "bf16_kept": "the same in bf16",
}


def network_table() -> str:
    """Return what each step saves the network alone, as `benchmarks.network` measured it."""
    columns = {"ms a picture": "{milliseconds:.0f}", "times the first": "{times_plain:.2f}"}
    return measured_table("ResNeXt-50, one thread", columns, read_result("network")["rows"], WAYS)


RUNTIMES = {
    "kept": "here",
    "onnxruntime": "ONNX Runtime, the file of `--to onnx`",
    "openvino": "OpenVINO, the same file",
}


def runtimes_table() -> str:
    """Return what other runtimes take for the network, as `benchmarks.network` measured it."""
    columns = {"ms a picture": "{milliseconds:.0f}", "times the first": "{times_kept:.2f}"}
    rows = read_result("network_runtimes")["rows"]
    return measured_table("ResNeXt-50, fp32, one thread", columns, rows, RUNTIMES)


PINNED = {
    "alone free": "free, as the machine was",
    "alone pinned": "pinned, as the machine was",
    "beside free": "free, beside one more busy process",
    "beside pinned": "pinned, beside one more busy process",
}


def pinning_table() -> str:
    """Return what pinned threads gain over free ones, as `benchmarks.pinning` measured it."""
    columns = {
        "images a second": "{images_per_second:.1f}",
        "times free": "{times_free:.2f}",
        "processors left to the process": "{processors_left}",
    }
    return measured_table(
        "ResNeXt-50, two threads", columns, read_result("pinning")["rows"], PINNED
    )


def layers_table() -> str:
    """Return what kinds of convolutions take in two layouts, as `benchmarks.layers` did."""
    columns = {
        "channels last, ms a picture": "{channels_last:.1f}",
        "oneDNN's blocks": "{blocked:.1f}",
        "10⁹ multiply-adds a second, channels last": "{billions_a_second:.1f}",
    }
    rows = read_result("layers")["rows"]
    return measured_table("convolutions of ResNeXt-50, one thread", columns, rows)


GROWTH = {"seconds": "{seconds:.1f}", "memory of all processes, MB": "{peak_mb:.0f}"}


def images_table() -> str:
    """Return how time and memory grow with the images, as `benchmarks.growth` measured it."""
    rows = read_result("growth")["images"]
    return measured_table("images", GROWTH, rows, {name: f"{int(name):,}" for name in rows})


def workers_table() -> str:
    """Return how time and memory grow with the reading processes, as `benchmarks.growth` did."""
    return measured_table("`--workers`", GROWTH, read_result("growth")["workers"]["rows"])


SPEEDS = {"images a second": "{images_per_second:.1f}", "times the first": "{times_first:.2f}"}


def processes_table() -> str:
    """Return how a job scales on one machine, as `benchmarks.scaling` measured it."""
    return measured_table("processes", SPEEDS, read_result("scaling")["processes"]["rows"])


def readers_table() -> str:
    """Return who should have the processors, as `benchmarks.scaling` measured it."""
    return measured_table("threads, `--workers`", SPEEDS, read_result("scaling")["readers"]["rows"])


VERBS = {"train": "training, digits, 11 layers", "validate": "validation, ResNeXt-50"}
COMPANY = {"alone": "as the machine was", "beside": "beside one more busy process"}


def waiting_table() -> str:
    """Return what threads that sleep gain over those that spin, as `benchmarks.waiting` did."""
    rows = read_result("waiting")["rows"]
    lines = [
        (
            f"{text}, {where}",
            *(f"{rows[f'{verb} {company} {way}']['images_per_second']:.1f}" for way in WAITS),
            f"{rows[f'{verb} {company} sleeping']['times_spinning']:.2f}",
        )
        for verb, text in VERBS.items()
        for company, where in COMPANY.items()
    ]
    return table(("images a second", "spinning", "sleeping", "times spinning"), lines)


WAITS = ("spinning", "sleeping")


def step_table() -> str:
    """Return the operators of a step before and now, as `benchmarks.step` counted them."""
    facts = read_result("step")
    lines = [
        (name, str(row["before"]), str(row["now"])) for name, row in facts["operators"].items()
    ]
    return table(("operators of a step", *map("`{}`".format, facts["commits"].values())), lines)


# Page -> name between its markers -> table.
PAGES: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"published": published_table},
    "docs/published.md": {
        f"{kind}_{source}": partial(make, source)
        for source in by_source()
        for kind, make in (("claims", claims_table), ("files", files_table))
        if kind == "claims" or any(row.file for row in by_source()[source])
    },
    "docs/convert.md": {"conversion": processes.conversion_table},
    "docs/predict.md": {"prediction_memory": processes.prediction_memory_table},
    "docs/train.md": {
        "complexity": complexity_table,
        "recipes": recipes_table,
        "training": training_table,
        "save_memory": save_memory_table,
    },
    "docs/performance.md": {
        "pixels": pixels_table,
        "validation": processes.validation_table,
        "start": processes.start_table,
        "prediction": processes.prediction_table,
        "readers_compared": processes.readers_compared_table,
        "network": network_table,
        "runtimes": runtimes_table,
        "layers": layers_table,
        "pinning": pinning_table,
        "decisions": decisions_table,
        "waiting": waiting_table,
        "step": step_table,
        "gpu_network": gpu.network_table,
        "gpu_validation": gpu.validation_table,
        "gpu_pixels": gpu.pixels_table,
        "gpu_training": gpu.training_table,
    },
    "docs/scale.md": {
        "images": images_table,
        "workers": workers_table,
        "processes": processes_table,
        "readers": readers_table,
        "feeding": processes.feeding_table,
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

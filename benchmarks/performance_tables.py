"""The tables of speed on a processor: conversions, pictures, validations, the network alone."""

from benchmarks.markdown import Measured, table
from benchmarks.runs import read_result

CONVERSION = Measured(
    name="whole process",
    result="convert",
    columns={
        "seconds": "{seconds:.2f}",
        "times `cp`": "{times_cp:.1f}",
        "peak memory, MB": "{peak_mb:.0f}",
    },
    texts={
        "cp": "`cp` of the output",
        "convert": "`resnext-convert --no-verify`",
        "convert_proven": "`resnext-convert`",
        "torchfile": "`torchfile.load` + `torch.save`",
    },
)

PIXELS = Measured(
    name="ms a picture, one core",
    result="pixels",
    columns={
        "decode": "{decode:.2f}",
        "the rest": "{prepare:.2f}",
        "both": "{total:.2f}",
        "times the first": "{times_compiled:.2f}",
    },
    texts={
        "compiled": "here",
        "numpy": "here, without a compiler: NumPy",
        "timm_bicubic": "timm's data set and transform, bicubic",
        "timm_bilinear": "the same, bilinear",
        "ten_compiled": "here, ten crops",
        "ten_numpy": "here, ten crops, NumPy",
    },
)

VALIDATION = Measured(
    name="ResNeXt-50, two cores, times timm",
    result="validation",
    columns={
        "from first to last image": "{times_timm:.2f}",
        "whole process": "{process_times_timm:.2f}",
    },
    texts={
        "timm": "timm, the steps of its `validate.py`, fp32",
        "fp32": "`resnext-validate`",
        "bf16": "`resnext-validate --precision bf16`",
    },
)

START = Measured(
    name="32 images",
    result="start",
    columns={
        "first decision, s": "{first_seconds:.1f}",
        "from the last one to the end, s": "{end_seconds:.1f}",
        "whole process, s": "{process_seconds:.1f}",
    },
    texts={
        "digits before": "digits, PyTorch's loader, before",
        "digits": "digits",
        "resnext_50 before": "ResNeXt-50, fp32, PyTorch's loader, before",
        "resnext_50": "ResNeXt-50, fp32",
    },
)

READERS_COMPARED = Measured(
    name="processor time a picture, handed over as",
    result="feeding_compared",
    columns={
        "who reads, ms": "{reading_milliseconds:.2f}",
        "of that around decoder and scaling": "{around_milliseconds:.2f}",
        "the main process, ms": "{main_milliseconds:.2f}",
    },
    texts={
        "bytes before": "bytes, PyTorch's loader, before",
        "bytes": "bytes",
        "float32 before": "float32, PyTorch's loader, before",
        "float32": "float32",
    },
)

PREDICTION = Measured(
    name="ResNeXt-50, 96 photographs",
    result="prediction",
    within=("speed",),
    columns={
        "whole process, s": "{seconds:.1f}",
        "processor time, s": "{processor_seconds:.1f}",
        "times the first": "{times_validate:.2f}",
    },
    texts={
        "validate": "`resnext-validate`",
        "predict": "`resnext-predict --output rows.csv`",
        "predict --features": "`resnext-predict --features features.npy`",
    },
)

PREDICTION_MEMORY = Measured(
    name="rows and features",
    result="prediction",
    within=("memory",),
    columns={
        "1,000 pictures, MB": "{peak_mb_1000:.0f}",
        "100,000 pictures, MB": "{peak_mb_100000:.0f}",
        "of these, s": "{seconds_100000:.0f}",
    },
    texts={
        "csv npy": "`.csv` and `.npy`",
        "parquet parquet": "`.parquet` and `.parquet`",
        "jsonl safetensors": "`.jsonl` and `.safetensors`",
    },
)

NETWORK = Measured(
    name="ResNeXt-50, one thread",
    result="network",
    columns={"ms a picture": "{milliseconds:.0f}", "times the first": "{times_plain:.2f}"},
    texts={
        "plain": "as loaded",
        "folded": "batch norms folded, channels last",
        "fused": "and convolutions that add and rectify as they write",
        "kept": "and freed memory kept: `resnext-validate`",
        "bf16_kept": "the same in bf16",
    },
)

RUNTIMES = Measured(
    name="ResNeXt-50, fp32, one thread",
    result="network_runtimes",
    columns={"ms a picture": "{milliseconds:.0f}", "times the first": "{times_kept:.2f}"},
    texts={
        "kept": "here",
        "onnxruntime": "ONNX Runtime, the file of `--to onnx`",
        "openvino": "OpenVINO, the same file",
    },
)

PINNING = Measured(
    name="ResNeXt-50, two threads",
    result="pinning",
    columns={
        "images a second": "{images_per_second:.1f}",
        "times free": "{times_free:.2f}",
        "processors left to the process": "{processors_left}",
    },
    texts={
        "alone free": "free, as the machine was",
        "alone pinned": "pinned, as the machine was",
        "beside free": "free, beside one more busy process",
        "beside pinned": "pinned, beside one more busy process",
    },
)

LAYERS = Measured(
    name="convolutions of ResNeXt-50, one thread",
    result="layers",
    columns={
        "channels last, ms a picture": "{channels_last:.1f}",
        "oneDNN's blocks": "{blocked:.1f}",
        "10⁹ multiply-adds a second, channels last": "{billions_a_second:.1f}",
    },
)

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


VERBS = {"train": "training, digits, 11 layers", "validate": "validation, ResNeXt-50"}
COMPANY = {"alone": "as the machine was", "beside": "beside one more busy process"}
WAITS = ("spinning", "sleeping")


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


def step_table() -> str:
    """Return the operators of a step before and now, as `benchmarks.step` counted them."""
    facts = read_result("step")
    lines = [
        (name, str(row["before"]), str(row["now"])) for name, row in facts["operators"].items()
    ]
    return table(("operators of a step", *map("`{}`".format, facts["commits"].values())), lines)

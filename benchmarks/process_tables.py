"""The tables of whole processes: how long they take and what their readers cost."""

from benchmarks.markdown import measured_table
from benchmarks.runs import read_result

CONVERSIONS = {
    "cp": "`cp` of the output",
    "convert": "`resnext-convert --no-verify`",
    "convert_proven": "`resnext-convert`",
    "torchfile": "`torchfile.load` + `torch.save`",
}


def conversion_table() -> str:
    """Return what a conversion takes, as `benchmarks.convert` measured it."""
    columns = {"seconds": "{seconds:.2f}", "times `cp`": "{times_cp:.1f}"}
    columns |= {"peak memory, MB": "{peak_mb:.0f}"}
    return measured_table("whole process", columns, read_result("convert")["rows"], CONVERSIONS)


VALIDATIONS = {
    "timm": "timm, the steps of its `validate.py`, fp32",
    "fp32": "`resnext-validate`",
    "bf16": "`resnext-validate --precision bf16`",
}


def validation_table() -> str:
    """Return how fast whole validations are, over timm's."""
    columns = {"from first to last image": "{times_timm:.2f}"}
    columns |= {"whole process": "{process_times_timm:.2f}"}
    rows = read_result("validation")["rows"]
    return measured_table("ResNeXt-50, two cores, times timm", columns, rows, VALIDATIONS)


STARTED = {
    "digits before": "digits, PyTorch's loader, before",
    "digits": "digits",
    "resnext_50 before": "ResNeXt-50, fp32, PyTorch's loader, before",
    "resnext_50": "ResNeXt-50, fp32",
}


def start_table() -> str:
    """Return how long the start and the end of a validation take, as `benchmarks.start` did."""
    columns = {
        "first decision, s": "{first_seconds:.1f}",
        "from the last one to the end, s": "{end_seconds:.1f}",
        "whole process, s": "{process_seconds:.1f}",
    }
    return measured_table("32 images", columns, read_result("start")["rows"], STARTED)


PREDICTIONS = {
    "validate": "`resnext-validate`",
    "predict": "`resnext-predict --output rows.csv`",
    "predict --features": "`resnext-predict --features features.npy`",
}


def prediction_table() -> str:
    """Return how long predictions take over a validation, as `benchmarks.prediction` did."""
    facts = read_result("prediction")
    columns = {
        "whole process, s": "{seconds:.1f}",
        "processor time, s": "{processor_seconds:.1f}",
        "times the first": "{times_validate:.2f}",
    }
    name = f"ResNeXt-50, {facts['images']} photographs"
    return measured_table(name, columns, facts["speed"], PREDICTIONS)


KEPT_ROWS = {
    "csv npy": "`.csv` and `.npy`",
    "parquet parquet": "`.parquet` and `.parquet`",
    "jsonl safetensors": "`.jsonl` and `.safetensors`",
}


def prediction_memory_table() -> str:
    """Return what predictions of many pictures take, as `benchmarks.prediction` measured it."""
    columns = {
        "1,000 pictures, MB": "{peak_mb_1000:.0f}",
        "100,000 pictures, MB": "{peak_mb_100000:.0f}",
        "of these, s": "{seconds_100000:.0f}",
    }
    return measured_table(
        "rows and features", columns, read_result("prediction")["memory"], KEPT_ROWS
    )


HANDED = {"bytes": "bytes, for a GPU that scales", "float32": "float32, scaled by who reads"}
COMPARED = {
    "bytes before": "bytes, PyTorch's loader, before",
    "bytes": "bytes",
    "float32 before": "float32, PyTorch's loader, before",
    "float32": "float32",
}


def feeding_table() -> str:
    """Return what a picture costs around the device, as `benchmarks.feeding` measured it."""
    columns = {
        "who reads, ms": "{reading_milliseconds:.2f}",
        "the main process, ms": "{main_milliseconds:.2f}",
    }
    name = "processor time a picture, handed over as"
    return measured_table(name, columns, read_result("feeding")["rows"], HANDED)


def readers_compared_table() -> str:
    """Return what a picture costs around the decoder, as `benchmarks.feeding` compared it."""
    columns = {
        "who reads, ms": "{reading_milliseconds:.2f}",
        "of that around decoder and scaling": "{around_milliseconds:.2f}",
        "the main process, ms": "{main_milliseconds:.2f}",
    }
    rows = read_result("feeding_compared")["rows"]
    return measured_table("processor time a picture, handed over as", columns, rows, COMPARED)

"""The tables of what was measured on a GPU, made from results/gpu_*.json."""

from benchmarks.markdown import Measured, measured_table
from benchmarks.runs import read_result

NETWORK = Measured(
    name="ResNeXt-50, bf16, batches of 256",
    result="gpu_network_resnext_50_32x4d_bf16",
    columns={
        "images a second": "{images_per_second:,.0f}",
        "times timm's best": "{times_timm:.2f}",
        "decisions changed of 1,000": "{changed}",
        "furthest logit": "{furthest:.2f}",
    },
    texts={
        "timm_last": "timm, channels last, algorithms tried",
        "timm_amp": "timm, autocast",
        "folded": "batch norms folded",
        "predictor": "`Predictor` of then: and bias, shortcut and ReLU in one kernel of Triton",
        "cudnn_tried": "cuDNN's fused calls, as a way of the benchmark: `Predictor` since then",
    },
)

VALIDATIONS = {"timm_half": "timm, the steps of its `validate.py`", "resnext": "`resnext-validate`"}


def validation_table() -> str:
    """Return whole validations of two networks, as `benchmarks.gpu.validation` measured them."""
    columns = {
        "images a second, first to last": "{images_per_second:,.0f}",
        "without the first batch": "{steady_images_per_second:,.0f}",
        "whole process, s": "{process_seconds:.1f}",
        "times timm": "{times_timm:.2f}, {steady_times_timm:.2f}, {process_times_timm:.2f}",
        "GPU busy, %": "{gpu_busy_percent:.0f}",
    }
    names = ("resnext_50_32x4d", "resnext_101_64x4d")
    results = {name: read_result(f"gpu_validation_{name}_bf16") for name in names}
    rows = {
        f"{name} {way}": row
        for name, result in results.items()
        for way, row in result["rows"].items()
    }
    texts = {
        f"{name} {way}": f"`{name}`, {result['images']:,} images: {text}"
        for name, result in results.items()
        for way, text in VALIDATIONS.items()
    }
    return measured_table("bf16", columns, rows, texts)


PIXELS = Measured(
    name="a batch of 128 photographs",
    result="gpu_pixels",
    columns={"ms": "{milliseconds:.2f}"},
    texts={
        "Triton": "scaled by the kernel of Triton",
        "PyTorch": "scaled by PyTorch's operations",
        "copied_bytes": "bytes copied to the GPU",
        "copied_float32": "float32 copied to the GPU",
        "copied_and_scaled": "bytes copied and scaled",
    },
)

TRAINING = Measured(
    name="ResNeXt-50, bf16, batches of 256",
    result="gpu_training_resnext_50_32x4d_bf16",
    columns={
        "images a second": "{images_per_second:,.0f}",
        "times timm": "{times_timm:.2f}",
        "first step after, s": "{first_step_seconds:.1f}",
        "GPU busy, %": "{gpu_busy_percent:.0f}",
        "memory, MiB": "{gpu_mib:,.0f}",
    },
    texts={"timm": "timm, the steps of its `train.py`", "resnext": "`resnext-train`"},
)

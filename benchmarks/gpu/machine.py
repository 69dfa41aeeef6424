"""What the benchmarks for a GPU share: networks, options, a clock, and where a result goes."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmarks.networks import RESNEXT_50
from benchmarks.runs import write_result
from resnext.spec import Spec

if TYPE_CHECKING:
    import torch

# The last is for a try on a CPU.
SPECS = (
    RESNEXT_50,
    Spec(blocks=(3, 4, 23, 3), cardinality=32, base_width=4),
    Spec(blocks=(3, 4, 23, 3), cardinality=64, base_width=4),
    Spec(blocks=(1, 1, 1, 1), cardinality=8, base_width=4, planes=16),
)
NETWORKS = {spec.name: spec for spec in SPECS}
FULL = tuple(spec.name for spec in SPECS[:-1])
PACKAGES = ("numpy", "simplejpeg", "pillow", "torch", "resnext")
MOST = 200  # characters of an error
PEERS = ("torchvision", "timm")  # which not everything here needs
ROUNDS = 5

# In this order they are decorators of a command, which takes them as `Common`.
COMMON = (
    click.option("--device", default="cuda", show_default=True, help="cuda, cuda:1, cpu ..."),
    click.option("--rounds", type=click.IntRange(min=1), default=ROUNDS, show_default=True),
    click.option(
        "--output",
        type=click.Path(path_type=Path),
        help="File, or folder, for the result, whatever its size.  [default: benchmarks/results, "
        "from a GPU and at full size only]",
    ),
    click.option("--commit", help="What was measured, where git does not know it."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What every benchmark for a GPU is told.

    Attributes:
        device: that computes.
        rounds: of everything in turn.
        output: file of the result, or folder for it; None is the usual one, if it is worth keeping.
        commit: where git does not know it.
    """

    device: str
    rounds: int
    output: Path | None
    commit: str | None

    @property
    def is_cuda(self) -> bool:
        """Tell whether an NVIDIA GPU computes."""
        return self.device.startswith("cuda")

    def keep(self, name: str, facts: Mapping[str, Any], *, full: bool) -> None:
        """Print a result, and write it where it is wanted.

        Args:
            name: of the result.
            facts: what was measured.
            full: at the size that it is meant to be measured at.
        """
        print(json.dumps(facts, indent=2), flush=True)
        if self.output or (full and self.is_cuda and self.rounds >= ROUNDS):
            packages = (*PACKAGES, *(peer for peer in PEERS if find_spec(peer)))
            path = self.output
            if path is not None and path.is_dir():
                path /= f"{name}.json"
            write_result(name, facts, packages, device=self.device, path=path, commit=self.commit)
        else:
            print("not kept: too small, or not on a GPU; --output FILE keeps it all the same")


def command(function: Callable[..., None]) -> click.Command:
    """Make a function a command that takes `COMMON` as its first argument."""

    def main(device: str, rounds: int, output: Path | None, commit: str | None, **own: Any) -> None:
        os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
        common = Common(device=device, rounds=rounds, output=output, commit=commit)
        if common.is_cuda:
            _check_installation()
        function(common, **own)

    main.__doc__ = function.__doc__
    main.__click_params__ = list(getattr(function, "__click_params__", []))  # type: ignore[attr-defined]
    for decorate in reversed(COMMON):
        main = decorate(main)
    return click.command(context_settings={"show_default": True})(main)


def _check_installation() -> None:
    """Check what a result would be without, before minutes are spent on it.

    Raises:
        ClickException: this project is not installed, or was without a C compiler.
    """
    from resnext.pixels.resample import engine

    way = "pip install --no-deps --no-build-isolation -e ."
    try:
        version("resnext")
    except PackageNotFoundError as error:
        raise click.ClickException(f"this project expected to be installed: {way}") from error
    if engine() != "compiled":
        raise click.ClickException(f"a compiled bicubic expected, found {engine()}'s: {way}")


def first_line(error: BaseException) -> str:
    """Return the kind of an error and the first line of what it says."""
    lines: Sequence[str] = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:MOST]}"


def seconds_of(call: Callable[[], object], device: "torch.device", *, calls: int) -> float:
    """Return the seconds of a call, of several behind each other, on the device's own clock."""
    if device.type != "cuda":
        start = time.perf_counter()
        for _ in range(calls):
            call()
        return (time.perf_counter() - start) / calls
    import torch

    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    torch.cuda.synchronize(device)
    begin.record()
    for _ in range(calls):
        call()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1000 / calls


def best_of(names: Sequence[str], rounds: Mapping[str, Sequence[float]]) -> list[float]:
    """Return the highest speed of some ways in each round."""
    columns = [rounds[name] for name in names if name in rounds]
    return [max(row) for row in zip(*columns, strict=True)]

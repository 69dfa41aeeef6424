"""The saved state of a run, from which it can be resumed with the same result in every bit.

It is one safetensors file, never a pickle: tensors by name, the rest as JSON in the header. It
holds no state of random generators, as there is none; see `train.recipe.random_streams`.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from resnext.differences import first_difference
from resnext.fields import check_shape
from resnext.files import open_plain, whole_file
from resnext.header import TRAINING_STATE_FORM
from resnext.tensor_file import write_tensors
from train.input.command_line import CommandLine
from train.input.task import PROCESSES
from train.recipe.description import option_of
from train.recipe.older import current_recipe
from train.run.folder import (
    COMMAND_LINE,
    DAMAGE,
    LAST,
    StateError,
    command_line_in,
    full_disk_explained,
)
from train.run.progress import Progress
from train.step.loss import DivergedError
from train.step.optimizer import MEMORY

Array = NDArray[np.generic]
Arrays = Mapping[str, Array]

# In the header, so that no other file, nor a state of another form, is taken for one.
FORM: Final = f"{TRAINING_STATE_FORM}2"
# Had other names for the fields of a recipe and for the learning rate of an epoch.
OLDER_FORM: Final = f"{TRAINING_STATE_FORM}1"
SLASH: Final = "/"
# Entries of an identity that the first versions did not write: states without them are accepted.
LATER: Final = ("number of training images", "number of validation images", "steps of an epoch")

# How the name of an identity's entry begins -> the option that sets it, but for the recipe's.
ENTRIES: Final = {
    "seed": "--seed",
    "number of training images": "--data or --val-fraction",
    "number of validation images": "--val-data",
    "network": "--init or --depth",
    "first weights": "--init",
    "preprocessing scale": "--scale",
    "preprocessing crop": "--crop",
    "preprocessing": "--preprocessing",
}
# Fields of a recipe that hold other fields.
INNER: Final = ("augmentation", "schedule")

# Everything that any optimiser remembers of a parameter.
MEMORIES: Final = tuple(dict.fromkeys(kind for kinds in MEMORY.values() for kind in kinds))

# The state of an active `torch.amp.GradScaler`; that of an inactive one is empty.
SCALE: Final = {
    "scale": float,
    "growth_factor": float,
    "backoff_factor": float,
    "growth_interval": int,
    "_growth_tracker": int,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """The state of a run between two steps.

    Attributes:
        identity: what makes it this run: recipe, images, first weights, seed and so on.
        progress: how far the run has come.
        network: tensors by name.
        optimizer: what the optimiser remembers, by kind (`train.step.optimizer.MEMORY`) and name
            of the parameter; empty before the first step.
        average: moving average of the weights by name; empty if none is kept.
        scaler: state of the loss scaler and number of skipped steps.
        decisions: (N,) int32, the class that the best validation decided on for each image; empty
            before the first.
        command_line: the options with which the run goes on; without words if they are not known.
    """

    identity: Mapping[str, Any]
    progress: Progress
    network: Arrays
    optimizer: Mapping[str, Arrays]
    average: Arrays = field(default_factory=dict)
    scaler: Mapping[str, Any] = field(default_factory=dict)
    decisions: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    command_line: CommandLine = field(default_factory=CommandLine)

    def save(self, path: Path) -> None:
        """Write the state, and wait until it is on the disk; it then replaces the file before.

        Raises:
            DivergedError: a tensor is not finite; the file before is kept.
            StateError: the disk is full.
            OSError: the file cannot be written otherwise.
        """
        arrays = self._arrays()
        for name, array in arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise DivergedError(
                    f"{name.split(SLASH)[1]}: finite weights expected, found others"
                )
        metadata = {
            "form": FORM,
            "identity": json.dumps(self.identity),
            "progress": json.dumps(self.progress.to_fields()),
            "scaler": json.dumps(self.scaler),
            COMMAND_LINE: json.dumps(self.command_line.to_fields()),
        }
        with full_disk_explained(path), whole_file(path) as file:
            write_tensors(file, arrays, metadata)
            file.flush()
            os.fsync(file.fileno())

    def _arrays(self) -> dict[str, Array]:
        kinds = {"network": self.network, **self.optimizer, "average": self.average}
        arrays = {
            f"{kind}{SLASH}{name}": array
            for kind, named in kinds.items()
            for name, array in named.items()
        }
        return {**arrays, f"best{SLASH}decisions": self.decisions}

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a state that `save` wrote, without executing anything in it.

        Raises:
            StateError: the file is no state, or damaged.
            OSError: the file cannot be opened.
        """
        from safetensors import safe_open

        open_plain(path, StateError).close()  # an OSError that names the file
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                if metadata.get("form") not in (FORM, OLDER_FORM):
                    raise StateError(
                        f"{path}: a state of resnext-train expected, found another file"
                    )
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            facts = {key: json.loads(metadata[key]) for key in ("identity", "progress", "scaler")}
            command_line = command_line_in(metadata)
            if metadata["form"] == OLDER_FORM:
                facts |= _current(facts)
            progress = Progress.from_fields(facts["progress"])
            scale = SCALE if facts["scaler"]["scaler"] else {}
            check_shape(facts["scaler"], {"scaler": scale, "skipped": int}, "scaler")
        except DAMAGE as error:
            raise StateError(
                f"{path}: a whole state expected, found a damaged one ({error}); start anew with "
                "--force"
            ) from error
        decisions = arrays.pop(f"best{SLASH}decisions", np.zeros(0, np.int32))
        return cls(
            identity=facts["identity"],
            progress=progress,
            scaler=facts["scaler"],
            decisions=decisions.astype(np.int32, copy=False),
            command_line=command_line,
            network=_named("network", arrays),
            optimizer={kind: named for kind in MEMORIES if (named := _named(kind, arrays))},
            average=_named("average", arrays),
        )

    def check(self, identity: Mapping[str, Any], path: Path) -> None:
        """Check that this is a state of the run that is to be resumed.

        Raises:
            StateError: it is that of another run; names the first difference.
        """
        known = {k: v for k, v in identity.items() if k in self.identity or k not in LATER}
        wanted = json.loads(json.dumps(known))  # tuples become lists, as in the file
        free = {PROCESSES: None}
        if differs := first_difference(wanted | free, dict(self.identity) | free):
            last = path.with_name(LAST)
            begin = f" (--init {last} begins with these weights)" if last.exists() else ""
            raise StateError(
                f"{path}: the saved run has {differs.name} {differs.other}, this command "
                f"{differs.one}{_option(differs.name)}; give the same options, images and number "
                f"of processes, or another --output{begin}"
            )

    def other_processes(self, identity: Mapping[str, Any]) -> str | None:
        """Return a note if the number of processes differs from that of the saved run."""
        before, now = self.identity.get(PROCESSES), identity[PROCESSES]
        if before in (None, now):
            return None
        return (
            f"saved by a job of {before}, gone on with by one of {now}: the weights will not be, "
            f"bit for bit, those that {before} would give"
        )


def _option(name: str) -> str:
    """Return the option that sets a field of an identity, in brackets; "" if there is none."""
    for start, option in ENTRIES.items():
        if f"{name} ".startswith(f"{start} "):
            return f" ({option})"
    kind, *fields = name.split()
    field = next((each for each in fields if each not in INNER), None)
    if kind != "recipe" or field is None:
        return ""
    return f" ({option_of(field)})"


def _current(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return identity and progress of a state of the first form, under today's names."""
    identity, progress = dict(facts["identity"]), dict(facts["progress"])
    if "recipe" in identity:
        identity["recipe"] = current_recipe(identity["recipe"])
    progress["history"] = [
        {"lr" if key == "rate" else key: value for key, value in row.items()}
        for row in progress["history"]
    ]
    return {"identity": identity, "progress": progress}


def _named(kind: str, arrays: Arrays) -> dict[str, Array]:
    """Return the arrays of a kind, without the kind in their names."""
    start = f"{kind}{SLASH}"
    return {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}

"""A run on disk: all that it takes to go on from it as if nothing had happened.

One safetensors file, never a pickle: tensors by name, the rest as JSON in its header. Random
generators are not in it, as there are none with a past; see `train.recipe.random_streams`.
"""

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from resnext.differences import first_difference
from resnext.fields import check_shape
from resnext.files import whole_file
from resnext.header import TRAINING_STATE_FILE, TRAINING_STATE_FORM
from resnext.tensor_file import write_tensors
from train.errors import DivergedError, StateError
from train.run.files import LAST
from train.run.progress import Progress

Array = NDArray[np.generic]
Arrays = Mapping[str, Array]

# What stands in the header, so that no other file is taken for a state, nor one of another form.
FORM: Final = f"{TRAINING_STATE_FORM}1"
SLASH: Final = "/"
# What an identity did not say in the beginning, and a state of then is not asked for.
LATER: Final = ("number of training images", "number of validation images", "steps of an epoch")
# What it says too, and what may be another, with a note.
PROCESSES: Final = "processes"

# Values of a recipe whose options have other names.
OPTIONS: Final = {
    "name": "--recipe",
    "stem": "--recipe",
    "rate": "--lr",
    "rate_batch": "--lr",
    "curve": "--schedule",
    "every": "--schedule",
    "after": "--schedule",
    "crop": "--crop-kind",
    "area": "--min-area",
}
# Groups of them.
INNER: Final = ("augmentation", "schedule")

# What `torch.amp.GradScaler` remembers where it scales; else it has nothing to remember.
SCALE: Final = {
    "scale": float,
    "growth_factor": float,
    "backoff_factor": float,
    "growth_interval": int,
    "_growth_tracker": int,
}
# What is raised where a file is cut short, or its JSON is that of nobody.
DAMAGE: Final = (
    SafetensorError,
    TypeError,
    KeyError,
    ValueError,
    AttributeError,
    RecursionError,
    OverflowError,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """A run between two steps.

    Attributes:
        identity: what makes it this run: recipe, images, first weights, seed.
        progress: how far it has come.
        network: its tensors by name.
        momentum: of the optimiser, by the name of the parameter; empty before the first step.
        average: of the weights; empty where there is none.
        scaler: of the loss, in half precision; else empty.
        decisions: (N,) int32, the classes that the best validation decided on; empty before it.
    """

    identity: Mapping[str, Any]
    progress: Progress
    network: Arrays
    momentum: Arrays
    average: Arrays = field(default_factory=dict)
    scaler: Mapping[str, Any] = field(default_factory=dict)
    decisions: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))

    def save(self, path: Path) -> None:
        """Write the state, and wait until the disk has it; the file before stays till then.

        Raises:
            DivergedError: a tensor is not finite: the file before is better.
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
        }
        with explained(path), whole_file(path) as file:
            write_tensors(file, arrays, metadata)
            file.flush()
            os.fsync(file.fileno())

    def _arrays(self) -> dict[str, Array]:
        kinds = {"network": self.network, "momentum": self.momentum, "average": self.average}
        arrays = {
            f"{kind}{SLASH}{name}": array
            for kind, named in kinds.items()
            for name, array in named.items()
        }
        return {**arrays, f"best{SLASH}decisions": self.decisions}

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a state that `save` wrote; nothing in it is executed.

        Raises:
            StateError: it is none, or damaged.
            OSError: the file cannot be opened.
        """
        from safetensors import safe_open

        path.open("rb").close()  # an OSError that names the file
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                if metadata.get("form") != FORM:
                    raise StateError(
                        f"{path}: a state of resnext-train expected, found another file"
                    )
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            facts = {key: json.loads(metadata[key]) for key in ("identity", "progress", "scaler")}
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
            **{kind: _of(kind, arrays) for kind in ("network", "momentum", "average")},
        )

    def check(self, identity: Mapping[str, Any], path: Path) -> None:
        """Check that this is a state of the run that is to go on.

        Raises:
            StateError: it is that of another; names the first difference.
        """
        known = {k: v for k, v in identity.items() if k in self.identity or k not in LATER}
        wanted = json.loads(json.dumps(known))  # tuples become lists, as in the file
        free = {PROCESSES: None}
        if differs := first_difference(wanted | free, dict(self.identity) | free):
            raise StateError(
                f"{path}: the saved run has {differs.name} {differs.other}, this command "
                f"{differs.one}{_option(differs.name)}; give the same options, images and number "
                f"of processes, or another --output (--init {path.with_name(LAST)} begins with "
                "these weights)"
            )

    def other_processes(self, identity: Mapping[str, Any]) -> str | None:
        """Say that the run goes on in another number of processes, where it does."""
        before, now = self.identity.get(PROCESSES), identity[PROCESSES]
        if before in (None, now):
            return None
        return (
            f"saved by a job of {before}, gone on with by one of {now}: the weights will not be, "
            f"bit for bit, those that {before} would give"
        )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Say what a full disk means for a run; other errors pass.

    Raises:
        StateError: the disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        kept = f"; the {path.name} of before is kept" if path.exists() else ""
        saved = path.with_name(TRAINING_STATE_FILE).exists()
        way = "go on with --resume" if saved else "begin anew with --force: no state is saved yet"
        raise StateError(f"{path}: {error.strerror}{kept}; make room, then {way}") from error


def _option(name: str) -> str:
    """Return the option that a field of an identity comes from, in brackets; "" for others."""
    kind, *fields = name.split()
    if kind == "seed":
        return " (--seed)"
    field = next((each for each in fields if each not in INNER), None)
    if kind != "recipe" or field is None:
        return ""
    return f" ({OPTIONS.get(field) or '--' + field.replace('_', '-')})"


def _of(kind: str, arrays: Arrays) -> dict[str, Array]:
    start = f"{kind}{SLASH}"
    return {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}

"""A checkpoint of another project, opened: what the rooms of the formats have in common."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from convert.source.outline import Part
from resnext.header import Origin, Provenance
from resnext.preprocessing import Preprocessing
from resnext.spec import Spec

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.generic]

# The rule of a tensor that many files lack, and no answer depends on.
NO_COUNTER: Final = "a counter of batches, 0, as the file has none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network as mapped from a file.

    Attributes:
        spec: its architecture.
        tensors: by torchvision's names; views of the file where nothing was converted.
        conversions: how tensors were changed; empty if every bit was kept.
        computed: the name of each tensor that is not in the file bit for bit -> the rule that gives
            it, in words.
        form: a word for how the file writes the architecture, if there are several ways: "B" or
            "C" of a .t7 with groups; "" otherwise.
        preprocessing: what the file or its layout states, and which of both; None for neither.
        assumable: whether a preprocessing that is not stated may be assumed from the topology.
        classes: the names of the classes, where the file has them.
        wnids: the WordNet ids of the classes, likewise.
        published_name: of the published network that the file says it is; nothing shows it.
        licence: of the weights, as the file states it.
    """

    spec: Spec
    tensors: Mapping[str, Array]
    conversions: tuple[str, ...] = ()
    computed: Mapping[str, str] = field(default_factory=dict)
    form: str = ""
    preprocessing: tuple[Preprocessing, Origin] | None = None
    assumable: bool = True
    classes: tuple[str, ...] | None = None
    wnids: tuple[str, ...] | None = None
    published_name: str | None = None
    licence: str | None = None


class Source(ABC):
    """A readable file, whether its network is convertible or not.

    Attributes:
        path: of the file.
        format: the file format and its variant, for people.
        bytes: the file's size.
    """

    path: Path
    format: str
    bytes: int

    @abstractmethod
    def network(self) -> Network:
        """Return the network, or refuse it.

        Raises:
            RefusedError: it is not of the family, or not whole.
        """

    @abstractmethod
    def run(self, inputs: "Tensor") -> "Tensor":
        """Compute the logits (N, classes) by the file's own description of its network.

        This is the independent reference of the proof: it uses neither the spec nor
        `resnext.model`. Needs torch.

        Args:
            inputs: (N, 3, H, W), of the arithmetic's type; prepared as for the converted network.
        """

    @property
    def place(self) -> str | None:
        """Return the place of the network in the file; None if it is all that the file holds."""
        return None

    @property
    def note(self) -> str | None:
        """Return what else a person should know of the file, or None."""
        return None

    @property
    def provenance(self) -> Provenance | None:
        """Return where the weights come from, of a file that `--to` wrote; None of others."""
        return None

    @property
    def training(self) -> Mapping[str, object] | None:
        """Return how this project trained the network of a file that `--to` wrote; or None."""
        return None

    @property
    def side(self) -> int | None:
        """Return the side in pixels of the pictures that `run` takes; None for the usual one."""
        return None

    @property
    def companion(self) -> tuple[str, str] | None:
        """Return name and sha256 of a second file that the network was read from, or None."""
        return None

    @abstractmethod
    def tensor_types(self) -> dict[str, int]:
        """Return how many tensors of each type the file holds."""

    @abstractmethod
    def contents(self) -> Part | None:
        """Return the outline of a file in which no one network was found; None of others."""

    @abstractmethod
    def beside(self) -> tuple[Part, ...]:
        """Return what the file holds besides its network: epoch, optimiser ..."""

    def module_classes(self) -> dict[str, int]:
        """Return how many modules or operators of each class the network has, if the file says."""
        return {}

    def module_lines(self) -> Iterator[str]:
        """Yield the modules or operators of the network, a line each, if the file has them."""
        return iter(())

    def module_fields(self) -> object:
        """Return the same as values that JSON takes, or None."""
        return None

    def tensors(self) -> Mapping[str, Array]:
        """Return the named tensors of a file that holds no more than these."""
        return {}


def counted_types(tensors: Mapping[str, Array]) -> dict[str, int]:
    """Return how many arrays of each type there are."""
    return dict(Counter(array.dtype.name for array in tensors.values()))

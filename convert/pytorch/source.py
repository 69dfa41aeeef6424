"""A file of PyTorch as a source of a conversion."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from convert.pytorch import contents
from convert.pytorch.archive import FileKind
from convert.pytorch.errors import DamagedFileError
from convert.pytorch.hub import CONFIG, StatedFacts, read_config
from convert.pytorch.mapping import MappedState, map_arrays
from convert.pytorch.naming import Family
from convert.pytorch.reader import Values, read_values
from convert.pytorch.state_dicts import StateDict, entries, find_state_dict, to_arrays
from convert.source.errors import NoNetworkError, RefusedError, StructureError
from convert.source.outline import Part
from convert.source.source import NO_COUNTER, Array, Network, Source
from resnext.errors import CheckpointError, PreprocessingError, SpecError
from resnext.fields import cut, shown
from resnext.header import Origin, Provenance, from_metadata
from resnext.preprocessing import CIFAR10, Preprocessing
from resnext.spec import Norm, StemPool

if TYPE_CHECKING:
    from torch import Tensor


class PyTorchSource(Source):
    """A state dict of PyTorch: pickled, alone or in a training's checkpoint, or as safetensors."""

    def __init__(self, path: Path, kind: FileKind | None, *, at: str | None = None) -> None:
        """Read a file.

        Args:
            path: of the file.
            kind: how torch.save wrote it; None is safetensors.
            at: the place of the state dict, where the file holds several.

        Raises:
            PyTorchError: it is damaged, or needs more than tensors and plain values.
            OSError: it cannot be opened.
        """
        self.path, self.bytes = path, path.stat().st_size
        self._at, self._kind = at, kind
        self._values = Values(read_tensors(path)) if kind is None else read_values(path, kind)
        self._container = "safetensors" if kind is None else str(kind)

    @property
    def format(self) -> str:  # type: ignore[override]
        """Return the container, and whose names the tensors have where that is known."""
        try:
            return f"{self._container}, names of {self._mapped.naming.words}"
        except RefusedError:
            return self._container

    def network(self) -> Network:
        """Return the network that the names and shapes are; see `map_arrays`.

        Raises:
            RefusedError: not exactly one network, or not one of the family.
        """
        mapped, (_, conversions) = self._mapped, self._arrays
        config, origin = self._own or self._config, self.provenance
        if config.class_count not in (None, mapped.spec.classes):
            raise StructureError(
                f"{CONFIG}: num_classes {mapped.spec.classes} expected, as the weights have, found "
                f"{shown(config.class_count)}: the configuration of another network"
            )
        classes = config.classes
        if classes is not None and len(classes) != mapped.spec.classes:
            classes = None
        wnids = config.wnids if classes and len(config.wnids or ()) == len(classes) else None
        return Network(
            spec=mapped.spec,
            tensors=mapped.tensors,
            conversions=conversions,
            computed=dict(self._computed()),
            preprocessing=self._preprocessing(config),
            classes=classes,
            wnids=wnids,
            published_name=origin.published_name if origin else None,
            licence=origin.licence if origin else None,
        )

    def run(self, inputs: "Tensor") -> "Tensor":
        """Compute the logits by the layout's own arithmetic, from the file's names."""
        from convert.pytorch.oracle import Unnamed, run

        spec = self._mapped.spec
        unnamed = Unnamed(ceil_pool=spec.stem_pool is StemPool.CEIL, shared=spec.norm is Norm.PRE)
        return run(self._mapped.naming.family, self._arrays[0], inputs, unnamed=unnamed)

    @property
    def provenance(self) -> Provenance | None:
        """Return what a state dict that this project wrote states of its origin."""
        return self._own.provenance if self._own else None

    @property
    def training(self) -> Mapping[str, object] | None:
        """Return what a state dict that this project wrote states of its training."""
        return self._own.training if self._own else None

    @property
    def place(self) -> str | None:
        """Return the keys that lead to the state dict; None if it is all that the file holds."""
        return self._found.place or None if self._found else None

    @property
    def note(self) -> str | None:
        """Say what of a configuration beside the file was not taken."""
        try:
            return self._config.note
        except RefusedError:
            return None

    def tensor_types(self) -> dict[str, int]:
        """Return how many tensors of each type the file holds."""
        return contents.tensor_types(self._values.root)

    def contents(self) -> Part | None:
        """Return the outline of a file in which no one network was found; None of others."""
        return None if self._found else contents.outline("file", self._values.root)

    def beside(self) -> tuple[Part, ...]:
        """Return what the file holds besides its network: epoch, optimiser ..."""
        if self._found is None or not self._found.place:
            return ()
        whole = contents.outline("file", self._values.root, without=self._found.whole)
        if more := whole.rest.total():
            facts: dict[str, object] = {"not_shown": dict(whole.rest.most_common())}
            return (*whole.inside, Part(name="...", words=f"and {more} more", facts=facts))
        return tuple(whole.inside)

    def module_lines(self) -> Iterator[str]:
        """Yield the tensors of the state dict, a line each."""
        for name, value in self._found.tensors.items() if self._found else ():
            yield f"{cut(name)} {contents.words(value)}"

    def tensors(self) -> Mapping[str, Array]:
        """Return no tensors here: `module_lines` has them."""
        return {}

    def _computed(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each tensor that the file does not hold bit for bit, and the rule."""
        mapped, types = self._mapped, self._state.tensors
        for name, array in mapped.tensors.items():
            theirs = mapped.naming.name(name)
            if theirs not in types:
                yield name, NO_COUNTER
            elif str(getattr(types[theirs], "dtype", "")) == "torch.bfloat16":
                yield name, "bfloat16 widened to float32"
            elif (found := self._arrays[0][theirs]).dtype != array.dtype:
                yield name, f"{found.dtype.name} stored as {array.dtype.name}"

    def _preprocessing(self, config: StatedFacts) -> tuple[Preprocessing, Origin] | None:
        """Return what the configuration states, or what a layout's training script applies."""
        if config.preprocessing:
            return config.preprocessing, Origin.FILE
        # prlz77's train.py applies the numbers of CIFAR-10 to CIFAR-100, too.
        if self._mapped.naming.family is Family.PRLZ77 and self._mapped.spec.classes == 100:
            return CIFAR10, Origin.ASSUMED
        return None

    @cached_property
    def _config(self) -> StatedFacts:
        return read_config(self.path)

    @cached_property
    def _state(self) -> StateDict:
        try:
            return find_state_dict(self._values.root, at=self._at)
        except NoNetworkError as error:
            if self._kind is not None or self._at is not None:
                raise
            raise NoNetworkError(
                f"no spec in its header, so resnext-convert did not write it, and {error}"
            ) from error

    @cached_property
    def _arrays(self) -> tuple[dict[str, Array], tuple[str, ...]]:
        return to_arrays(self._state.tensors, most=self.bytes, filled=self._values.filled)

    @cached_property
    def _mapped(self) -> MappedState:
        return map_arrays(self._arrays[0], spec=self._own.spec if self._own else None)

    @cached_property
    def _own(self) -> StatedFacts | None:
        """Return what a state dict that this project wrote says of itself; None of others."""
        facts = getattr(self._state.whole, "resnext", None)
        if not isinstance(facts, dict):
            return None
        texts = dict(entries(facts))
        if not all(isinstance(each, str) for pair in texts.items() for each in pair):
            return None
        try:
            found = from_metadata(texts)
        except (CheckpointError, SpecError, PreprocessingError) as error:
            raise StructureError(f"the facts beside the state dict: {error}") from error
        return StatedFacts(
            spec=found["spec"],
            preprocessing=found["preprocessing"],
            classes=found["classes"],
            wnids=found["wnids"],
            provenance=found["provenance"],
            training=found["training"],
        )

    @cached_property
    def _found(self) -> StateDict | None:
        """Return the state dict, or None where a description goes on without one."""
        try:
            return self._state
        except NoNetworkError:
            return None


def read_tensors(path: Path) -> dict[str, object]:
    """Return the tensors of a safetensors file by name; views of the mapped file.

    Raises:
        DamagedFileError: it is not whole.
        OSError: it cannot be opened.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise DamagedFileError(f"not a whole safetensors file ({cut(str(error))})") from error

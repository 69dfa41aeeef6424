"""A checkpoint on disk: safetensors, with spec, preprocessing and provenance in its header."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numpy.typing import NDArray

from resnext.errors import CheckpointError, PreprocessingError, SpecError
from resnext.fields import cut
from resnext.files import open_plain, whole_file
from resnext.header import Origin, Provenance, from_metadata, to_fields, to_metadata
from resnext.layout import Layout, layout
from resnext.preprocessing import Preprocessing
from resnext.spec import Spec
from resnext.tensor_file import LENGTH, pickle_kind, tensor_header, write_tensors

if TYPE_CHECKING:
    import torch

    from resnext.model import ResNeXt

Array = NDArray[np.generic]

__all__ = ["Checkpoint", "Origin", "Provenance"]

SUFFIX: Final = ".safetensors"
FLOATS: Final = ("float16", "float32", "float64")
COUNTERS: Final = ("int64",)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """A network's weights with all that is needed to build and feed it.

    Attributes:
        spec: the architecture.
        tensors: by torchvision's names, exactly those of `layout(spec)`; read-only.
        preprocessing: of the input images; None where it is not known.
        origin: where `preprocessing` comes from.
        provenance: where the weights come from.
        classes: the name of each label; None where the names are not known. ImageNet has two
            classes called crane, and two called maillot.
        wnids: the WordNet id of each label, of a published network of ImageNet's classes.
        training: how it was trained here, as values that JSON takes; None if it was not.

    Raises:
        CheckpointError: the tensors' names, shapes or types are not those of the spec, or there are
            more or fewer class names or wnids than classes.
    """

    spec: Spec
    tensors: Mapping[str, Array] = field(repr=False)
    preprocessing: Preprocessing | None
    origin: Origin | None
    provenance: Provenance
    classes: tuple[str, ...] | None = None
    wnids: tuple[str, ...] | None = None
    training: Mapping[str, object] | None = None

    def __post_init__(self) -> None:
        found = {name: (a.shape, a.dtype.name) for name, a in self.tensors.items()}
        if faults := _tensor_faults(found, layout(self.spec)):
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            raise CheckpointError(f"{faults[0]}{more}")
        for what, names in (("class names", self.classes), ("wnids", self.wnids)):
            if names is not None and len(names) != self.spec.classes:
                raise CheckpointError(f"{self.spec.classes} {what} expected, found {len(names)}")

    @property
    def name(self) -> str:
        """Return the published name, or the source file's name without its suffix.

        Of a folder of the hub, whose files are all called alike, it is the folder's name. Weights
        without a source file have the name of their architecture.
        """
        path = Path(self.provenance.source_file or "")
        source = path.parent.name or path.stem
        return self.provenance.published_name or source or self.spec.name

    @property
    def matched_names(self) -> tuple[str, ...] | None:
        """Return the names by which the classes of images are matched, None if they are not.

        Images of ImageNet's classes are matched by wnids or by the numbers of the labels.
        """
        return self.classes if self.wnids is None else None

    @property
    def history(self) -> str:
        """Return in words what the weights were made from, and by which version."""
        source, verb = self.provenance, "trained" if self.training else "converted"
        return f"{verb} by {source.converted_by} from {source.source_file or 'random weights'}"

    def digest(self) -> str:
        """Return the sha256 of names, types, shapes and values; it does not depend on the file."""
        total = hashlib.sha256()
        for name in sorted(self.tensors):
            array = self.tensors[name]
            total.update(f"{name} {array.dtype.name} {array.shape}\n".encode())
            total.update(np.ascontiguousarray(array).data.cast("B"))
        return total.hexdigest()

    def build(
        self, device: "torch.device | str" = "cpu", dtype: "torch.dtype | None" = None
    ) -> "ResNeXt":
        """Return the network with these weights, in evaluation mode.

        Args:
            device: of the network.
            dtype: of weights and arithmetic; None is float32.
        """
        import torch

        from resnext.model import ResNeXt

        dtype = dtype or torch.float32
        with torch.device("meta"):
            network = ResNeXt(self.spec)
        state = {name: torch.from_numpy(np.array(array)) for name, array in self.tensors.items()}
        for name, tensor in state.items():
            wanted = dtype if tensor.is_floating_point() else tensor.dtype
            state[name] = tensor.to(device=device, dtype=wanted)
        network.load_state_dict(state, strict=True, assign=True)
        return network.eval()

    def save(self, path: str | Path, *, final: Callable[[], "Checkpoint"] | None = None) -> None:
        """Write the checkpoint; the file appears whole or not at all.

        Args:
            path: the file to write.
            final: called when the tensors are written; returns this checkpoint with the provenance
                to state in the header. A checksum of the source can be computed until then.

        Raises:
            OSError: the folder is missing or read-only, or the disk is full.
        """
        with whole_file(Path(path)) as file:
            room = write_tensors(file, self.tensors, self._metadata())
            if final is not None:
                header = tensor_header(self.tensors, final()._metadata())
                assert len(header) == room, "a checksum has one length"
                file.seek(LENGTH.size)
                file.write(header)

    def facts(self) -> dict[str, object]:
        """Return all that every format stores besides the tensors, as values that JSON takes.

        What is not known is left out.
        """
        return to_fields(
            spec=self.spec,
            preprocessing=self.preprocessing,
            origin=self.origin,
            provenance=self.provenance,
            classes=self.classes,
            wnids=self.wnids,
            training=self.training,
        )

    def _metadata(self) -> dict[str, str]:
        # Other readers of safetensors look for the entry "format".
        return {"format": "pt", **to_metadata(self.facts())}

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a checkpoint that `save` wrote; nothing in it is executed.

        Raises:
            CheckpointError: not a safetensors file, one that this project did not write, or a
                damaged one.
            OSError: the file cannot be opened.
        """
        from safetensors import SafetensorError, safe_open

        open_plain(Path(path), CheckpointError).close()  # an OSError that names the file
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                names = list(file.keys()) if "spec" in metadata else []
                tensors = {name: _frozen(file.get_tensor(name)) for name in names}
        except (SafetensorError, TypeError, KeyError, AttributeError) as error:
            # The last three are raised for element types that NumPy does not have.
            raise CheckpointError(f"{path}: {_unread(Path(path), error)}") from error
        if not names:
            raise CheckpointError(
                f"{path}: no spec in its header, so resnext-convert did not write it; "
                "convert the original .t7 file"
            )
        try:
            return cls(tensors=tensors, **from_metadata(metadata))
        except (CheckpointError, SpecError, PreprocessingError) as error:
            raise CheckpointError(f"{path}: {error}") from error


def _unread(path: Path, error: Exception) -> str:
    """Return why a file cannot be read as safetensors: it is of another kind, or damaged.

    Torch7's files begin with the tag of a table or an object, as an integer or as text.
    """
    with path.open("rb") as file:
        head = file.read(512)
    if pickled := pickle_kind(head):
        return f"a converted file expected, found {pickled}"
    binary = head[:4] in (b"\3\0\0\0", b"\4\0\0\0") and any(head[4:8])
    if binary or head.startswith((b"3\n", b"4\n")):
        return "a converted file expected, found an original .t7; resnext-convert converts it"
    return f"not a whole safetensors file ({cut(str(error))}); convert the original again"


def _frozen(array: Array) -> Array:
    array.flags.writeable = False
    return array


def _tensor_faults(found: Mapping[str, tuple[tuple[int, ...], str]], rows: Layout) -> list[str]:
    expected = rows.tensors()
    faults = [f"tensor {name} is missing" for name in expected if name not in found]
    faults += [f"tensor {cut(name)} is unexpected" for name in found if name not in expected]
    for name, (shape, dtype) in found.items():
        wanted = COUNTERS if name.endswith("num_batches_tracked") else FLOATS
        if name in expected and (shape != expected[name] or dtype not in wanted):
            faults.append(
                f"tensor {name}: {' or '.join(wanted)} {expected[name]} expected, "
                f"found {dtype} {cut(str(shape))}"
            )
    return faults

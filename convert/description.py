"""The description of a checkpoint file: the facts that `--info` prints."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from convert.loading import (
    chosen_preprocessing,
    is_converted,
    known_as,
    load_converted,
    naming,
    open_source,
)
from convert.location import check_digits, start_sha256
from convert.source.errors import NoNetworkError, RefusedError
from convert.source.source import Array, Source, counted_types
from resnext.checkpoint import Origin
from resnext.header import ProofFacts
from resnext.layout import layout
from resnext.preprocessing import Preprocessing
from resnext.published import published_row
from resnext.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFacts:
    """What is known of a network.

    Attributes:
        name: the published name, or the architecture's.
        conversions: how a conversion changes, or changed, values.
        form: of the blocks in a .t7, "B" or "C"; "" without groups.
        licence: of the weights, where it is known.
        sha256: of the original file, where it was stored.
        proof, proof_facts: of a converted checkpoint, as in its provenance.
        classes: their names; None where these are not stored.
        training: how it was trained by this project, as its checkpoint states; None if it was not.
        stated: that it is the published network was stated at the conversion, not shown.
    """

    name: str
    spec: Spec
    preprocessing: Preprocessing | None
    origin: Origin | None
    conversions: tuple[str, ...]
    form: str = ""
    licence: str | None = None
    sha256: str | None = None
    proof: float | None = None
    proof_facts: ProofFacts | None = None
    classes: tuple[str, ...] | None = None
    training: Mapping[str, object] | None = None
    stated: bool = False

    @property
    def parameters(self) -> int:
        """Return the number of trained parameters."""
        return layout(self.spec).parameters()

    @property
    def multiply_adds(self) -> int:
        """Return how many there are for one input of the size that the network was built for."""
        return layout(self.spec).multiply_adds(self.spec.input_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What is known of a file.

    Attributes:
        format: file format and encoding, or what wrote it.
        tensor_types: how many tensors of each type it holds.
        source: the opened file of another project; None of a converted checkpoint.
        tensors: by name, of a file that holds no more than these.
        network: None if a conversion would refuse it, for the reason in `refusal`.
    """

    file: str
    format: str
    bytes: int
    tensor_types: dict[str, int]
    source: Source | None = None
    tensors: Mapping[str, Array] = field(default_factory=dict, repr=False)
    network: NetworkFacts | None = None
    refusal: str | None = None


def describe_file(path: Path, *, at: str | None = None) -> Description:
    """Describe a file without converting it.

    Args:
        path: the file.
        at: the place of the network, where the file holds several.

    Raises:
        ConvertError: it is not readable, another file than its name says, or has no network at
            `at`. A readable file that a conversion would refuse is described, with the reason in
            `refusal`.
        CheckpointError: a safetensors file that is damaged or was not written by this project.
        OSError: it cannot be opened.
    """
    if is_converted(path):
        return _describe_checkpoint(path, at)
    return _describe_source(path, at)


def _describe_checkpoint(path: Path, at: str | None) -> Description:
    checkpoint = load_converted(path, at=at)
    source = checkpoint.provenance
    return Description(
        file=str(path),
        format=f"safetensors, {checkpoint.history}",
        bytes=path.stat().st_size,
        tensor_types=counted_types(checkpoint.tensors),
        tensors=checkpoint.tensors,
        network=NetworkFacts(
            spec=checkpoint.spec,
            name=source.published_name or checkpoint.spec.name,
            preprocessing=checkpoint.preprocessing,
            origin=checkpoint.origin,
            conversions=source.conversions,
            licence=source.licence,
            sha256=source.source_sha256,
            proof=source.proof,
            proof_facts=source.proof_facts,
            classes=checkpoint.classes,
            training=checkpoint.training,
            stated=source.stated,
        ),
    )


def _describe_source(path: Path, at: str | None) -> Description:
    with naming(path):
        source = open_source(path, at=at)
        sha256 = start_sha256(path)
        check_digits(path, sha256.result)
    network, refusal = None, None
    try:
        with naming(path):
            found = source.network()
    except NoNetworkError as error:
        if at is not None:
            raise
        refusal = error.message
    except RefusedError as error:
        refusal = error.message
    else:
        row = published_row(found.spec, file=path.name, size=source.bytes, sha256=sha256.result)
        name, licence, stated = known_as(found, row)
        origin = source.provenance  # of a file that this project wrote
        preprocessing, basis = chosen_preprocessing(found, row)
        network = NetworkFacts(
            spec=found.spec,
            name=name or found.spec.name,
            stated=stated,
            preprocessing=preprocessing,
            origin=basis,
            conversions=found.conversions,
            form=found.form,
            licence=licence,
            sha256=origin.source_sha256 if origin else None,
            proof=origin.proof if origin else None,
            proof_facts=origin.proof_facts if origin else None,
            classes=found.classes,
            training=source.training,
        )
    return Description(
        file=str(path),
        format=source.format,
        bytes=source.bytes,
        tensor_types=source.tensor_types(),
        source=source,
        tensors=source.tensors(),
        network=network,
        refusal=refusal,
    )

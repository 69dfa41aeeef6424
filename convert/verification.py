"""A converted file compared with the original that it was made from: the proof, repeated."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from convert.differences import (
    TensorDifference,
    changed_norm,
    spec_differences,
    tensor_differences,
)
from convert.errors import SourceError, UnprovableError
from convert.loading import Original, is_converted, load_converted, load_original, naming
from convert.location import require_file, start_sha256, weights_of
from convert.source.source import NO_COUNTER
from resnext.checkpoint import Checkpoint
from resnext.header import Origin, Provenance

if TYPE_CHECKING:
    from convert.proof import Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A file that is compared with an original.

    Attributes:
        path: of the file.
        checkpoint: its network.
        provenance: where the file states that its weights come from; None if it states nothing, as
            the files of others.
    """

    path: Path
    checkpoint: Checkpoint
    provenance: Provenance | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checksum:
    """The sha256 of one file of the original.

    Attributes:
        file: its name.
        stated: what the converted file says; None if it says nothing.
        found: the file's.
    """

    file: str
    stated: str | None
    found: str

    @property
    def holds(self) -> bool:
        """Tell whether it is the stated one, or none is stated."""
        return self.stated in (None, self.found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was compared, and what came out.

    Attributes:
        file, original: the two files.
        place: of the network in the original, where that is not all that it holds.
        network: the name of the original's architecture.
        checksums: of the original's one or two files.
        spec: the differences of the architectures in words; if there are any, nothing else is
            compared.
        kept: the tensors that have to be in the original bit for bit.
        computed: names of the others -> the rule that gives them.
        uncounted: counters of batches that the original lacks; of others' files not compared.
        differences: in the order of the network's tensors.
        preprocessing: what differs in mean and std where the original's graph computes with them.
        replaced: the same, where the user had stated another preprocessing: no fault.
        proof: the oracle's; None where the architectures differ.
        tells: whether the logits depend on the input, so that the proof says something.
    """

    file: Path
    original: Path
    place: str | None
    network: str
    checksums: tuple[Checksum, ...]
    spec: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    computed: Mapping[str, str]
    uncounted: tuple[str, ...] = ()
    differences: tuple[TensorDifference, ...] = ()
    preprocessing: str | None = None
    replaced: str | None = None
    proof: "Proof | None" = None
    tells: bool = True

    @property
    def holds(self) -> bool:
        """Tell whether the file is what a conversion of the original gives."""
        faults = self.spec or self.differences or self.preprocessing
        proven = self.proof is not None and self.proof.holds
        return not faults and proven and all(each.holds for each in self.checksums)


def verify_file(path: Path, against: Path, *, at: str | None = None) -> Verification:
    """Compare a converted file with the original, which is read and mapped anew.

    Each tensor is compared in every bit with the original's, or with what the conversion's rule
    gives where it is not one of the original's. Then both networks compute logits, the original by
    its own description. Needs torch.

    Args:
        path: a file that resnext-convert wrote in a format that can be read, or a file of PyTorch
            that is said to hold the same weights.
        against: the original.
        at: the place of the network in the original, where it holds several.

    Raises:
        ConvertError: one of both cannot be read, the first was trained here, or the second was
            converted.
        CheckpointError: a safetensors file that is damaged.
        UnprovableError: the tensors are the same, and the logits say nothing.
        OSError: one of both cannot be opened.
    """
    converted = read_converted(weights_of(path))
    against = weights_of(against)
    require_file(against)
    if is_converted(against):
        with naming(against):
            raise SourceError(
                "--against: the original expected, found a converted file; name the original "
                "there, and the converted file as SOURCE"
            )
    original = load_original(against, sha256=start_sha256(against), at=at)
    with naming(converted.path):
        return compare(converted, original)


def read_converted(path: Path) -> Converted:
    """Read the file that is compared with an original.

    Raises:
        SourceError: it was trained, not converted.
        ConvertError, CheckpointError, OSError: it cannot be read.
    """
    require_file(path)
    if is_converted(path):
        checkpoint = load_converted(path)
        found = Converted(path=path, checkpoint=checkpoint, provenance=checkpoint.provenance)
        training = checkpoint.training
    else:
        original = load_original(path, sha256=start_sha256(path))
        stated, training = original.source.provenance, original.source.training
        found = Converted(path=path, checkpoint=original.checkpoint(), provenance=stated)
    if training is not None:
        with naming(path):
            raise SourceError(
                "a converted file expected, found one that resnext-train wrote: training changes "
                "every tensor; name the file that the training began with"
            )
    return found


def compare(converted: Converted, original: Original) -> Verification:
    """Compare a converted file with an original; see `verify_file`."""
    network, source, found = original.network, original.source, converted.checkpoint
    result = Verification(
        file=converted.path,
        original=source.path,
        place=source.place,
        network=network.spec.name,
        checksums=tuple(_checksums(converted.provenance, original)),
        spec=tuple(
            f"{name} {one} expected, found {other}"
            for name, one, other in spec_differences(network.spec, found.spec)
        ),
        computed=network.computed,
    )
    if result.spec:
        return result
    foreign = converted.provenance is None
    uncounted = [n for n, rule in network.computed.items() if foreign and rule == NO_COUNTER]
    computed = {n: rule for n, rule in network.computed.items() if n not in uncounted}
    result = replace(
        result,
        kept=tuple(name for name in network.tensors if name not in network.computed),
        computed=computed,
        uncounted=tuple(uncounted),
        differences=tuple(tensor_differences(network.tensors, found.tensors, without=uncounted)),
    )
    if changes := changed_norm(network, found.preprocessing):
        if found.origin in (Origin.GRAPH, Origin.PUBLISHED):
            result = replace(result, preprocessing=changes)
        else:
            result = replace(result, replaced=changes)
    from convert.proof import compare_logits

    # As exact as the original allows, whatever the file says of its own conversion.
    provenance = replace(found.provenance, conversions=network.conversions)
    proof, tells = compare_logits(
        source.run, replace(found, provenance=provenance), side=source.side
    )
    if not tells and not result.differences:
        raise UnprovableError
    return replace(result, proof=proof, tells=tells)


def _checksums(stated: Provenance | None, original: Original) -> Iterator[Checksum]:
    """Yield the checksums of the original's files, each beside the stated one."""
    yield Checksum(
        file=original.source.path.name,
        stated=stated.source_sha256 if stated else None,
        found=original.sha256.result(),
    )
    if original.source.companion:
        file, found = original.source.companion
        yield Checksum(file=file, stated=stated.graph_sha256 if stated else None, found=found)

"""Conversions and descriptions as the command prints them: lines for people, fields for JSON."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from convert.description import Description, NetworkFacts
from resnext.checkpoint import Checkpoint, Origin
from resnext.images.names import few
from resnext.layout import layout
from resnext.preprocessing import Preprocessing

if TYPE_CHECKING:
    from convert.proof import Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """A finished conversion.

    Attributes:
        proof: None with --no-verify.
        original: the source is an original file, not a converted one.
        usage: code that loads the output; empty where that is well known.
    """

    source: Path
    target: Path
    checkpoint: Checkpoint
    proof: "Proof | None"
    original: bool = True
    usage: str = ""

    @property
    def network(self) -> str:
        """Return the published name, or the architecture's."""
        return self.checkpoint.provenance.published_name or self.checkpoint.spec.name


def conversion_lines(conversion: Conversion) -> Iterator[str]:
    """Yield the lines that describe a conversion."""
    checkpoint = conversion.checkpoint
    provenance = checkpoint.provenance
    parameters = layout(checkpoint.spec).parameters()
    yield f"{conversion.source}: {conversion.network}, {parameters:,} parameters"
    yield from (f"  converted: {text}" for text in provenance.conversions)
    if conversion.proof:
        yield f"  proven: {conversion.proof.describe()}"
    elif conversion.original:
        yield "  not proven (--no-verify)"
    yield from (f"  {line}" for line in _preprocessing(checkpoint.preprocessing, checkpoint.origin))
    if provenance.licence:
        yield f"  licence of the weights: {provenance.licence}"
    yield f"{conversion.target}: {_bytes(conversion.target):,} bytes"
    if conversion.usage:
        yield f"  {conversion.usage}"


def _bytes(path: Path) -> int:
    """Return the size of a file, or of the files in a folder."""
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def conversion_fields(conversion: Conversion) -> dict[str, object]:
    """Return a conversion as plain values."""
    checkpoint = conversion.checkpoint
    return {
        "source": str(conversion.source),
        "output": str(conversion.target),
        "network": conversion.network,
        "parameters": layout(checkpoint.spec).parameters(),
        "spec": checkpoint.spec.to_fields(),
        "preprocessing": _preprocessing_fields(checkpoint.preprocessing, checkpoint.origin),
        "provenance": asdict(checkpoint.provenance),
        "proof": asdict(conversion.proof) if conversion.proof else None,
    }


def description_lines(description: Description) -> Iterator[str]:
    """Yield the lines that describe a file."""
    yield f"{description.file}: {description.bytes:,} bytes, {description.format}"
    types = ", ".join(f"{count} {name}" for name, count in description.tensor_types.items())
    yield f"tensors: {types or 'none'}"
    if network := description.network:
        yield from _network_lines(network)
    else:
        yield f"not convertible: {description.refusal}"
    yield from (f"beside the network: {line}" for line in description.beside)
    yield from ("", *description.tree)


def _network_lines(network: NetworkFacts) -> Iterator[str]:
    spec, side = network.spec, network.input_size
    form = f", written in form {network.form}" if network.form else ""
    yield f"network: {network.name}{form}"
    fields = spec.to_fields()
    yield f"spec: {', '.join(f'{name} {value}' for name, value in fields.items())}"
    yield f"parameters: {network.parameters:,}"
    yield f"multiply-adds: {network.multiply_adds / 1e9:.3f} G at {side} x {side}"
    yield from _preprocessing(network.preprocessing, network.origin)
    yield from (f"converted: {text}" for text in network.conversions)
    if network.licence:
        yield f"licence of the weights: {network.licence}"
    if network.classes is not None:
        yield f"classes: {few(network.classes)}"
    if network.training is not None:
        yield from _training(network.training)
    if network.sha256:
        yield f"sha256 of the original: {network.sha256}"
    if network.sha256 and network.training is None:
        proof = "not proven"
        if network.proof is not None:
            proof = f"proven to {network.proof:.1e} when it was converted"
        yield f"conversion: {proof}"


def description_fields(description: Description) -> dict[str, object]:
    """Return a description as plain values."""
    fields: dict[str, object] = {
        "file": description.file,
        "bytes": description.bytes,
        "format": description.format,
        "tensor_types": description.tensor_types,
        "refusal": description.refusal,
        "beside": list(description.beside),
        "tree": list(description.tree),
    }
    if network := description.network:
        fields |= {
            "network": network.name,
            "spec": network.spec.to_fields(),
            "parameters": network.parameters,
            "multiply_adds": network.multiply_adds,
            "input_size": network.input_size,
            "preprocessing": _preprocessing_fields(network.preprocessing, network.origin),
            "conversions": list(network.conversions),
            "form": network.form,
            "licence": network.licence,
            "sha256": network.sha256,
            "proof": network.proof,
            "classes": network.classes,
            "training": network.training,
        }
    return fields


def _training(facts: Mapping[str, object]) -> Iterator[str]:
    """Yield all facts of a training that a header holds, whatever they are."""
    groups = {name: each for name, each in facts.items() if isinstance(each, Mapping)}
    rest = {name: each for name, each in facts.items() if name not in groups}
    yield f"trained: {_listed(rest)}"
    yield from (f"  {name}: {_listed(each)}" for name, each in groups.items())


def _listed(facts: Mapping[str, object]) -> str:
    return ", ".join(
        f"{name} {json.dumps(each) if isinstance(each, Mapping | list) else each}"
        for name, each in facts.items()
    )


def _preprocessing(row: Preprocessing | None, origin: Origin | None) -> Iterator[str]:
    if row is None:
        yield "preprocessing: not known; --preprocessing stores one"
    else:
        yield f"preprocessing, {origin}:" if origin else "preprocessing:"
        yield f"  {row.describe()}"


def _preprocessing_fields(
    row: Preprocessing | None, origin: Origin | None
) -> dict[str, object] | None:
    return None if row is None else {**row.to_fields(), "origin": origin}

"""Conversions and descriptions as the command prints them: lines for people, fields for JSON."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from convert.description import Description, NetworkFacts
from resnext.checkpoint import Checkpoint, Origin
from resnext.fields import cut
from resnext.header import ProofFacts
from resnext.images.names import class_list
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
        usage: lines of code that load the output; none where that is well known.
        place: of the network in the source, where that is not the file's only value.
        note: what else a person should know of the source.
        stated: who says that it is the published network, where nothing shows it.
    """

    source: Path
    target: Path
    checkpoint: Checkpoint
    proof: "Proof | None"
    original: bool = True
    usage: tuple[str, ...] = ()
    place: str | None = None
    note: str | None = None
    stated: str = "with --as"

    @property
    def network(self) -> str:
        """Return the published name, or the architecture's."""
        return self.checkpoint.provenance.published_name or self.checkpoint.spec.name


def conversion_lines(conversion: Conversion) -> Iterator[str]:
    """Yield the lines that describe a conversion."""
    checkpoint = conversion.checkpoint
    provenance = checkpoint.provenance
    parameters = layout(checkpoint.spec).parameters()
    yield f"{conversion.source}: {cut(conversion.network)}, {parameters:,} parameters"
    if provenance.stated:
        yield f"  as stated {conversion.stated}, not as the file shows: {cut(conversion.network)}"
    if conversion.place:
        yield f"  found at {conversion.place}"
    if conversion.note:
        yield f"  note: {conversion.note}"
    yield from (f"  {line}" for line in _conversions(provenance.conversions))
    if conversion.proof:
        yield f"  proven: {conversion.proof.describe()}"
    elif conversion.original:
        yield "  not proven (--no-verify)"
    yield from (f"  {line}" for line in _preprocessing(checkpoint.preprocessing, checkpoint.origin))
    if provenance.licence:
        yield f"  licence of the weights: {cut(provenance.licence)}"
    yield f"{conversion.target}: {_bytes(conversion.target):,} bytes"
    yield from (f"  {line}" for line in conversion.usage)


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
        "place": conversion.place,
        "note": conversion.note,
        "parameters": layout(checkpoint.spec).parameters(),
        "spec": checkpoint.spec.to_fields(),
        "preprocessing": _preprocessing_fields(checkpoint.preprocessing, checkpoint.origin),
        "provenance": asdict(checkpoint.provenance),
        "proof": asdict(conversion.proof) if conversion.proof else None,
    }


def description_lines(description: Description, *, modules: bool) -> Iterator[str]:
    """Yield the lines that describe a file; its summary comes last.

    Args:
        description: of the file.
        modules: whether its tree of modules is shown, of a converted file its tensors.
    """
    yield f"{description.file}: {description.bytes:,} bytes, {cut(description.format)}"
    source = description.source
    if modules:
        if source:
            yield from source.module_lines()
        for name, array in description.tensors.items():
            yield f"{name} {array.shape}"
    if source and (contents := source.contents()):
        yield from contents.lines()
    if source and (beside := source.beside()):
        yield "beside the network:"
        for part in beside:
            yield from part.lines(1)
    yield f"tensors: {_counted(description.tensor_types) or 'none'}"
    if source and (classes := source.module_classes()):
        yield f"modules: {_counted(classes)}"
    if source and source.place:
        yield f"place of the network: {source.place}"
    if source and source.note:
        yield f"note: {source.note}"
    if network := description.network:
        yield from _network_lines(network)
    else:
        yield f"not convertible: {description.refusal}"


def _network_lines(network: NetworkFacts) -> Iterator[str]:
    spec, side = network.spec, network.spec.input_size
    form = f", written in form {network.form}" if network.form else ""
    stated = ", as stated at the conversion" if network.stated else ""
    yield f"network: {cut(network.name)}{stated}{form}"
    fields = spec.to_fields()
    yield f"spec: {', '.join(f'{name} {value}' for name, value in fields.items())}"
    yield f"parameters: {network.parameters:,}"
    yield f"multiply-adds: {network.multiply_adds / 1e9:.3f} G at {side} x {side}"
    yield from _preprocessing(network.preprocessing, network.origin)
    yield from _conversions(network.conversions)
    if network.licence:
        yield f"licence of the weights: {cut(network.licence)}"
    if network.classes is not None:
        yield f"classes: {class_list(network.classes)}"
    if network.training is not None:
        yield from _training(network.training)
    if network.sha256:
        yield f"sha256 of the original: {network.sha256}"
    if network.sha256 and network.training is None:
        proof = "not proven"
        if network.proof is not None:
            proof = f"proven to {network.proof:.1e} when it was converted"
        yield f"conversion: {proof}"
        if network.proof is not None:
            yield f"  {_proof_words(network.proof_facts)}"


def _proof_words(facts: ProofFacts | None) -> str:
    """Return how a conversion was proven, as its header holds it."""
    if facts is None:
        return "limit, inputs and tensors: not recorded, by a version that did not store them"
    inputs = "1 input" if facts.pictures == 1 else f"{facts.pictures:,} inputs"
    return (
        f"float64 logits of {inputs}, limit {facts.limit:.0e}; {facts.tensors:,} tensors, "
        f"{facts.tensors - facts.computed:,} as in the original bit for bit, {facts.computed:,} "
        "by a rule"
    )


def description_fields(description: Description, *, modules: bool) -> dict[str, object]:
    """Return a description as plain values, with its tree of modules if that is asked for."""
    source = description.source
    contents = source.contents() if source else None
    fields: dict[str, object] = {
        "file": description.file,
        "bytes": description.bytes,
        "format": description.format,
        "tensor_types": description.tensor_types,
        "refusal": description.refusal,
        "note": source.note if source else None,
        "place": source.place if source else None,
        "contents": contents.to_fields() if contents else None,
        "beside": [part.to_fields() for part in source.beside()] if source else [],
    }
    if modules:
        fields["modules"] = source.module_fields() if source else None
        fields["tensors"] = [
            {"name": name, "type": array.dtype.name, "shape": array.shape, "bytes": array.nbytes}
            for name, array in description.tensors.items()
        ]
    if network := description.network:
        fields |= {
            "network": network.name,
            "stated": network.stated,
            "spec": network.spec.to_fields(),
            "parameters": network.parameters,
            "multiply_adds": network.multiply_adds,
            "input_size": network.spec.input_size,
            "preprocessing": _preprocessing_fields(network.preprocessing, network.origin),
            "conversions": list(network.conversions),
            "form": network.form,
            "licence": network.licence,
            "sha256": network.sha256,
            "proof": network.proof,
            "proof_facts": asdict(network.proof_facts) if network.proof_facts else None,
            "classes": network.classes,
            "training": network.training,
        }
    return fields


# A header may hold anything: entries of a list that are shown, and letters of a line.
MOST_FACTS: Final = 20
LONGEST: Final = 2000

# What a header of a training calls the weights of a checkpoint -> in words.
WEIGHTS: Final = {"weights": "as after the last step", "average": "averaged over the last steps"}


def _counted(kinds: Mapping[str, int]) -> str:
    more = f", and {len(kinds) - MOST_FACTS} other kinds" if len(kinds) > MOST_FACTS else ""
    return ", ".join(f"{n} {name}" for name, n in islice(kinds.items(), MOST_FACTS)) + more


def _conversions(texts: tuple[str, ...]) -> Iterator[str]:
    yield from (f"converted: {cut(text)}" for text in texts[:MOST_FACTS])
    if len(texts) > MOST_FACTS:
        yield f"and {len(texts) - MOST_FACTS} conversions more"


def _training(facts: Mapping[str, object]) -> Iterator[str]:
    """Yield all facts of a training that a header holds, whatever they are.

    The stem of its recipe is left out: it is for networks that are trained from random weights, and
    the spec states the network's own.
    """
    groups = {name: each for name, each in facts.items() if isinstance(each, Mapping)}
    rest = {name: each for name, each in facts.items() if name not in groups}
    kind = rest.get("weights")
    if isinstance(kind, str) and kind in WEIGHTS:
        rest["weights"] = WEIGHTS[kind]
    yield f"trained: {_listed(rest)}"
    for name, each in islice(groups.items(), MOST_FACTS):
        shown = {key: fact for key, fact in each.items() if (name, key) != ("recipe", "stem")}
        yield f"  {cut(name)}: {_listed(shown)}"
    if len(groups) > MOST_FACTS:
        yield f"  and {len(groups) - MOST_FACTS} groups more"


def _listed(facts: Mapping[str, object]) -> str:
    words = ", ".join(
        f"{cut(name)} {cut(json.dumps(each) if isinstance(each, Mapping | list) else str(each))}"
        for name, each in facts.items()
    )
    return words if len(words) <= LONGEST else f"{words[:LONGEST]} ..."


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

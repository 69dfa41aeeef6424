"""The header of a checkpoint: all facts besides the tensors, as strings for safetensors."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from math import inf
from typing import Any, Final, TypeVar

from resnext.errors import CheckpointError
from resnext.fields import COUNT_LIMIT
from resnext.preprocessing import Preprocessing
from resnext.published import published
from resnext.spec import Spec

# The part of a provenance that a network trained from nothing does not have.
SOURCE_FIELDS: Final = ("source_file", "source_sha256", "source_bytes")

# The file from which an interrupted training goes on, in the training's folder, and how the entry
# "form" of its header begins; a number follows. It is safetensors too, but no checkpoint.
TRAINING_STATE_FILE: Final = "state.safetensors"
TRAINING_STATE_FORM: Final = "resnext-train state "
# Of a text in a header, which messages and reports show whole.
MOST_LETTERS: Final = 1000


class Origin(StrEnum):
    """Where a checkpoint's preprocessing comes from."""

    PUBLISHED = "the published network's row"
    ASSUMED = "assumed from the topology"
    GIVEN = "given at the conversion"
    TRAINED = "as it was trained"
    FILE = "the file's own"
    GRAPH = "mean and std as in the file's graph, scale and crop as usual"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofFacts:
    """How a conversion was proven.

    Attributes:
        tensors: how many the checkpoint has.
        computed: how many of them are not in the original bit for bit, but follow from it by a
            rule.
        pictures: how many inputs both networks computed the logits of.
        limit: the largest difference of the logits, over the largest logit, that was allowed.
    """

    tensors: int
    computed: int
    pictures: int
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where the weights come from.

    Attributes:
        source_file: name of the original file, without its folder; None for weights that were
            trained from random ones. Of fine-tuned weights, the file that the training began with.
        source_sha256: of the whole original file, hexadecimal.
        source_bytes: its size.
        converted_by: distribution and version.
        published_name: of the published network that it is, else None.
        stated: the user said at the conversion that it is that network; the file's name and size
            did not show it.
        licence: of the weights, where it is known.
        conversions: how values were changed; empty if every bit was kept.
        graph_file: name of the second file that the network was read from, where its format has
            two: MXNet's graph, Caffe's text.
        graph_sha256: of that file.
        proof: largest difference of the logits from the original's own modules in float64, over
            the largest logit; None without a proof.
        proof_facts: of this proof; None without one, and in files of versions up to 0.1.0.
    """

    source_file: str | None
    source_sha256: str | None
    source_bytes: int | None
    converted_by: str
    published_name: str | None = None
    licence: str | None = None
    conversions: tuple[str, ...] = ()
    graph_file: str | None = None
    graph_sha256: str | None = None
    proof: float | None = None
    proof_facts: ProofFacts | None = None
    stated: bool = False


def to_fields(
    *,
    spec: Spec,
    preprocessing: Preprocessing | None,
    origin: Origin | None,
    provenance: Provenance,
    classes: tuple[str, ...] | None,
    wnids: tuple[str, ...] | None,
    training: Mapping[str, object] | None,
) -> dict[str, object]:
    """Return the facts of a checkpoint as values that JSON takes; what is not known is left out."""
    proof = provenance.proof
    fields = {
        "spec": spec.to_fields(),
        "preprocessing": None if preprocessing is None else preprocessing.to_fields(),
        "preprocessing_origin": origin,
        **asdict(provenance),
        "stated": provenance.stated or None,
        "proof": None if proof is None else float(f"{proof:.1e}"),
        "classes": classes,
        "wnids": wnids,
        "training": training,
    }
    return {name: value for name, value in fields.items() if value is not None}


def to_metadata(fields: Mapping[str, object]) -> dict[str, str]:
    """Return the facts as strings: texts as they are, all else as JSON."""
    return {
        name: str(value) if isinstance(value, str) else json.dumps(value)
        for name, value in fields.items()
    }


def from_metadata(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of `Checkpoint` that a header holds.

    Raises:
        CheckpointError, SpecError, PreprocessingError: it is damaged.
    """
    spec = Spec.from_fields(_entry(metadata, "spec", _OBJECT), "spec")
    preprocessing = None
    if "preprocessing" in metadata:
        fields = _entry(metadata, "preprocessing", _OBJECT)
        preprocessing = Preprocessing.from_fields(fields, "preprocessing")
    origin = metadata.get("preprocessing_origin")
    return {
        "spec": spec,
        "preprocessing": preprocessing,
        "origin": None if origin is None else _entry(metadata, "preprocessing_origin", _ORIGIN),
        "provenance": _provenance(metadata, spec),
        "classes": _entry(metadata, "classes", _TEXTS) if "classes" in metadata else None,
        "wnids": _entry(metadata, "wnids", _TEXTS) if "wnids" in metadata else None,
        "training": _entry(metadata, "training", _OBJECT) if "training" in metadata else None,
    }


def _provenance(metadata: Mapping[str, str], spec: Spec) -> Provenance:
    sourceless = "training" in metadata and not any(key in metadata for key in SOURCE_FIELDS)
    published_name = _optional(metadata, "published_name")
    _check_name(published_name, spec)
    return Provenance(
        source_file=None if sourceless else _entry(metadata, "source_file", _TEXT),
        source_sha256=None if sourceless else _entry(metadata, "source_sha256", _TEXT),
        source_bytes=None if sourceless else _entry(metadata, "source_bytes", _COUNT),
        published_name=published_name,
        licence=_optional(metadata, "licence"),
        converted_by=_entry(metadata, "converted_by", _TEXT),
        conversions=_entry(metadata, "conversions", _TEXTS),
        graph_file=_optional(metadata, "graph_file"),
        graph_sha256=_optional(metadata, "graph_sha256"),
        proof=_entry(metadata, "proof", _DIFFERENCE) if "proof" in metadata else None,
        proof_facts=_entry(metadata, "proof_facts", _PROOF) if "proof_facts" in metadata else None,
        stated="stated" in metadata and _entry(metadata, "stated", _TRUE),
    )


def _check_name(name: str | None, spec: Spec) -> None:
    """Refuse a published name that has another spec: claims and licence are found by the name."""
    rows = {row.name: row.spec for row in published()} if name else {}
    expected = rows.get(name or "")
    if expected is not None and expected != spec:
        raise CheckpointError(
            f"published_name in its header: the spec of {name} expected, found that of another "
            f"{spec.name} with {spec.classes} classes; convert the original again"
        )


def is_training_state(file_name: str, metadata: Mapping[str, str]) -> bool:
    """Tell by a safetensors file's name and header whether it is the saved state of a training."""
    form = metadata.get("form", "")
    return file_name == TRAINING_STATE_FILE and form.startswith(TRAINING_STATE_FORM)


T = TypeVar("T")


def _entry(metadata: Mapping[str, str], name: str, kind: tuple[str, Callable[[str], T]]) -> T:
    """Return one entry of a header, parsed by its kind: (what is expected, the parser)."""
    expected, read = kind
    if name not in metadata:
        raise CheckpointError(f"{name!r} is missing in its header")
    text = metadata[name]
    try:
        return read(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"{name} in its header: {expected} expected, found {text[:40]!r}; "
            "convert the original again"
        ) from error


def _optional(metadata: Mapping[str, str], name: str) -> str | None:
    return _entry(metadata, name, _TEXT) if name in metadata else None


def _short(text: str) -> str:
    if len(text) > MOST_LETTERS:
        raise ValueError
    return text


def _count(text: str) -> int:
    value = int(text)
    if not 0 <= value < COUNT_LIMIT:
        raise ValueError
    return value


def _texts(text: str) -> tuple[str, ...]:
    value = json.loads(text)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError
    return tuple(value)


def _object(text: str) -> dict[str, object]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise TypeError
    return value


def _true(text: str) -> bool:
    if text != "true":
        raise ValueError
    return True


def _difference(text: str) -> float:
    value = float(text)
    if not 0 <= value < inf:
        raise ValueError
    return value


def _proof_facts(text: str) -> ProofFacts:
    facts = _object(text)
    counts = {name: _count(str(facts.get(name))) for name in ("tensors", "computed", "pictures")}
    if counts["computed"] > counts["tensors"]:
        raise ValueError
    return ProofFacts(**counts, limit=_difference(str(facts.get("limit"))))


_TEXT = (f"a text of at most {MOST_LETTERS} letters", _short)
_TEXTS = ("a list of texts in JSON", _texts)
_OBJECT = ("an object in JSON", _object)
_COUNT = ("a whole number below 2**63", _count)
_DIFFERENCE = ("a number from 0", _difference)
_PROOF = ("an object of tensors, computed, pictures and limit in JSON", _proof_facts)
_TRUE = ("true", _true)
_ORIGIN = (f"one of {', '.join(Origin)}", Origin)

"""What a checkpoint's header says beside its tensors, as strings that safetensors takes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from resnext.errors import CheckpointError
from resnext.preprocessing import Preprocessing
from resnext.spec import Spec

# The part of a provenance that a network trained from nothing does not have.
SOURCE_FIELDS = ("source_file", "source_sha256", "source_bytes")


class Origin(StrEnum):
    """Where a checkpoint's preprocessing comes from."""

    PUBLISHED = "the published network's row"
    ASSUMED = "assumed from the topology"
    GIVEN = "given at the conversion"
    TRAINED = "as it was trained"


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
        licence: of the weights, where it is known.
        conversions: what was done to values; empty if every bit was kept.
        proof: largest difference of the logits from the original's own modules in float64, over
            the largest logit; None where nobody compared.
    """

    source_file: str | None
    source_sha256: str | None
    source_bytes: int | None
    converted_by: str
    published_name: str | None = None
    licence: str | None = None
    conversions: tuple[str, ...] = ()
    proof: float | None = None


def to_fields(
    *,
    spec: Spec,
    preprocessing: Preprocessing | None,
    origin: Origin | None,
    provenance: Provenance,
    classes: tuple[str, ...] | None,
    training: Mapping[str, object] | None,
) -> dict[str, object]:
    """Return the facts of a checkpoint as values that JSON takes; what is not known is left out."""
    proof = provenance.proof
    fields = {
        "spec": spec.to_fields(),
        "preprocessing": None if preprocessing is None else preprocessing.to_fields(),
        "preprocessing_origin": origin,
        **asdict(provenance),
        "proof": None if proof is None else float(f"{proof:.1e}"),
        "classes": classes,
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
    """Return the arguments of `Checkpoint` that stand in a header.

    Raises:
        ResnextError, ValueError, KeyError, TypeError, RecursionError, OverflowError: it is damaged.
    """
    preprocessing = None
    if "preprocessing" in metadata:
        fields = _object(metadata["preprocessing"])
        preprocessing = Preprocessing.from_fields(fields, "preprocessing")
    origin = metadata.get("preprocessing_origin")
    return {
        "spec": Spec.from_fields(_object(metadata["spec"]), "spec"),
        "preprocessing": preprocessing,
        "origin": None if origin is None else Origin(origin),
        "provenance": _provenance(metadata),
        "classes": _names(metadata["classes"]) if "classes" in metadata else None,
        "training": _object(metadata["training"]) if "training" in metadata else None,
    }


def _provenance(metadata: Mapping[str, str]) -> Provenance:
    sourceless = "training" in metadata and not any(key in metadata for key in SOURCE_FIELDS)
    return Provenance(
        source_file=None if sourceless else metadata["source_file"],
        source_sha256=None if sourceless else metadata["source_sha256"],
        source_bytes=None if sourceless else int(metadata["source_bytes"]),
        published_name=metadata.get("published_name"),
        licence=metadata.get("licence"),
        converted_by=metadata["converted_by"],
        conversions=tuple(str(item) for item in json.loads(metadata["conversions"])),
        proof=float(metadata["proof"]) if "proof" in metadata else None,
    )


def _names(text: str) -> tuple[str, ...]:
    value = json.loads(text)
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise CheckpointError(f"a list of class names expected in the header, found {text[:40]!r}")
    return tuple(value)


def _object(text: str) -> dict[str, object]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise CheckpointError(f"an object expected in the header, found {text[:40]!r}")
    return value

"""Published networks and their claims: the built-in tables, and how a table is read."""

from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final

from resnext import claims
from resnext.claims import ACCURACIES, UNKNOWN, Claim, Metric, Row
from resnext.errors import PublishedError
from resnext.fields import Faults, GatheredFields, read_toml, shown
from resnext.preprocessing import INTERPOLATIONS, Pipeline, Preprocessing
from resnext.spec import Spec

__all__ = [
    "UNKNOWN",
    "Claim",
    "Metric",
    "Row",
    "by_source",
    "published",
    "published_row",
    "read_table",
]

# Faults of a table that are reported in full.
MOST_FAULTS: Final = 20


@cache
def by_source() -> Mapping[str, tuple[Row, ...]]:
    """Return the built-in tables by what they are called.

    "original" comes first: the release's networks and those of fb.resnet.torch, on which it is
    built. The others are the files of the folder `published`, one for each source.
    """
    folder = Path(__file__).with_name("published")
    others = {path.stem: read_table(path) for path in sorted(folder.glob("*.toml"))}
    return {"original": read_table(folder.with_suffix(".toml")), **others}


@cache
def published() -> tuple[Row, ...]:
    """Return every published network, those of the original release first."""
    return tuple(row for rows in by_source().values() for row in rows)


def published_row(spec: Spec, *, file: str, size: int, sha256: Callable[[], str]) -> Row | None:
    """Return the published network that a file is, or None.

    It has to have the published file's name, architecture and, where these are known, size and
    sha256: another network of the same architecture, a fine-tuned one say, must not inherit its
    claims.

    Args:
        spec: its architecture.
        file: its name, without the folder.
        size: its bytes.
        sha256: returns that of the file; called only if the row states its first digits.
    """
    for row in published():
        same = (row.file, row.spec) == (file, spec) and row.bytes in (None, size)
        if same and (row.sha256 is None or sha256().startswith(row.sha256)):
            return row
    return None


def read_table(path: Path) -> tuple[Row, ...]:
    """Read a TOML table of networks and claims, as users write them too.

    All of its faults are reported at once, the first `MOST_FAULTS` in full.

    Raises:
        PublishedError: not TOML, or a field is missing, unknown or of another type.
        OSError: the file cannot be opened.
    """
    document = read_toml(path, PublishedError)
    networks = document.get("network")
    if set(document) != {"network"} or not isinstance(networks, list):
        raise PublishedError(
            f"{path}: [[network]] tables expected, found {shown(sorted(document))}"
        )
    faults = Faults()
    rows = [_row(fields, f"network {n}", faults) for n, fields in enumerate(networks, 1)]
    counts = Counter(row.name for row in rows if row)
    twice = sorted(name for name, count in counts.items() if count > 1)
    faults.texts += [f"two networks of the name {shown(name)}" for name in twice]
    if more := len(faults.texts) - MOST_FAULTS:
        faults.texts[MOST_FAULTS:] = [f"and {more} more faults"] if more > 0 else []
    if faults.texts:
        raise PublishedError(*(f"{path}: {text}" for text in faults.texts))
    return tuple(row for row in rows if row)


_ROW_TEXTS: Final = ("file", "url", "licence", "multiply_adds")
_ROW_FIELDS: Final = (
    *("name", "preprocessing", "claim", "classes", "spec", "bytes", "sha256", "weights_sha256"),
    "protocol",
    *_ROW_TEXTS,
)
_CLAIM_FIELDS: Final = (
    *("metric", "value", "images", "source", "tolerance"),
    *("protocol", "pipeline", "interpolation", "crops", "scale", "crop"),
)


def _row(value: object, where: str, faults: Faults) -> Row | None:
    table = GatheredFields(value, _ROW_FIELDS, where, faults, PublishedError)
    if not isinstance(value, dict):
        return None
    name = table.take("name", claims.read_text)
    if name is not None:
        table.where = f"network {shown(name)}"
    preprocessing = table.take("preprocessing", claims.read_preprocessing, None)
    protocol = table.take("protocol", claims.read_protocol, None)
    own = table.fields.get("claim", [])
    if not isinstance(own, list):
        faults.texts.append(f"{table.where}: [[network.claim]] tables expected")
        own = []
    read = [
        _claim(each, f"{table.where}, claim {n}", faults, row=preprocessing, protocol=protocol)
        for n, each in enumerate(own, 1)
    ]
    there = [claim for claim in read if claim]
    if len(set(there)) < len(there):
        faults.texts.append(
            f"{table.where}: the same claim stands there twice; leave one of them out"
        )
    fields = {
        "preprocessing": preprocessing,
        "classes": table.take("classes", claims.read_classes, None),
        "spec": table.take("spec", claims.read_spec, None),
        "weights_sha256": table.take("weights_sha256", claims.read_sha256, None),
        "bytes": table.take("bytes", claims.read_whole, None),
        "sha256": table.take("sha256", claims.read_digits, None),
        **{text: table.take(text, claims.read_text, None) for text in _ROW_TEXTS},
    }
    return Row(name=name, claims=tuple(there), **fields) if table.are_fine else None


def _claim(
    value: object,
    where: str,
    faults: Faults,
    *,
    row: Preprocessing | None,
    protocol: str | None,
) -> Claim | None:
    table = GatheredFields(value, _CLAIM_FIELDS, where, faults, PublishedError)
    if not isinstance(value, dict):
        return None
    metric = table.take("metric", claims.read_metric)
    printed = table.take("value", claims.read_percentage)
    pipeline = table.take("pipeline", claims.read_pipeline, None)
    interpolation = table.take("interpolation", claims.read_interpolation, None)
    usual = pipeline or (row.pipeline if row else Pipeline.TORCH7)
    if table.are_fine and interpolation not in (None, *INTERPOLATIONS[usual]):
        faults.texts.append(
            f"{table.where}: the {usual} pipeline is {' or '.join(INTERPOLATIONS[usual])}, "
            f"interpolation {interpolation} found; state the pipeline that has it"
        )
        return None
    claim = {
        "images": table.take("images", claims.read_images),
        "source": table.take("source", claims.read_text),
        "tolerance": table.take("tolerance", claims.read_points, None),
        "protocol": table.take("protocol", claims.read_protocol, protocol),
        "pipeline": pipeline,
        "interpolation": interpolation,
        "crops": table.take("crops", claims.read_crops, 1),
        "scale": table.take("scale", claims.read_pixels, None),
        "crop": table.take("crop", claims.read_pixels, None),
    }
    if not table.are_fine:
        return None
    if metric in ACCURACIES:
        error = f"{100 - Decimal(printed):f}"
        return Claim(metric=ACCURACIES[metric], value=error, accuracy=printed, **claim)
    return Claim(metric=Metric(metric), value=printed, **claim)

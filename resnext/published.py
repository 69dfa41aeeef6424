"""Published networks and their claims: the built-in table, and tables of the same form."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

from resnext.errors import PublishedError, ResnextError
from resnext.fields import check_known, check_table, check_text, check_whole, read_toml, shown
from resnext.preprocessing import LONGEST, Preprocessing
from resnext.spec import Spec


class Metric(StrEnum):
    """The quantity of a claim, in percent of the images."""

    TOP1_ERROR = "top1_error"
    TOP5_ERROR = "top5_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One published number.

    Attributes:
        metric: what was measured.
        value: percent, as printed: "22.2" and "22.20" are different claims.
        images: size of the whole set it was measured on.
        source: where it was published.
        crops: 1 (centre) or 10; the logits of the ten are summed.
        scale, crop: where they differ from the network's preprocessing.
    """

    metric: Metric
    value: str
    images: int
    source: str
    crops: int = 1
    scale: int | None = None
    crop: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One network of a table.

    Attributes:
        name: checkpoints of this name are judged by these claims.
        preprocessing: the protocol of its claims.
        spec: the architecture, where the table knows it.
        weights_sha256: of the only weights that the claims are about, as reports state it; None
            if the claims are about any weights of that name.
        file, url, bytes: the original file's name, address and size.
        licence: of the weights.
        multiply_adds: in G, as printed.
    """

    name: str
    preprocessing: Preprocessing
    claims: tuple[Claim, ...] = ()
    spec: Spec | None = None
    weights_sha256: str | None = None
    file: str | None = None
    url: str | None = None
    bytes: int | None = None
    licence: str | None = None
    multiply_adds: str | None = None


@cache
def published() -> tuple[Row, ...]:
    """Return the built-in table."""
    return read_table(Path(__file__).with_name("published.toml"))


def published_row(spec: Spec, *, file: str, size: int) -> Row | None:
    """Return the published network that a file is, or None.

    It has to have the published file's name, architecture and, where that is known, size: another
    network of the same architecture, a fine-tuned one say, must not inherit its claims.
    """
    for row in published():
        if (row.file, row.spec) == (file, spec) and row.bytes in (None, size):
            return row
    return None


def read_table(path: Path) -> tuple[Row, ...]:
    """Read a TOML table of networks and claims.

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
    try:
        rows = tuple(_row(fields, f"network {n}") for n, fields in enumerate(networks, 1))
    except ResnextError as error:
        raise PublishedError(f"{path}: {error}") from error
    counts = Counter(row.name for row in rows)
    if twice := sorted(name for name, count in counts.items() if count > 1):
        raise PublishedError(f"{path}: two networks of the name {shown(twice[0])}")
    return rows


# Letters of a text, which reports and messages show whole.
MOST_LETTERS: Final = 1000
_ROW_TEXTS: Final = ("file", "url", "licence", "multiply_adds")
_ROW_FIELDS: Final = (
    *("name", "preprocessing", "claim", "spec", "bytes", "weights_sha256"),
    *_ROW_TEXTS,
)
_CLAIM_FIELDS: Final = ("metric", "value", "images", "source", "crops", "scale", "crop")


def _row(fields: object, where: str) -> Row:
    fields = check_table(fields, where, PublishedError)
    check_known(fields, _ROW_FIELDS, where, PublishedError)
    name = _text(fields, "name", where)
    where = f"network {shown(name)}"
    preprocessing = Preprocessing.from_fields(
        check_table(fields.get("preprocessing"), f"{where}, preprocessing", PublishedError), where
    )
    claims = fields.get("claim", [])
    if not isinstance(claims, list):
        raise PublishedError(f"{where}: [[network.claim]] tables expected")
    found = tuple(_claim(claim, f"{where}, claim {n}") for n, claim in enumerate(claims, 1))
    if len(set(found)) < len(found):
        raise PublishedError(f"{where}: the same claim stands there twice; leave one of them out")
    spec = None
    if "spec" in fields:
        spec = Spec.from_fields(check_table(fields["spec"], where, PublishedError), where)
    return Row(
        name=name,
        preprocessing=preprocessing,
        claims=found,
        spec=spec,
        weights_sha256=_sha256(fields, where) if "weights_sha256" in fields else None,
        bytes=_whole(fields, "bytes", where) if "bytes" in fields else None,
        **{text: _text(fields, text, where) for text in _ROW_TEXTS if text in fields},
    )


def _sha256(fields: Mapping[str, object], where: str) -> str:
    value = _text(fields, "weights_sha256", where)
    if not re.fullmatch("[0-9a-f]{64}", value):
        raise PublishedError(
            f"{where}: weights_sha256 must be 64 digits from 0 to f, as in report.json, "
            f"found {shown(value)}"
        )
    return value


def _claim(fields: object, where: str) -> Claim:
    fields = check_table(fields, where, PublishedError)
    check_known(fields, _CLAIM_FIELDS, where, PublishedError)
    metric, value = _text(fields, "metric", where), _text(fields, "value", where)
    if metric not in list(Metric):
        raise PublishedError(
            f"{where}: metric is one of {', '.join(Metric)}, found {shown(metric)}"
        )
    if not re.fullmatch(r"\d{1,3}(\.\d{1,9})?", value, re.ASCII) or Decimal(value) > 100:
        raise PublishedError(
            f'{where}: value must be a percentage such as "22.2", found {shown(value)}'
        )
    crops = _whole(fields, "crops", where) if "crops" in fields else 1
    images = _whole(fields, "images", where)
    if crops not in (1, 10) or images < 1:
        raise PublishedError(f"{where}: crops 1 or 10 and images >= 1 expected")
    sides = {key: _whole(fields, key, where) for key in ("scale", "crop") if key in fields}
    for key, side in sides.items():
        if not 1 <= side <= LONGEST:
            raise PublishedError(f"{where}: {key} must be 1 to {LONGEST} pixels, found {side}")
    return Claim(
        metric=Metric(metric),
        value=value,
        images=images,
        source=_text(fields, "source", where),
        crops=crops,
        **sides,
    )


def _text(fields: Mapping[str, object], name: str, where: str) -> str:
    found = check_text(fields.get(name), f"{where}: {name}", PublishedError)
    if len(found) > MOST_LETTERS:
        raise PublishedError(
            f"{where}: {name} must be a text of at most {MOST_LETTERS} letters, found "
            f"{len(found)}: {shown(found)}"
        )
    return found


def _whole(fields: Mapping[str, object], name: str, where: str) -> int:
    return check_whole(fields.get(name), f"{where}: {name}", PublishedError)

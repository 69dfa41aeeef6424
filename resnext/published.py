"""Published networks and their claims: the built-in table, and tables of the same form."""

import re
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Final

from resnext.errors import PublishedError
from resnext.fields import (
    Faults,
    GatheredFields,
    check_table,
    check_text,
    check_whole,
    check_written,
    read_toml,
    shown,
)
from resnext.preprocessing import LONGEST, Preprocessing
from resnext.spec import Spec

# The members of `resnext.pixels.pipelines.Pipeline`; the original's comes first.
PIPELINES: Final = ("torch7", "pil")
PERCENTAGE: Final = re.compile(r"\d{1,3}(\.\d{1,9})?", re.ASCII)
# Faults of a table that are reported in full.
MOST_FAULTS: Final = 20


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
        tolerance: percentage points that a measurement may lie beyond what is printed; None for
            the usual ones.
        pipeline: whose pixels, one of `PIPELINES`.
        crops: 1 (centre) or 10; the logits of the ten are summed.
        scale, crop: where they differ from the network's preprocessing.
    """

    metric: Metric
    value: str
    images: int
    source: str
    tolerance: Fraction | None = None
    pipeline: str = PIPELINES[0]
    crops: int = 1
    scale: int | None = None
    crop: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One network of a table.

    Attributes:
        name: checkpoints of this name are judged by these claims.
        preprocessing: the protocol of its claims; None for the checkpoint's own.
        classes: names of the classes in the order of the outputs, if the claims are about images
            of classes that are called so.
        spec: the architecture, where the table knows it.
        weights_sha256: of the only weights that the claims are about, as reports state it; None
            if the claims are about any weights of that name.
        file, url, bytes: the published file's name, address and size.
        sha256: the digits with which the sha256 of that file begins, as its name or its source
            prints them ("7cdf4587"), eight or more; None where none are printed.
        licence: of the weights.
        multiply_adds: in G, as printed.
    """

    name: str
    preprocessing: Preprocessing | None = None
    claims: tuple[Claim, ...] = ()
    classes: tuple[str, ...] | None = None
    spec: Spec | None = None
    weights_sha256: str | None = None
    file: str | None = None
    url: str | None = None
    bytes: int | None = None
    sha256: str | None = None
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

    All of its faults are reported at once, `MOST_FAULTS` of them in full.

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


# Letters of a text, which reports and messages show whole.
MOST_LETTERS: Final = 1000
_ROW_TEXTS: Final = ("file", "url", "licence", "multiply_adds")
_ROW_FIELDS: Final = (
    *("name", "preprocessing", "claim", "classes", "spec", "bytes", "sha256", "weights_sha256"),
    *_ROW_TEXTS,
)
_CLAIM_FIELDS: Final = (
    *("metric", "value", "images", "source", "tolerance"),
    *("pipeline", "crops", "scale", "crop"),
)


def _row(value: object, where: str, faults: Faults) -> Row | None:
    table = GatheredFields(value, _ROW_FIELDS, where, faults, PublishedError)
    if not isinstance(value, dict):
        return None
    name = table.take("name", _text)
    if name is not None:
        table.where = f"network {shown(name)}"
    own = table.fields.get("claim", [])
    if not isinstance(own, list):
        faults.texts.append(f"{table.where}: [[network.claim]] tables expected")
        own = []
    claims = [_claim(each, f"{table.where}, claim {n}", faults) for n, each in enumerate(own, 1)]
    there = [claim for claim in claims if claim]
    if len(set(there)) < len(there):
        faults.texts.append(
            f"{table.where}: the same claim stands there twice; leave one of them out"
        )
    fields = {
        "preprocessing": table.take("preprocessing", _preprocessing, None),
        "classes": table.take("classes", _classes, None),
        "spec": table.take("spec", _spec, None),
        "weights_sha256": table.take("weights_sha256", _sha256, None),
        "bytes": table.take("bytes", _whole, None),
        "sha256": table.take("sha256", _digits, None),
        **{text: table.take(text, _text, None) for text in _ROW_TEXTS},
    }
    return Row(name=name, claims=tuple(there), **fields) if table.are_fine else None


def _claim(value: object, where: str, faults: Faults) -> Claim | None:
    table = GatheredFields(value, _CLAIM_FIELDS, where, faults, PublishedError)
    if not isinstance(value, dict):
        return None
    claim = {
        "metric": table.take("metric", _metric),
        "value": table.take("value", _percentage),
        "images": table.take("images", _images),
        "source": table.take("source", _text),
        "tolerance": table.take("tolerance", _points, None),
        "pipeline": table.take("pipeline", _pipeline, PIPELINES[0]),
        "crops": table.take("crops", _crops, 1),
        "scale": table.take("scale", _pixels, None),
        "crop": table.take("crop", _pixels, None),
    }
    return Claim(**claim) if table.are_fine else None


# The checks of single fields: value and name, which starts the message, to the value.


def _text(value: object, name: str) -> str:
    found = check_written(value, name, PublishedError)
    if len(found) > MOST_LETTERS:
        raise PublishedError(
            f"{name} must be a text of at most {MOST_LETTERS} letters, found {len(found)}: "
            f"{shown(found)}"
        )
    return found


def _whole(value: object, name: str) -> int:
    return check_whole(value, name, PublishedError)


def _metric(value: object, name: str) -> Metric:
    text = check_text(value, name, PublishedError)
    if text not in list(Metric):
        raise PublishedError(f"{name} is one of {', '.join(Metric)}, found {shown(text)}")
    return Metric(text)


def _percentage(value: object, name: str) -> str:
    text = _text(value, name)
    if not PERCENTAGE.fullmatch(text) or Decimal(text) > 100:
        raise PublishedError(f'{name} must be a percentage such as "22.2", found {shown(text)}')
    return text


def _points(value: object, name: str) -> Fraction:
    text = _text(value, name)
    if not PERCENTAGE.fullmatch(text) or Decimal(text) > 100:
        raise PublishedError(
            f"{name} must be a number of percentage points from 0 to 100 such as 0.5, "
            f"found {shown(text)}"
        )
    return Fraction(text)


def _pipeline(value: object, name: str) -> str:
    text = check_text(value, name, PublishedError)
    if text not in PIPELINES:
        raise PublishedError(f"{name} is one of {', '.join(PIPELINES)}, found {shown(text)}")
    return text


def _images(value: object, name: str) -> int:
    count = _whole(value, name)
    if count < 1:
        raise PublishedError(f"{name} >= 1 expected, found {count}")
    return count


def _crops(value: object, name: str) -> int:
    count = _whole(value, name)
    if count not in (1, 10):
        raise PublishedError(f"{name} 1 or 10 expected, found {count}")
    return count


def _pixels(value: object, name: str) -> int:
    side = _whole(value, name)
    if not 1 <= side <= LONGEST:
        raise PublishedError(f"{name} must be 1 to {LONGEST} pixels, found {side}")
    return side


def _sha256(value: object, name: str) -> str:
    text = check_text(value, name, PublishedError)
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise PublishedError(
            f"{name} must be 64 digits from 0 to f, as in report.json, found {shown(text)}"
        )
    return text


def _digits(value: object, name: str) -> str:
    text = check_text(value, name, PublishedError)
    if not re.fullmatch("[0-9a-f]{8,64}", text):
        raise PublishedError(
            f"{name} must be the first 8 to 64 digits from 0 to f of the file's sha256, "
            f"found {shown(text)}"
        )
    return text


def _classes(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise PublishedError(
            f"{name} must be the names of the classes in the order of the network's outputs, "
            f"found {shown(value)}"
        )
    names = tuple(_text(each, f"{name}: a name") for each in value)
    if twice := [each for each, count in Counter(names).items() if count > 1]:
        raise PublishedError(f"{name}: {shown(twice[0])} stands there twice")
    return names


def _preprocessing(value: object, name: str) -> Preprocessing:
    where = name.removesuffix(": preprocessing")
    table = check_table(value, f"{where}, preprocessing", PublishedError)
    return Preprocessing.from_fields(table, where)


def _spec(value: object, name: str) -> Spec:
    where = name.removesuffix(": spec")
    return Spec.from_fields(check_table(value, where, PublishedError), where)

"""Tables of networks and claims in TOML: the built-in ones, and those of users in the same form."""

import re
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Final

from resnext.errors import PublishedError
from resnext.fields import (
    Faults,
    GatheredFields,
    check_choice,
    check_table,
    check_text,
    check_whole,
    check_written,
    read_toml,
    shown,
)
from resnext.preprocessing import (
    INTERPOLATIONS,
    LONGEST,
    Interpolation,
    Pipeline,
    Preprocessing,
)
from resnext.published import UNKNOWN, Claim, Metric, Row
from resnext.spec import Spec

PERCENTAGE: Final = re.compile(r"\d{1,3}(\.\d{1,9})?", re.ASCII)
# Faults of a table that are reported in full.
MOST_FAULTS: Final = 20
# What was printed in place of an error -> that error.
ACCURACIES: Final = {
    "top1_accuracy": Metric.TOP1_ERROR,
    "top5_accuracy": Metric.TOP5_ERROR,
}


def read_rows(path: Path) -> tuple[Row, ...]:
    """Read a table; of its faults `MOST_FAULTS` are reported in full. See `read_table`.

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
_ROW_TEXTS: Final = ("file", "url", "graph_url", "licence", "multiply_adds")
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
    name = table.take("name", _text)
    if name is not None:
        table.where = f"network {shown(name)}"
    preprocessing = table.take("preprocessing", _preprocessing, None)
    protocol = table.take("protocol", _protocol, None)
    own = table.fields.get("claim", [])
    if not isinstance(own, list):
        faults.texts.append(f"{table.where}: [[network.claim]] tables expected")
        own = []
    claims = [
        _claim(each, f"{table.where}, claim {n}", faults, row=preprocessing, protocol=protocol)
        for n, each in enumerate(own, 1)
    ]
    there = [claim for claim in claims if claim]
    if len(set(there)) < len(there):
        faults.texts.append(
            f"{table.where}: the same claim stands there twice; leave one of them out"
        )
    fields = {
        "preprocessing": preprocessing,
        "classes": table.take("classes", _classes, None),
        "spec": table.take("spec", _spec, None),
        "weights_sha256": table.take("weights_sha256", _sha256, None),
        "bytes": table.take("bytes", _whole, None),
        "sha256": table.take("sha256", _digits, None),
        **{text: table.take(text, _text, None) for text in _ROW_TEXTS},
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
    metric, printed = table.take("metric", _metric), table.take("value", _percentage)
    pipeline = table.take("pipeline", _pipeline, None)
    interpolation = table.take("interpolation", _interpolation, None)
    usual = pipeline or (row.pipeline if row else Pipeline.TORCH7)
    if table.are_fine and interpolation not in (None, *INTERPOLATIONS[usual]):
        faults.texts.append(
            f"{table.where}: the {usual} pipeline is {' or '.join(INTERPOLATIONS[usual])}, "
            f"interpolation {interpolation} found; state the pipeline that has it"
        )
        return None
    claim = {
        "images": table.take("images", _images),
        "source": table.take("source", _text),
        "tolerance": table.take("tolerance", _points, None),
        "protocol": table.take("protocol", _protocol, protocol),
        "pipeline": pipeline,
        "interpolation": interpolation,
        "crops": table.take("crops", _crops, 1),
        "scale": table.take("scale", _pixels, None),
        "crop": table.take("crop", _pixels, None),
    }
    if not table.are_fine:
        return None
    if metric in ACCURACIES:
        error = f"{100 - Decimal(printed):f}"
        return Claim(metric=ACCURACIES[metric], value=error, accuracy=printed, **claim)
    return Claim(metric=Metric(metric), value=printed, **claim)


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


def _metric(value: object, name: str) -> str:
    return check_choice(value, name, (*Metric, *ACCURACIES), PublishedError)


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


def _protocol(value: object, name: str) -> str:
    if value != UNKNOWN:
        raise PublishedError(
            f'{name} is "{UNKNOWN}", or left out where preprocessing, crops and the like state it, '
            f"found {shown(value)}"
        )
    return UNKNOWN


def _pipeline(value: object, name: str) -> Pipeline:
    return Pipeline(check_choice(value, name, Pipeline, PublishedError))


def _interpolation(value: object, name: str) -> Interpolation:
    return Interpolation(check_choice(value, name, Interpolation, PublishedError))


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

"""What a table of networks and claims holds: its rows, and what each of their fields may be."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

from resnext.errors import PublishedError
from resnext.fields import check_choice, check_table, check_text, check_whole, check_written, shown
from resnext.preprocessing import LONGEST, Interpolation, Pipeline, Preprocessing
from resnext.spec import Spec

# The protocol of a claim that no measurement here can follow.
UNKNOWN: Final = "unknown"


class Metric(StrEnum):
    """The quantity of a claim, in percent of the images."""

    TOP1_ERROR = "top1_error"
    TOP5_ERROR = "top5_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One published number.

    Attributes:
        metric: what was measured.
        value: the error in percent, with the digits that were printed: "22.2" and "22.20" are
            different claims.
        images: size of the whole set it was measured on.
        source: where it was published.
        accuracy: the accuracy in percent that was printed in place of the error, 100 minus it.
        protocol: `UNKNOWN` if the claim's protocol is not known well enough, or none that can be
            followed here: it is reported, and never judged.
        tolerance: percentage points that a measurement may lie beyond what is printed; None for
            the usual ones.
        crops: 1 (centre) or 10; the logits of the ten are summed.
        pipeline, interpolation, scale, crop: where they differ from the network's preprocessing.
    """

    metric: Metric
    value: str
    images: int
    source: str
    accuracy: str | None = None
    protocol: str | None = None
    tolerance: Fraction | None = None
    crops: int = 1
    pipeline: Pipeline | None = None
    interpolation: Interpolation | None = None
    scale: int | None = None
    crop: int | None = None

    @property
    def printed(self) -> str:
        """Return the source, with the accuracy if that is what it printed."""
        return self.source + (f", as accuracy {self.accuracy}" if self.accuracy else "")

    @property
    def title(self) -> str:
        """Return the source with all that is unusual about the claim's protocol."""
        parts = [self.printed]
        parts += [f"{self.crops} crops"] if self.crops != 1 else []
        parts += [self.pipeline] if self.pipeline not in (None, Pipeline.TORCH7) else []
        parts += [self.interpolation] if self.interpolation else []
        parts += [f"scale {self.scale}"] if self.scale else []
        parts += [f"crop {self.crop}"] if self.crop else []
        return ", ".join(map(str, parts))

    def under(self, usual: Preprocessing) -> Preprocessing:
        """Return a preprocessing with the pipeline and interpolation of the claim's protocol.

        Args:
            usual: the preprocessing that goes with the network's claims.

        Raises:
            PreprocessingError: an interpolation that the pipeline does not have.
        """
        row = usual if self.pipeline is None else usual.with_pipeline(self.pipeline)
        return row if self.interpolation is None else replace(row, interpolation=self.interpolation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One network of a table.

    Attributes:
        name: checkpoints of this name are judged by these claims.
        preprocessing: the protocol of its claims; None for the checkpoint's own.
        claims: what was published of it.
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


PERCENTAGE: Final = re.compile(r"\d{1,3}(\.\d{1,9})?", re.ASCII)
# What was printed in place of an error -> that error.
ACCURACIES: Final = {
    "top1_accuracy": Metric.TOP1_ERROR,
    "top5_accuracy": Metric.TOP5_ERROR,
}
# Letters of a text, which reports and messages show whole.
MOST_LETTERS: Final = 1000

# The checks of single fields: value and name, which starts the message, to the value.


def read_text(value: object, name: str) -> str:
    found = check_written(value, name, PublishedError)
    if len(found) > MOST_LETTERS:
        raise PublishedError(
            f"{name} must be a text of at most {MOST_LETTERS} letters, found {len(found)}: "
            f"{shown(found)}"
        )
    return found


def read_whole(value: object, name: str) -> int:
    return check_whole(value, name, PublishedError)


def read_metric(value: object, name: str) -> str:
    return check_choice(value, name, (*Metric, *ACCURACIES), PublishedError)


def read_percentage(value: object, name: str) -> str:
    text = read_text(value, name)
    if not PERCENTAGE.fullmatch(text) or Decimal(text) > 100:
        raise PublishedError(f'{name} must be a percentage such as "22.2", found {shown(text)}')
    return text


def read_points(value: object, name: str) -> Fraction:
    text = read_text(value, name)
    if not PERCENTAGE.fullmatch(text) or Decimal(text) > 100:
        raise PublishedError(
            f"{name} must be a number of percentage points from 0 to 100 such as 0.5, "
            f"found {shown(text)}"
        )
    return Fraction(text)


def read_protocol(value: object, name: str) -> str:
    if value != UNKNOWN:
        raise PublishedError(
            f'{name} is "{UNKNOWN}", or left out where preprocessing, crops and the like state it, '
            f"found {shown(value)}"
        )
    return UNKNOWN


def read_pipeline(value: object, name: str) -> Pipeline:
    return Pipeline(check_choice(value, name, Pipeline, PublishedError))


def read_interpolation(value: object, name: str) -> Interpolation:
    return Interpolation(check_choice(value, name, Interpolation, PublishedError))


def read_images(value: object, name: str) -> int:
    count = read_whole(value, name)
    if count < 1:
        raise PublishedError(f"{name} >= 1 expected, found {count}")
    return count


def read_crops(value: object, name: str) -> int:
    count = read_whole(value, name)
    if count not in (1, 10):
        raise PublishedError(f"{name} 1 or 10 expected, found {count}")
    return count


def read_pixels(value: object, name: str) -> int:
    side = read_whole(value, name)
    if not 1 <= side <= LONGEST:
        raise PublishedError(f"{name} must be 1 to {LONGEST} pixels, found {side}")
    return side


def read_sha256(value: object, name: str) -> str:
    text = check_text(value, name, PublishedError)
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise PublishedError(
            f"{name} must be 64 digits from 0 to f, as in report.json, found {shown(text)}"
        )
    return text


def read_digits(value: object, name: str) -> str:
    text = check_text(value, name, PublishedError)
    if not re.fullmatch("[0-9a-f]{8,64}", text):
        raise PublishedError(
            f"{name} must be the first 8 to 64 digits from 0 to f of the file's sha256, "
            f"found {shown(text)}"
        )
    return text


def read_classes(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise PublishedError(
            f"{name} must be the names of the classes in the order of the network's outputs, "
            f"found {shown(value)}"
        )
    names = tuple(read_text(each, f"{name}: a name") for each in value)
    if twice := [each for each, count in Counter(names).items() if count > 1]:
        raise PublishedError(f"{name}: {shown(twice[0])} stands there twice")
    return names


def read_preprocessing(value: object, name: str) -> Preprocessing:
    where = name.removesuffix(": preprocessing")
    table = check_table(value, f"{where}, preprocessing", PublishedError)
    return Preprocessing.from_fields(table, where)


def read_spec(value: object, name: str) -> Spec:
    where = name.removesuffix(": spec")
    return Spec.from_fields(check_table(value, where, PublishedError), where)

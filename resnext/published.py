"""Published networks and their claims: the built-in tables, and what a row of a table holds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Final

from resnext.preprocessing import Interpolation, Pipeline, Preprocessing
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
        graph_url: the address of the file that belongs beside it, MXNet's graph say, if one does.
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
    graph_url: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    licence: str | None = None
    multiply_adds: str | None = None


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


def read_table(path: Path) -> tuple[Row, ...]:
    """Read a TOML table of networks and claims, as users write them too.

    All of its faults are reported at once, the first ones in full.

    Raises:
        PublishedError: not TOML, or a field is missing, unknown or of another type.
        OSError: the file cannot be opened.
    """
    from resnext.claims_table import read_rows  # which builds the rows of this module

    return read_rows(path)


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

"""What a command line asks for."""

from dataclasses import dataclass
from pathlib import Path

from resnext.preprocessing import Pipeline
from resnext.terminal.options import PictureConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementConfig(PictureConfig):
    """One measurement, as it was asked for.

    Attributes:
        data: where the images are; see `resnext.images.sources.opening.open_images`.
        labels: file of labels, for images without class folders.
        split: file that divides the images into those of a training and its validation; or None.
        part: "train" or "val", the part of such a file that is measured.
        claims: table of the user's own, or None.
        pipelines: whose arithmetic scales and crops, for comparison; each is measured. None stands
            for that of each network's claims.
        compare_precision: so many images are decided in fp32 too.
        limit: size of a random sample of the images; None takes all.
        seed: of that sample.
        ledger: file that keeps every decision, and from which a run goes on; compressed at the
            end if its name says so; or None.
        canary: stop where nearly every decision on the first images is wrong.
        strict: a claim without a verdict does not pass.
        checkpoints: files, folders and names of published networks; none stands for the current
            folder.
        command: as it was typed.
    """

    data: str
    checkpoints: tuple[str, ...]
    pipelines: tuple[Pipeline, ...] = ()
    labels: Path | None = None
    split: Path | None = None
    part: str = "val"
    claims: Path | None = None
    compare_precision: int = 0
    limit: int | None = None
    seed: int = 0
    ledger: Path | None = None
    canary: bool = True
    strict: bool = False
    command: str = ""

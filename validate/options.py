"""What a command line asks for."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resnext.machine import DeviceKind, usual_batch_size, usual_workers

if TYPE_CHECKING:
    from resnext.preprocessing import Pipeline, Preprocessing


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementConfig:
    """One measurement, as it was asked for.

    Attributes:
        data: where the images are; see `resnext.images.sources.opening.open_images`.
        labels: file of labels, for images without class folders.
        split: file that divides the images into those of a training and its validation; or None.
        part: "train" or "val", the part of such a file that is measured.
        cache: folder of downloads; None is the user's own.
        stream: read files of a store once, and keep none.
        claims: table of the user's own, or None.
        pipelines: whose arithmetic scales and crops, for comparison; each is measured. None stands
            for that of each network's claims.
        crops: 1 or 10.
        preprocessing: in place of the networks' own; or None.
        scale, crop: in pixels, in place of the preprocessing's own; or None.
        precision: "fp32", "tf32", "bf16" or "fp16".
        compiled: compute with `torch.compile`.
        compare_precision: so many images are decided in fp32 too.
        batch_size: images of a batch, >= 1; None takes the device's usual.
        workers: processes that read ahead, 0 reads in this one; None takes the device's usual.
        device: "cpu", "cuda", "cuda:1", "mps"; None takes the best there is.
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
    pipelines: tuple["Pipeline", ...] = ()
    labels: Path | None = None
    split: Path | None = None
    part: str = "val"
    cache: Path | None = None
    stream: bool = False
    claims: Path | None = None
    crops: int = 1
    preprocessing: "Preprocessing | None" = None
    scale: int | None = None
    crop: int | None = None
    precision: str = "fp32"
    compiled: bool = False
    compare_precision: int = 0
    batch_size: int | None = None
    workers: int | None = None
    device: str | None = None
    limit: int | None = None
    seed: int = 0
    ledger: Path | None = None
    canary: bool = True
    strict: bool = False
    command: str = ""

    def batch_size_on(self, device: DeviceKind) -> int:
        """Return the number of images of a batch; with ten crops, of about as many crops."""
        return self.batch_size or usual_batch_size(device, crops=self.crops)

    def workers_on(self, device: DeviceKind, *, processes: int) -> int:
        """Return how many processes read ahead for each of the job's processes on this machine."""
        usual = usual_workers(device, processes=processes)
        return usual if self.workers is None else self.workers

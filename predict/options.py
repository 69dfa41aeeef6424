"""What is asked of a network about pictures, whether on a command line or from Python."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from predict.errors import PredictionError
from resnext.machine import DeviceKind, Precision, usual_batch_size, usual_workers
from resnext.preprocessing import Pipeline, Preprocessing, known_preprocessing

TOP: Final = 5
CHOICES: Final = {
    "crops": (1, 10),
    "pipeline": (None, *Pipeline),
    "precision": tuple(Precision),
}
# Whole numbers, or None.
LEAST: Final = {"top": 1, "scale": 0, "crop": 1, "batch_size": 1, "workers": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionConfig:
    """The options of a prediction.

    Attributes:
        top: so many classes are answered, at most all; >= 1.
        threshold: classes of a smaller probability are left out, 0 to 1.
        features: whether features are computed too.
        layer: of the features: a stage such as "layer3", whose map is averaged; None for the inputs
            of the classifier.
        pipeline: "torch7", "pil" or "opencv": whose arithmetic scales and crops, in place of the
            preprocessing's own; or None.
        crops: 1, or 10, of which logits and features are averaged.
        preprocessing: in place of the checkpoint's own; or None.
        scale, crop: in pixels, in place of the preprocessing's own; or None.
        precision: "fp32", "tf32", "bf16" or "fp16".
        compiled: compute with `torch.compile`.
        batch_size: pictures of a batch, >= 1; None takes the device's usual.
        workers: processes that read ahead, 0 reads in this one; None takes the device's usual.
        device: "cpu", "cuda", "cuda:1", "mps"; None takes the best there is.
        cache: folder of downloads; None is the user's own.
        stream: read files of a store once, and keep none.

    Raises:
        PredictionError: a value that is none of these.
        PreprocessingError: a preprocessing that is none.
    """

    top: int = TOP
    threshold: float = 0.0
    features: bool = False
    layer: str | None = None
    pipeline: str | None = None
    crops: int = 1
    preprocessing: Preprocessing | None = None
    scale: int | None = None
    crop: int | None = None
    precision: str = "fp32"
    compiled: bool = False
    batch_size: int | None = None
    workers: int | None = None
    device: str | None = None
    cache: Path | None = None
    stream: bool = False

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            if (found := getattr(self, name)) not in known:
                choices = ", ".join(map(str, known))
                raise PredictionError(f"{name}: one of {choices} expected, found {found!r}")
        for name, least in LEAST.items():
            found = getattr(self, name)
            if found is not None and (not isinstance(found, int) or found < least):
                raise PredictionError(
                    f"{name}: a whole number of at least {least} expected, found {found!r}"
                )
        if not isinstance(self.threshold, int | float) or not 0 <= self.threshold <= 1:
            raise PredictionError(f"threshold: 0 to 1 expected, found {self.threshold!r}")
        if not isinstance(self.features, bool):  # the name of a file, as the command takes it
            raise PredictionError(f"features: True or False expected, found {self.features!r}")
        if self.preprocessing is not None:
            known_preprocessing(self.preprocessing)

    def batch_size_on(self, device: DeviceKind) -> int:
        """Return the number of pictures of a batch; with ten crops, of about as many crops."""
        return self.batch_size or usual_batch_size(device, crops=self.crops)

    def workers_on(self, device: DeviceKind, *, processes: int) -> int:
        """Return how many processes read ahead for each of the job's processes on this machine."""
        usual = usual_workers(device, processes=processes)
        return usual if self.workers is None else self.workers

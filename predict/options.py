"""What is asked of a network about pictures, whether on a command line or from Python."""

from dataclasses import dataclass
from typing import Final

from predict.errors import PredictionError
from resnext.machine import Precision
from resnext.preprocessing import Pipeline, known_preprocessing
from resnext.terminal.options import PictureConfig

TOP: Final = 5
CHOICES: Final = {
    "crops": (1, 10),
    "pipeline": (None, *Pipeline),
    "precision": tuple(Precision),
}
# Whole numbers, or None.
LEAST: Final = {"top": 1, "scale": 0, "crop": 1, "batch_size": 1, "workers": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionConfig(PictureConfig):
    """The options of a prediction.

    Attributes:
        top: so many classes are answered, at most all; >= 1.
        threshold: classes of a smaller probability are left out, 0 to 1.
        features: whether features are computed too.
        layer: of the features: a stage such as "layer3", whose map is averaged; None for the inputs
            of the classifier.
        pipeline: "torch7", "pil" or "opencv": whose arithmetic scales and crops, in place of the
            preprocessing's own; or None.

    Raises:
        PredictionError: a value that is none of these.
        PreprocessingError: a preprocessing that is none.
    """

    top: int = TOP
    threshold: float = 0.0
    features: bool = False
    layer: str | None = None
    pipeline: str | None = None

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

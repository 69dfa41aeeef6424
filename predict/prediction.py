"""What a network answers for one picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One class that a picture may show.

    Attributes:
        label: of the class, from 0.
        name: of the class; the label as text where the checkpoint has no names.
        probability: softmax of the logits at the label, 0 to 1.
    """

    label: int
    name: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """What a network answers for one picture.

    Attributes:
        image: the picture as it was given or found: a path, "shard.tar/member" or a URL.
        top: the best classes, the most probable first; empty where the picture could not be read.
        error: why it could not be read, in one line; None where it could.
        features: (F,) float32, what stands before the classifier or after another layer; None if
            they were not asked for, or the picture could not be read.
    """

    image: str
    top: tuple[Answer, ...] = ()
    error: str | None = None
    features: NDArray[np.float32] | None = None

"""The ways from decoded pixels to network input that can be measured side by side."""

from collections.abc import Callable
from enum import StrEnum
from functools import partial

import numpy as np
from numpy.typing import NDArray

from resnext.data.transforms import prepare_pixels, prepare_ten_pixels
from resnext.preprocessing import Preprocessing
from validate.pil import prepare_pil, prepare_ten_pil

Prepare = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


class Pipeline(StrEnum):
    """Whose arithmetic scales and crops."""

    TORCH7 = "torch7"
    PIL = "pil"


PREPARES = {
    (Pipeline.TORCH7, 1): prepare_pixels,
    (Pipeline.TORCH7, 10): prepare_ten_pixels,
    (Pipeline.PIL, 1): prepare_pil,
    (Pipeline.PIL, 10): prepare_ten_pil,
}


def preparation(pipeline: Pipeline, crops: int, preprocessing: Preprocessing) -> Prepare:
    """Return the function from pixels (H, W, 3) uint8 to network input float32.

    It gives (3, crop, crop) for 1 crop, and (10, 3, crop, crop) for 10; picklable, and equal for
    equal arguments.

    Args:
        pipeline: whose arithmetic.
        crops: 1 or 10.
        preprocessing: the row that belongs to the weights.
    """
    return partial(PREPARES[pipeline, crops], preprocessing=preprocessing)

"""What is wrong for all processes of a job is said by one of them."""

import os
import time
from typing import Final

PAUSE: Final = 2.0  # seconds; the processes of a job begin within less, and torchrun looks each 0.1


def after_the_first() -> None:
    """Return when the first process of this machine has had the time to say what is wrong, and end.

    `torchrun` ends the others as soon as one has ended, so that what all found is said once, and
    what one alone found a little later. Whoever calls this must still hold its connections:
    otherwise the first would see them lost, end over that, and take the reason along.
    """
    if os.environ.get("LOCAL_RANK", "0") != "0":
        time.sleep(PAUSE)

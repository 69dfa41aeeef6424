"""What Pillow says of a picture that declares too many pixels: an error, and not two lines."""

import warnings
from typing import Final

# How its warning starts. By the text, as only few image sets need Pillow, and its class with it.
START: Final = r"Image size \(\d+ pixels\) exceeds limit"


def refuse_bombs() -> None:
    """Have Pillow raise, in this process from now on, what it would print on stderr.

    A filter belongs to a whole process, and one around each picture would be none for threads: this
    is for the processes of our commands and for those that read, not for a program that imports
    us.
    """
    warnings.filterwarnings("error", message=START)

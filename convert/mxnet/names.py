"""The names of a pair of MXNet's files, as `mx.model.save_checkpoint` gives them."""

import re
from typing import Final

# X-0042.params is of epoch 42.
PARAMS: Final = re.compile(r"(.+?)(?:-(\d{4,}))?\.params")


def graph_name(name: str) -> str | None:
    """Return the name of the graph that belongs to a file of arrays; None if it is none by name."""
    match = PARAMS.fullmatch(name)
    return match and f"{match[1]}-symbol.json"


def epoch(name: str) -> int | None:
    """Return the epoch that the name of a file of arrays states; None if it states none."""
    match = PARAMS.fullmatch(name)
    return int(match[2]) if match and match[2] else None

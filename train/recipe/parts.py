"""The parts of a network that a training can leave as they are, by name."""

from typing import Final

from resnext.spec import Spec
from train.errors import RecipeError

STEM: Final = "stem"


def parts_up_to(spec: Spec, last: str) -> tuple[str, ...]:
    """Return the names of the parts up to and with `last`, from the pictures on; none for "".

    Args:
        spec: of the network, whose parts are the stem and the stages.
        last: one of them, or "".

    Raises:
        RecipeError: the network has no such part.
    """
    if not last:
        return ()
    names = (STEM, *spec.stage_names)
    if last not in names:
        raise RecipeError(f"--freeze {last}: {', '.join(names)} expected, as the network has them")
    return names[: names.index(last) + 1]

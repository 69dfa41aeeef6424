"""What every exported file says of itself: the facts of a checkpoint's header."""

import json
from dataclasses import asdict

from resnext.checkpoint import Checkpoint


def facts(checkpoint: Checkpoint) -> dict[str, object]:
    """Return architecture, preprocessing and provenance as values that JSON takes.

    What is not known is left out, as it is in the header of our own format.
    """
    row = checkpoint.preprocessing
    values = {
        "spec": checkpoint.spec.to_fields(),
        "preprocessing": None if row is None else row.to_fields(),
        "preprocessing_origin": checkpoint.origin,
        **asdict(checkpoint.provenance),
    }
    return {name: value for name, value in values.items() if value is not None}


def texts(checkpoint: Checkpoint) -> dict[str, str]:
    """Return the facts as plain strings: texts as they are, all else as JSON."""
    return {
        name: str(value) if isinstance(value, str) else json.dumps(value)
        for name, value in facts(checkpoint).items()
    }

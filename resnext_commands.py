"""The commands, which find their own packages whatever lies in the user's folder or `PYTHONPATH`.

`convert`, `validate`, `predict` and `train` are common names: who works in a checkout of timm with
`PYTHONPATH=.` has a `train.py` and a `validate.py` that Python would import first. So the installed
commands start here, under a name that nobody else uses, and look their packages up beside this
file. What they start (reading processes, under torchrun too) begins in the same way.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Final

OWN: Final = ("resnext", "convert", "validate", "predict", "train")
ROOT: Final = str(Path(__file__).resolve().parent)


class OwnPackages(MetaPathFinder):
    """Finds the packages of this project beside this file, before any other place is searched."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where one of the packages lies; None for every other name."""
        if path is not None or name not in OWN:
            return None
        return PathFinder.find_spec(name, [ROOT], target)


sys.meta_path.insert(0, OwnPackages())


def run_convert() -> None:
    """Run `resnext-convert`."""
    from convert.cli import main

    main()


def run_validate() -> None:
    """Run `resnext-validate`."""
    from validate.cli import main

    main()


def run_compare() -> None:
    """Run `resnext-compare`."""
    from validate.comparison.cli import main

    main()


def run_judge() -> None:
    """Run `resnext-judge`."""
    from validate.judge_cli import main

    main()


def run_predict() -> None:
    """Run `resnext-predict`."""
    from predict.cli import main

    main()


def run_train() -> None:
    """Run `resnext-train`."""
    from train.cli import main

    main()

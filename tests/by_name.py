"""A command in a world where the digits' network is a published one, at the address of a test."""

import os
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from resnext.published import read_table
from resnext.spec import Spec, Stem

DIGITS = Path(__file__).parents[1] / "examples" / "digits"
FILE = "resnext_11_8x4d_digits.t7"
NAME = "resnext_11_8x4d"


def main(words: list[str]) -> None:
    """Run a command; the first word is its module, and ADDRESS says where the file is served."""
    (claims,) = read_table(DIGITS / "claims.toml")
    row = replace(
        claims,
        name=NAME,
        spec=Spec(blocks=(1, 1, 1), stem=Stem.CIFAR, cardinality=8, base_width=4, classes=10),
        file=FILE,
        url=f"{os.environ['ADDRESS']}/{FILE}",
        bytes=7_854_661,
    )
    for module in ("resnext.published", "convert.sources", "validate.candidates"):
        vars(import_module(module))["published"] = lambda: (row,)
    command, *rest = words
    import_module(command).main(rest)

"""A command in a world where the digits' network is a published one, at the address of a test."""

import os
import sys
from dataclasses import replace
from importlib import import_module

from resnext.published import read_table
from resnext.spec import Spec, Stem
from tests.support.golden import ROOT

DIGITS = ROOT / "examples" / "digits"
FILE = "resnext_11_8x4d_digits.t7"
NAME = "resnext_11_8x4d"


def main(words: list[str]) -> None:
    """Run a command, whose module is the first word.

    ADDRESS in the environment says where the file is served, MISSING names a package to miss.
    """
    (claims,) = read_table(DIGITS / "claims.toml")
    row = replace(
        claims,
        name=NAME,
        spec=Spec(blocks=(1, 1, 1), stem=Stem.CIFAR, cardinality=8, base_width=4, classes=10),
        file=FILE,
        url=f"{os.environ['ADDRESS']}/{FILE}",
        bytes=7_854_661,
    )
    for module in ("resnext.published", "convert.location", "validate.networks"):
        vars(import_module(module))["published"] = lambda: (row,)
    if missing := os.environ.get("MISSING"):
        sys.modules[missing] = None  # type: ignore[assignment]
    command, *rest = words
    import_module(command).main(rest)

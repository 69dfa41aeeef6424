"""The command that runs the benchmarks."""

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import NAMES, main


@pytest.mark.parametrize(("word", "code"), [("--help", 0), ("nope", 2)])
def test_names_of_the_benchmarks_are_listed(word: str, code: int) -> None:
    done = CliRunner().invoke(main, [word])
    assert done.exit_code == code
    assert [name for name in NAMES if name not in done.output] == []

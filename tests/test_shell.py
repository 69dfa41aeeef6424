"""How a command speaks, and how it ends when something is wrong."""

import pytest

from resnext.shell import say


def test_say_writes_one_line_that_no_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    say("prog", "a\n  b: \x1b[2J\udcff, é")
    assert capsys.readouterr() == ("", "prog: a b: \\x1b[2J\\udcff, é\n")

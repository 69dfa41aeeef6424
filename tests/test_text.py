"""Text from files, as a terminal or a page may show it."""

import pytest

from resnext.text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\x1b[31m\udcff\u2028é", r"a\nb\x1b[31m\udcff\u2028é"),
        ("gepj.\u202etxt", r"gepj.\u202etxt"),
        ("\x9b31m", r"\x9b31m"),
        ("名前 a\u3000b", "名前 a\u3000b"),
    ],
    ids=["one line", "direction", "8-bit control", "other writing"],
)
def test_printable_text_is_one_line_that_no_terminal_obeys(text: str, shown: str) -> None:
    assert printable(text) == shown

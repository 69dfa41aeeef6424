"""Text from files, as a terminal or a page may show it."""

import pytest

from resnext.terminal.text import cell, duration, number, printable, wrapped


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


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1+cmd", "'+1+cmd"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\uff1d1", "'\uff1d1"),
        ("\t=1", r"\t=1"),
        ("-1", "-1"),
        ("+12.5", "+12.5"),
        ("a=b", "a=b"),
        ("n01440764", "n01440764"),
        ("a\x1b]0;t\x07\nb", r"a\x1b]0;t\x07\nb"),
        ("caf\udce9", "caf\udce9"),
        ("", ""),
    ],
)
def test_cell_is_no_formula_and_no_command_to_a_terminal(text: str, written: str) -> None:
    assert cell(text) == written


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 steps"), (1, "1 step"), (2, "2 steps"), (50000, "50,000 steps")]
)
def test_number_is_said_with_its_noun(count: int, said: str) -> None:
    assert number(count, "step") == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min"), (3569, "59 min"), (3600, "1 h 0 min")],
)
def test_duration_is_said_in_the_unit_that_fits(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("text", "width", "changes", "lines"),
    [
        ("one two three", 13, {}, ["one two three"]),
        ("one two three", 12, {}, ["one two", "  three"]),
        ("  a/very/long/path is there", 10, {}, ["  a/very/long/path", "  is there"]),
        ("epoch 1/2  loss 0.5  best", 20, {"at": "  "}, ["epoch 1/2  loss 0.5", "  best"]),
        ("名前 名前 a", 9, {"indent": ""}, ["名前 名前", "a"]),
        ("", 9, {}, [""]),
    ],
    ids=["fits", "one less", "long word", "parts", "wide letters", "empty"],
)
def test_long_line_is_broken_at_words(
    text: str, width: int, changes: dict[str, str], lines: list[str]
) -> None:
    assert wrapped(text, width, **changes).split("\n") == lines

"""Brace expansion, as bash and the webdataset library do it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resnext.errors import DataError
from resnext.images.patterns import MOST_NAMES, expand


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("x.tar", ["x.tar"]),
        ("x-{a,b}.tar", ["x-a.tar", "x-b.tar"]),
        ("x{,.old}", ["x", "x.old"]),
        ("{a,b}{0,1}", ["a0", "a1", "b0", "b1"]),
        ("p{2.{5..7},3.{2,3}}", ["p2.5", "p2.6", "p2.7", "p3.2", "p3.3"]),
        ("{1..3}", ["1", "2", "3"]),
        ("{08..10}", ["08", "09", "10"]),
        ("{0..10..5}", ["0", "5", "10"]),
        ("{2..-1}", ["2", "1", "0", "-1"]),
        ("{-01..01}", ["-01", "000", "001"]),
        ("{3..3}", ["3"]),
        ("{1..5..-2}", ["1", "3", "5"]),
        ("{1..2..0}", ["1", "2"]),
        ("{a..g..3}", ["a", "d", "g"]),
        ("{c..a}", ["c", "b", "a"]),
        ("{Y..b}", ["Y", "Z", "a", "b"]),
        ("{x}", ["{x}"]),
        ("{}", ["{}"]),
        ("{{a,b}}", ["{a}", "{b}"]),
        ("a,b", ["a,b"]),
        (r"\{a,b\}\\", ["{a,b}\\"]),
        (r"{a\,b,c}", ["a,b", "c"]),
        ("a{0..1}::b::c{x,y}", ["a0", "a1", "b", "cx", "cy"]),
    ],
)
def test_pattern_expands_as_in_bash(pattern: str, names: list[str]) -> None:
    assert expand(pattern) == names


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("x", 1),
        ("{99999..0}.tar", 100_000),
        ("{0..199999..-2}", 100_000),
        ("{a..z}{A,{0..9},b{x,y}c}::{1}\\{2,3", 339),
        ("{0..299}{000..332}", 99_900),
    ],
    ids=["none", "most", "steps", "nested", "product"],
)
def test_pattern_of_many_names_is_expanded(pattern: str, count: int) -> None:
    assert len(expand(pattern)) == count


@pytest.mark.parametrize(
    "pattern",
    [
        "{0..100000}",
        "{0..99999}{a,b}",
        "{0..99999},x::x",
        "{{0..99999},x}",
        "{0..9}" * 5 + "{a,b}",
        f"{{0..{'9' * 5000}}}",
    ],
    ids=["range", "product", "patterns", "list", "many products", "long number"],
)
def test_pattern_of_too_many_names_is_refused(pattern: str) -> None:
    with pytest.raises(DataError, match="100,000 names at most expected, found more; use fewer"):
        expand(pattern)


@pytest.mark.parametrize("pattern", ["{0..2", "x}", "{a,{b}", "}{"])
def test_brace_without_a_partner_is_refused(pattern: str) -> None:
    with pytest.raises(DataError, match=r"a pattern like \{00\.\.63\} expected: Unbalanced braces"):
        expand(pattern)


@given(st.text(st.sampled_from("{},.\\a0-1:")))
def test_any_text_is_expanded_or_refused(pattern: str) -> None:
    try:
        names = expand(pattern)
    except DataError:
        return
    assert 1 <= len(names) <= MOST_NAMES

"""Markdown: texts from files are shown as they are."""

import pytest

from resnext.pages.markdown import fenced, literal, table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", "a&#124;b"),
        ("<img src=x>", "&#60;img src=x&#62;"),
        ("*bold* `code` [link](x)", "&#42;bold&#42; &#96;code&#96; &#91;link&#93;(x)"),
        ("resnext_50_32x4d", "resnext_50_32x4d"),
        ("_hidden_", "&#95;hidden&#95;"),
        ("@user #12 :tada: $x$", "&#64;user &#35;12 &#58;tada: &#36;x&#36;"),
        ("https://x", "https&#58;//x"),
        ("two\nlines", r"two&#92;nlines"),
    ],
)
def test_markdown_text_is_shown_as_it_is(text: str, shown: str) -> None:
    assert literal(text) == shown


def test_fence_is_longer_than_any_in_the_text() -> None:
    assert fenced("a ``` b") == ["````", "a ``` b", "````"]


def test_table_has_rules_for_its_columns() -> None:
    assert table(("a", "b"), [("1", "2")], right=(1,)) == [
        "| a | b |",
        "| --- | ---: |",
        "| 1 | 2 |",
    ]

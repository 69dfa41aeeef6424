"""Values as YAML: the lines that people expect, and what PyYAML reads back."""

import pytest
import yaml

from resnext.fields import WrittenFloat
from resnext.model_card.yaml_lines import yaml_lines


def test_mappings_and_sequences_are_in_block_style() -> None:
    value = {"tags": ["timm", "resnext"], "index": [{"name": "a", "results": [{"x": 1}]}]}
    assert list(yaml_lines(value)) == [
        "tags:",
        "- timm",
        "- resnext",
        "index:",
        "- name: a",
        "  results:",
        "  - x: 1",
    ]


def test_numbers_keep_their_digits() -> None:
    value = {"a": WrittenFloat("22.20"), "b": [0.485, 1e-05], "c": 3, "d": 1e-30}
    lines = ["a: 22.20", "b: [0.485, 1.0e-05]", "c: 3", "d: 1.0e-30"]
    assert list(yaml_lines(value)) == lines


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "no", "Yes", "null", "~", "1.5", "0x10", "2026-11-28", "12:30", "a: b", "a #b"),
        *(
            "- a",
            "*a",
            "&a",
            "!a",
            "[a]",
            "{a}",
            "'a'",
            '"a"',
            "a\\b",
            "%a",
            "@a",
            "`a`",
            "é",
            "🦉",
        ),
        *("a ", "nan", "y", "=", "<<", "a\u00a0b", "0o7", "1e5", ".5", "true", "🦉"),
    ],
)
def test_text_stays_a_text(text: str) -> None:
    lines = "\n".join(yaml_lines({"key": text, text: [text]}))
    assert yaml.safe_load(lines) == {"key": text, text: [text]}


def test_text_that_yaml_cannot_hold_is_escaped() -> None:
    lines = "\n".join(yaml_lines({"a": "\x07\udcff\x85\u2028"}))
    assert yaml.safe_load(lines) == {"a": "\\x07\\udcff\\x85\\u2028"}


def test_empty_and_small_values_take_one_line() -> None:
    value = {"a": [], "b": {}, "c": None, "d": True, "e": False}
    assert list(yaml_lines(value)) == ["a: []", "b: {}", "c: null", "d: true", "e: false"]

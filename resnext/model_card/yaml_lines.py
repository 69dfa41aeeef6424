"""Plain values as lines of YAML, in block style, as the model cards of the Hub have it."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from resnext.terminal.text import printable

# What every version of YAML reads as this very text, but for the words that mean something else.
PLAIN: Final = re.compile(r"[A-Za-z][\w./@-]*( [\w./@-]+)*", re.ASCII)
WORDS: Final = {"true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf"}
INDENT: Final = "  "


def yaml_lines(value: object) -> Iterator[str]:
    """Yield the lines of a mapping or a sequence; a sequence begins each item with a dash.

    Args:
        value: made of mappings with texts as keys, sequences, texts, numbers, true, false and None.
            A `resnext.fields.WrittenFloat` keeps its digits. Empty mappings and sequences, and
            sequences of numbers, take one line.
    """
    if isinstance(value, Mapping) and value:
        for key, each in value.items():
            yield from _entry(f"{_text(str(key))}:", each)
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        for each in value:
            first, *others = yaml_lines(each)
            yield f"- {first}"
            yield from (INDENT + line for line in others)
    else:
        yield _scalar(value)


def _entry(key: str, value: object) -> Iterator[str]:
    if _on_one_line(value):
        yield f"{key} {_scalar(value)}"
        return
    yield key
    # The items of a sequence stand below their key, not to the right of it: so the Hub writes them.
    indent = INDENT if isinstance(value, Mapping) else ""
    yield from (indent + line for line in yaml_lines(value))


def _on_one_line(value: object) -> bool:
    if isinstance(value, str) or not isinstance(value, Mapping | Sequence) or not value:
        return True
    return isinstance(value, Sequence) and all(isinstance(each, int | float) for each in value)


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_scalar, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    written = repr(value)
    # YAML 1.1 takes a number with an exponent, but without a point, for a text.
    return written.replace("e", ".0e") if "e" in written and "." not in written else written


def _text(text: str) -> str:
    text = printable(text)
    if PLAIN.fullmatch(text) and text.lower() not in WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)

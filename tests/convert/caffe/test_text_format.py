"""Protobuf's text format: what Caffe's files use of it, and what is not the format."""

import pytest

from convert.caffe.text_format import Message, Word, read_text_format
from convert.source.errors import ExcessError, UnexpectedError


def plain(message: Message) -> dict[str, list[object]]:
    """Return the fields as Python's own values."""
    return {
        name: [each.text if isinstance(each, Word) else plain(each) for each in values]
        for name, values in message.fields.items()
    }


def read(text: str) -> dict[str, list[object]]:
    return plain(read_text_format(text.encode(), "x.prototxt"))


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("", {}),
        ('name: "ResNet"', {"name": ["ResNet"]}),
        ("name: 'Res' \"Net\"", {"name": ["ResNet"]}),
        ("a: 1 a: -2.5e-05 a: .5 a: true", {"a": ["1", "-2.5e-05", ".5", "true"]}),
        ("a: [1, 2,3]", {"a": ["1", "2", "3"]}),
        ("a: 1, b: 2; c: 3", {"a": ["1"], "b": ["2"], "c": ["3"]}),
        ("a { b: MAX }", {"a": [{"b": ["MAX"]}]}),
        ("a: { b < c: 1 > } ", {"a": [{"b": [{"c": ["1"]}]}]}),
        ("a {} a {}", {"a": [{}, {}]}),
        ("# note\na: 1 # { \nb: 'a # b'", {"a": ["1"], "b": ["a # b"]}),
        ("\ufeffa: 1", {"a": ["1"]}),
    ],
    ids=range(11),
)
def test_fields_are_read(text: str, fields: dict[str, object]) -> None:
    assert read(text) == fields


def test_values_keep_their_lines() -> None:
    found = read_text_format(b"a: 1\n\nb {\n c: 2\n}", "x")
    [inner] = found.fields["b"]
    assert isinstance(inner, Message)
    assert (found.fields["a"][0].line, inner.line, inner.fields["c"][0].line) == (1, 3, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a", "x.prototxt, line 1: a value or { expected, found the end of the file"),
        (b"a {", "line 1: } of the message of line 1 expected, found the end of the file"),
        (b"\na <\nb: 1", "line 3: > of the message of line 2 expected, found the end"),
        (b"a { >", "line 1: the name of a field expected, found '>'"),
        (b"}", "the name of a field expected, found '}'"),
        (b"a: }", "a value expected, found '}'"),
        (b"a: [1 2]", ", or ] expected, found '2'"),
        (b"a: [1,", "a value expected, found the end of the file"),
        (b"1: 2", "the name of a field expected, found '1'"),
        (b'"a": 2', "the name of a field expected"),
        (b'a: "b', "a field of protobuf's text format expected"),
        (b'a: "b\nc"', "a field of protobuf's text format expected"),
        (rb'a: "b\x41"', "a text without backslashes expected"),
        (b"a: \x00", "a field of protobuf's text format expected"),
        (b"a: 1\n\xff", "x.prototxt, byte 5: a text in UTF-8 expected"),
    ],
    ids=range(15),
)
def test_what_is_not_the_format_is_refused_with_its_line(text: bytes, message: str) -> None:
    with pytest.raises(UnexpectedError) as caught:
        read_text_format(text, "x.prototxt")
    assert message in str(caught.value)


def test_depth_is_limited() -> None:
    with pytest.raises(ExcessError, match="at most 20 messages inside each other"):
        read("a {" * 100_000)


def test_words_are_limited() -> None:
    with pytest.raises(ExcessError, match="at most 500000 words"):
        read("a:1 " * 170_000)

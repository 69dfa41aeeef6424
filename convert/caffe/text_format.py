"""Reads protobuf's text format, in which Caffe's networks are described: a message of fields.

A field is `name: value` or `name { fields }`, a value a number, a word or a text in quotes. A list
of values may stand in brackets. `#` begins a comment, `,` and `;` may end a field.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from convert.source.errors import ExcessError, UnexpectedError
from resnext.fields import shown

# ResNeXt-152 has 120 kB, 16,000 tokens and a depth of 3.
LARGEST: Final = 1 << 22  # bytes
MOST_TOKENS: Final = 500_000
DEEPEST: Final = 20

_TOKEN: Final = re.compile(
    r"""
    (?P<space>[ \t\r\n\f\v]+|\#[^\n]*)
    |(?P<quoted>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<word>[A-Za-z_][A-Za-z0-9_.]*|[+-]?(?:\d[0-9A-Za-z_.]*(?:(?<=[eE])[+-]\d+)?|\.\d[0-9A-Za-z_]*
        (?:(?<=[eE])[+-]\d+)?|inf\b|nan\b))
    |(?P<mark>[{}<>:;,\[\]])
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Word:
    """A value: a number, a word or a text.

    Attributes:
        text: as it is written, a quoted text without its quotes.
        quoted: it stood in quotes.
        line: of the file, from 1.
    """

    text: str
    quoted: bool
    line: int


@dataclass(frozen=True, slots=True)
class Message:
    """The fields of a message, each with all of its values in their order.

    Attributes:
        line: at which it begins, from 1.
    """

    line: int
    fields: dict[str, list["Word | Message"]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


def read_text_format(raw: bytes, file: str) -> Message:
    """Read a message.

    Args:
        raw: the whole file.
        file: its name, for messages.

    Raises:
        UnexpectedError, ExcessError: it is not in the format, or too deep or large.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise UnexpectedError(
            "a text in UTF-8 expected", where=f"{file}, byte {error.start}"
        ) from error
    return _Parser(_tokens(text.removeprefix("\ufeff"), file), file).whole()


def _tokens(text: str, file: str) -> Iterator[_Token]:
    offset, line, count = 0, 1, 0
    while offset < len(text):
        where = f"{file}, line {line}"
        match = _TOKEN.match(text, offset)
        if match is None or not match.end() > offset:
            raise UnexpectedError(
                f"a field of protobuf's text format expected, found {shown(text[offset:][:40])}",
                where=where,
            )
        kind = str(match.lastgroup)
        if kind != "space":
            count += 1
            if count > MOST_TOKENS:
                raise ExcessError(f"at most {MOST_TOKENS} words expected", where=where)
            yield _Token(kind, match[0], line)
        line += text.count("\n", offset, match.end())
        offset = match.end()
    yield _Token("end", "", line)


class _Parser:
    """Builds messages; the open ones are a stack, so that no depth exhausts Python's own."""

    def __init__(self, tokens: Iterator[_Token], file: str) -> None:
        self.tokens, self.file = tokens, file
        self.token = next(tokens)

    def whole(self) -> Message:
        """Return the message of the whole file."""
        root = Message(1)
        stack: list[tuple[Message, str]] = [(root, "")]
        while True:
            message, closing = stack[-1]
            if self.token.kind == "end":
                if len(stack) > 1:
                    raise self.error(f"{closing} of the message of line {message.line}")
                return root
            if closing and self.token.text == closing:
                self.advance()
                stack.pop()
                self.skip(",", ";")
                continue
            name = self.name()
            values = message.fields.setdefault(name, [])
            if self.skip(":") and self.token.text not in ("{", "<"):
                values += self.values()
                self.skip(",", ";")
            else:
                inner = Message(self.token.line)
                stack.append((inner, self.opening()))
                values.append(inner)
                if len(stack) > DEEPEST:
                    raise ExcessError(
                        f"at most {DEEPEST} messages inside each other expected",
                        where=self.where,
                    )

    @property
    def where(self) -> str:
        """Return the line of the next token, for messages."""
        return f"{self.file}, line {self.token.line}"

    def error(self, expected: str) -> UnexpectedError:
        """Return the error to raise at the next token."""
        found = shown(self.token.text) if self.token.kind != "end" else "the end of the file"
        return UnexpectedError(f"{expected} expected, found {found}", where=self.where)

    def advance(self) -> _Token:
        """Return the next token and go on behind it."""
        token = self.token
        self.token = next(self.tokens)
        return token

    def skip(self, *marks: str) -> bool:
        """Go on behind one of some marks, if it is next."""
        if self.token.kind == "mark" and self.token.text in marks:
            self.advance()
            return True
        return False

    def name(self) -> str:
        """Return the name of a field."""
        if self.token.kind != "word" or not (
            self.token.text[0].isalpha() or self.token.text[0] == "_"
        ):
            raise self.error("the name of a field")
        return self.advance().text

    def opening(self) -> str:
        """Go on behind the mark that begins a message; return the one that ends it."""
        for mark, closing in (("{", "}"), ("<", ">")):
            if self.skip(mark):
                return closing
        raise self.error("a value or {")

    def values(self) -> Iterator[Word]:
        """Yield a value, or those of a list."""
        if not self.skip("["):
            yield self.value()
            return
        while not self.skip("]"):
            yield self.value()
            if self.token.text != "]" and not self.skip(","):
                raise self.error(", or ]")

    def value(self) -> Word:
        """Return a value; texts in quotes that follow each other are one."""
        token = self.token
        if token.kind == "quoted":
            texts = []
            while self.token.kind == "quoted":
                texts.append(self.advance().text[1:-1])
            text = "".join(texts)
            if "\\" in text:
                raise UnexpectedError(
                    f"a text without backslashes expected, found {shown(text)}",
                    where=f"{self.file}, line {token.line}",
                )
            return Word(text, True, token.line)
        if token.kind != "word":
            raise self.error("a value")
        self.advance()
        return Word(token.text, False, token.line)

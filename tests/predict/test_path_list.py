"""A list of paths on stdin."""

import io
import os
import sys

import pytest

from predict import path_list
from predict.errors import PredictionError
from predict.path_list import read_list


def given(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.mark.parametrize(
    ("data", "null", "paths"),
    [
        (b"a.jpg\nb c.jpg\r\n\n  \nd.jpg", False, ["a.jpg", "b c.jpg", "d.jpg"]),
        (b"a\nb.jpg\0 c.jpg\0", True, ["a\nb.jpg", " c.jpg"]),
        (b"\xff.jpg\n", False, [os.fsdecode(b"\xff.jpg")]),
        (b"\xef\xbb\xbfa.jpg\r\nb.jpg\r\n", False, ["a.jpg", "b.jpg"]),
    ],
    ids=["lines", "nul", "no utf-8", "byte order mark"],
)
def test_paths_are_those_of_the_list(
    monkeypatch: pytest.MonkeyPatch, data: bytes, null: bool, paths: list[str]
) -> None:
    given(monkeypatch, data)
    assert read_list(null=null) == paths


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a list of paths expected, found none"),
        (b"\n\n", "a list of paths expected, found none"),
        (b"a.jpg\0b.jpg\0", "found NUL; -0 takes"),
        (b"x" * 2000, "at most 1000 bytes expected, found more"),
    ],
    ids=["empty", "blank", "nul", "long"],
)
def test_what_is_no_list_is_refused(
    monkeypatch: pytest.MonkeyPatch, data: bytes, message: str
) -> None:
    monkeypatch.setattr(path_list, "MOST", 1000)
    given(monkeypatch, data)
    with pytest.raises(PredictionError, match=message):
        read_list(null=False)

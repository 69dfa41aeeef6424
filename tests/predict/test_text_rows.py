"""Predictions as text."""

import csv
import io
import json

import pytest

from predict.prediction import Answer, Prediction
from predict.text_rows import csv_rows, json_lines, json_object

CAT = Answer(label=1, name="cat, tabby", probability=0.9749999)
DOG = Answer(label=0, name="dog", probability=1.2345678e-9)
READ = Prediction(image="a.jpg", top=(CAT, DOG))
LOST = Prediction(image="b.jpg", error="no picture")


def test_csv_has_room_for_all_classes_and_a_reason() -> None:
    file = io.BytesIO()
    with csv_rows(file, 3) as add:
        assert file.getvalue() == b""
        add(READ)
        add(LOST)
    header, first, second = csv.reader(io.StringIO(file.getvalue().decode()))
    assert header == [
        *("image", "top1", "top1_name", "top1_probability", "top2", "top2_name"),
        *("top2_probability", "top3", "top3_name", "top3_probability", "error"),
    ]
    assert first == [
        *("a.jpg", "1", "cat, tabby", "0.975", "0", "dog", "1.23457e-09", "", "", "", "")
    ]
    assert second == ["b.jpg", *[""] * 9, "no picture"]


def test_json_lines_are_objects() -> None:
    file = io.BytesIO()
    with json_lines(file, 2) as add:
        add(READ)
        add(LOST)
    assert [json.loads(line) for line in file.getvalue().splitlines()] == [
        {
            "image": "a.jpg",
            "top": [
                {"label": 1, "name": "cat, tabby", "probability": 0.975},
                {"label": 0, "name": "dog", "probability": 1.23457e-09},
            ],
        },
        {"image": "b.jpg", "top": [], "error": "no picture"},
    ]


def test_json_object_is_whole_when_the_work_ends_early() -> None:
    file = io.BytesIO()

    def work() -> None:
        with json_object(file) as add:
            add(READ)
            add(LOST)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert [each["image"] for each in json.loads(file.getvalue())["predictions"]] == [
        *("a.jpg", "b.jpg")
    ]


def test_json_object_is_not_begun_before_there_is_a_picture() -> None:
    file = io.BytesIO()
    with pytest.raises(KeyboardInterrupt), json_object(file):
        raise KeyboardInterrupt
    assert file.getvalue() == b""

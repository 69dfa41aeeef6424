"""A measurement in a model card: as the Hub's result, and as a line of a table."""

from dataclasses import replace
from typing import Any

import pytest
import yaml
from huggingface_hub.repocard_data import model_index_to_eval_results

from resnext.errors import CardError
from resnext.model_card.measured import (
    BEGIN,
    END,
    MeasuredRow,
    check_marks,
    is_measured,
    percent,
    rows_of,
    with_table,
)
from resnext.model_card.readme import Readme
from resnext.model_card.yaml_lines import yaml_lines

ROW = MeasuredRow(
    dataset={"type": "imagenet-1k", "name": "ImageNet-1k", "split": "validation"},
    images=50_000,
    of=50_000,
    correct={"accuracy": 38_902, "top_5_accuracy": 47_000},
    protocol={
        "scale": 256,
        "crop": 224,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "white": 1,
        "pipeline": "torch7",
        "interpolation": "bicubic",
        "crops": 1,
        "precision": "fp32",
    },
    verdicts=["top-1 error 22.2 (ResNeXt README): reproduced"],
    made={
        "resnext": "0.1.0",
        "date": "2026-11-28",
        "device": "cpu",
        "versions": {"torch": "2.13.0"},
        "weights_sha256": "ab" * 32,
        "images_sha256": "cd" * 32,
        "ledger_sha256": "ef" * 32,
    },
)


def through_yaml(row: MeasuredRow) -> Any:
    return yaml.safe_load("\n".join(yaml_lines([row.to_result()])))[0]


def test_row_is_what_the_hub_reads() -> None:
    index = [{"name": "net", "results": [through_yaml(ROW)]}]
    name, (top1, top5) = model_index_to_eval_results(index)
    assert name == "net"
    assert (top1.task_type, top1.dataset_type, top1.dataset_split) == (
        *("image-classification", "imagenet-1k", "validation"),
    )
    assert (top1.metric_type, top1.metric_value, top1.verified) == ("accuracy", 77.804, None)
    assert (top5.metric_type, top5.metric_value) == ("top_5_accuracy", 94.0)
    assert top1.metric_args["measured_by"] == "resnext-validate 0.1.0"
    assert top1.metric_args["ledger_sha256"] == "ef" * 32
    assert top1.metric_args["protocol"]["crop"] == 224
    assert top1.metric_args["verdicts"] == ["top-1 error 22.2 (ResNeXt README): reproduced"]


def test_row_comes_back_from_yaml() -> None:
    [found] = rows_of([through_yaml(ROW), "else", {"metrics": []}])
    assert found == ROW
    assert found.key == ROW.key


@pytest.mark.parametrize(
    "other",
    [
        replace(ROW, images=1000),
        replace(ROW, protocol={**ROW.protocol, "pipeline": "pil"}),
        replace(ROW, dataset={**ROW.dataset, "name": "V2"}),
    ],
    ids=["a sample", "pixels", "images"],
)
def test_another_measurement_has_another_key(other: MeasuredRow) -> None:
    assert other.key != ROW.key


def test_repetition_has_the_same_key() -> None:
    again = replace(ROW, made={**ROW.made, "date": "2027-01-01"}, correct={"accuracy": 1})
    assert again.key == ROW.key


def changed(place: str, value: object) -> Any:
    result = through_yaml(ROW)
    if value is None:
        del result["metrics"][0]["args"][place]
    else:
        result["metrics"][0]["args"][place] = value
    return result


@pytest.mark.parametrize(
    "result",
    [
        changed("measured_by", "lm-eval 1"),
        changed("measured_by", None),
        changed("correct", "many"),
        changed("images", 0),
        changed("protocol", {"crop": 224}),
        changed("versions", 3),
        None,
        [],
        {"metrics": [{"args": None}]},
    ],
)
def test_result_of_another_form_is_not_ours(result: object) -> None:
    assert is_measured(through_yaml(ROW))
    assert not is_measured(result)


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (38_902, 50_000, "77.804"),
        (1, 3, "33.33"),
        (0, 1, "0.00"),
        (10, 10, "100.00"),
        (9_995, 10_000, "99.95"),
    ],
)
def test_percent_has_the_digits_that_an_image_changes(part: int, whole: int, text: str) -> None:
    assert percent(part, whole) == text


def test_table_shows_errors_protocol_and_checksums() -> None:
    text = with_table("\n# net\n", [ROW], "\n")
    assert text.startswith(f"\n# net\n\n{BEGIN}\n\n| images | pixels |")
    assert (
        "| 50,000 of ImageNet-1k | torch7, scale 256, crop 224, mean 0.485 0.456 0.406, "
        "std 0.229 0.224 0.225 (of pixels 0..1); 1 crop, fp32 | 22.196 (11,098) | 6.000 (3,000) | "
        "top-1 error 22.2 (ResNeXt README): reproduced | 2026-11-28 |\n"
    ) in text
    assert f"  - sha256 of the ledger: {'ef' * 32}\n" in text
    assert text.endswith(f"\n\n{END}\n")


def test_table_takes_the_place_of_the_one_that_is_there() -> None:
    text = f"one\r\n{BEGIN}\r\nold\r\n{END} two\r\nthree"
    found = with_table(text, [ROW, replace(ROW, images=40_000)], "\r\n")
    assert found.startswith(f"one\r\n{BEGIN}\r\n")
    assert found.endswith(f"{END} two\r\nthree")
    assert "a sample of 50,000" in found
    assert "old" not in found
    assert "\n" not in found.replace("\r\n", "")


def test_names_cannot_leave_the_table() -> None:
    row = replace(ROW, dataset={"type": "imagefolder", "name": f"a|b\n{END}<script>"})
    text = with_table("", [row], "\n")
    assert text.count(END) == 1
    assert "<script>" not in text
    assert "a&#124;b" in text


@pytest.mark.parametrize(
    "rest",
    [BEGIN, END, f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"],
    ids=["no end", "no begin", "order", "twice"],
)
def test_lines_of_ours_that_are_no_pair_are_refused(rest: str) -> None:
    with pytest.raises(CardError, match=r"R: <!-- resnext-validate .* expected once each"):
        check_marks(Readme(where="R", start="---\n", matter="a: 1", rest=f"\n---\n{rest}"))

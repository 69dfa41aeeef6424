"""Results of ours in a `model-index`: put in and taken out, and nothing else moves by a byte."""

from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from resnext.errors import CardError
from resnext.model_card.model_index import results_of, with_results
from resnext.model_card.readme import Readme

OURS: dict[str, Any] = {
    "task": {"type": "image-classification"},
    "dataset": {"name": "val", "type": "imagefolder"},
    "metrics": [{"type": "accuracy", "value": 50.0, "args": {"ours": True}}],
}
THEIRS = """\
  - task: {type: image-classification}   # by hand
    dataset:
      name: 'ImageNet-V2'
      type: imagenet-v2
    metrics:
    - {type: accuracy, value: 61.30}
    source:
      name: |
        The paper,
        table 2

      url: https://example.org
"""


def is_ours(result: Any) -> bool:
    return bool(result.get("metrics", [{}])[0].get("args", {}).get("ours"))


def put(matter: str, results: list[Any], line_break: str = "\n") -> str:
    text = f"---\n{matter}\n---\n\n# body\n".replace("\n", line_break)
    return with_results(Readme.of(text, "R"), "net", results, is_ours=is_ours).text


# What a person wrote -> the part of it that stands before ours, and that after it.
FORMS = {
    "none": ("license: mit", "license: mit\nmodel-index:\n- name: net\n  results:\n", ""),
    "empty matter": ("", "model-index:\n- name: net\n  results:\n", ""),
    "comment at the end": ("a: 1\n# x", "a: 1\n# x\nmodel-index:\n- name: net\n  results:\n", ""),
    "empty list": (
        "model-index: []  # none\nb: 2",
        "model-index:  # none\n- name: net\n  results:\n",
        "b: 2\n",
    ),
    "nothing": ("model-index:\nb: 2", "model-index:\n- name: net\n  results:\n", "b: 2\n"),
    "null": ("model-index: ~\nb: 2", "model-index:\n- name: net\n  results:\n", "b: 2\n"),
    "no results": (
        "model-index:\n- name: net\n  results: []\nb: 2",
        "model-index:\n- name: net\n  results:\n",
        "b: 2\n",
    ),
    "others": (
        f"model-index:\n- name: net\n  results:\n{THEIRS}\n  # end\nb: 2",
        f"model-index:\n- name: net\n  results:\n{THEIRS}",
        "\n  # end\nb: 2\n",
    ),
    "another model first": (
        f"model-index:\n- name: other\n  results:\n{THEIRS}- name: net\n  results: []\nb: 2",
        f"model-index:\n- name: other\n  results:\n{THEIRS}- name: net\n  results:\n",
        "b: 2\n",
    ),
    "another name": (
        f"model-index:\n- name: other\n  results:\n{THEIRS}b: 2",
        f"model-index:\n- name: other\n  results:\n{THEIRS}",
        "b: 2\n",
    ),
}
LINES = """\
  - task:
      type: image-classification
    dataset:
      name: val
      type: imagefolder
    metrics:
    - type: accuracy
      value: 50.0
      args:
        ours: true
"""


@pytest.mark.parametrize("line_break", ["\n", "\r\n"], ids=["unix", "windows"])
@pytest.mark.parametrize(("matter", "before", "after"), FORMS.values(), ids=FORMS)
def test_results_are_put_between_the_bytes_of_others(
    matter: str, before: str, after: str, line_break: str
) -> None:
    expected = f"---\n{before}{LINES}{after}---\n\n# body\n".replace("\n", line_break)
    assert put(matter, [OURS], line_break) == expected


@pytest.mark.parametrize(("matter", "before", "after"), FORMS.values(), ids=FORMS)
def test_results_are_replaced_by_others_of_ours(matter: str, before: str, after: str) -> None:
    card = put(matter, [OURS, OURS])
    better = {**OURS, "metrics": [{**OURS["metrics"][0], "value": 75.5}]}
    again = with_results(Readme.of(card, "R"), "net", [better], is_ours=is_ours).text
    assert again == f"---\n{before}{LINES.replace('50.0', '75.5')}{after}---\n\n# body\n"


def test_results_of_ours_between_those_of_others_go_without_a_trace() -> None:
    matter = f"model-index:\n- name: net\n  results:\n{THEIRS}{LINES}\n  # mine\n{THEIRS}b: 2"
    expected = f"---\nmodel-index:\n- name: net\n  results:\n{THEIRS}\n  # mine\n{THEIRS}b: 2\n"
    assert put(matter, []) == f"{expected}---\n\n# body\n"


def test_deeper_indentation_is_followed() -> None:
    matter = "model-index:\n    - name: net\n      results:\n        - a:\n            - x"
    card = put(matter, [OURS])
    assert card.startswith(f"---\n{matter}\n        - task:\n            type: image-class")
    assert len(results_of(Readme.of(card, "R"), "net")) == 2


def test_the_hubs_own_client_reads_the_results() -> None:
    card = ModelCard(put("license: mit", [OURS]))
    [result] = card.data.eval_results
    assert (result.dataset_name, result.metric_type, result.metric_value) == ("val", "accuracy", 50)
    assert result.metric_args == {"ours": True}


def test_what_the_hubs_own_client_wrote_is_taken() -> None:
    written = str(ModelCard(put("license: mit", [OURS])))
    again = with_results(Readme.of(written, "R"), "net", [OURS], is_ours=is_ours).text
    assert yaml.safe_load(again.split("---\n")[1]) == yaml.safe_load(written.split("---\n")[1])
    assert again.count("accuracy") == 1


@pytest.mark.parametrize(
    ("matter", "reason"),
    [
        ("model-index: 3", "R: line 2: a sequence of models expected"),
        ("a: 1\nmodel-index:\n- results: []", "R: line 3: a name and results of each model"),
        ("model-index:\n- name: net\n  results: 3", "a sequence of results"),
        ("model-index:\n- {name: net, results: [{metrics: [{type: b}]}]}", "block style"),
        ("model-index: [{name: net, results: []}]", "block style"),
        ("{license: mit}", "front matter in block style"),
        ("model-index: []\nmodel-index: []", "one model-index expected"),
    ],
)
def test_model_index_of_another_form_is_refused(matter: str, reason: str) -> None:
    with pytest.raises(CardError, match=reason):
        put(matter, [OURS])

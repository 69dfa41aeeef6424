"""A card on disk: measurements come and go, and what a person wrote keeps every byte."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

from resnext.errors import CardError
from resnext.model_card.card import check_card, write_measured
from resnext.model_card.measured import BEGIN, END
from resnext.model_card.readme import Readme
from resnext.model_card.seal import is_sealed, sealed
from tests.resnext.model_card.test_measured import ROW

PERSON = """\
---
# by hand
license: 'cc-by-nc-4.0'
tags: [ timm,  resnext ]
model-index:
- name: net
  results:
  - task: {type: image-classification}
    dataset: {type: x, name: X}
    metrics:
    - {type: accuracy, value: 61.30}   # of the paper
---

# Mine  \t

| a | b |
"""


def card(tmp_path: Path, text: str = PERSON) -> Path:
    path = tmp_path / "README.md"
    path.write_bytes(text.encode())
    return path


def test_what_a_person_wrote_keeps_every_byte(tmp_path: Path) -> None:
    path = card(tmp_path)
    assert write_measured(path, "net", [ROW]) == 1
    text = path.read_text()
    head, matter, body = text.split("---\n", 2)
    front = PERSON.split("---\n")[1]
    assert (head, matter.startswith(front)) == ("", True)
    assert body.startswith("\n# Mine  \t\n\n| a | b |\n\n" + BEGIN)
    assert body.endswith(f"{END}\n")
    results = yaml.safe_load(matter)["model-index"][0]["results"]
    assert [each["metrics"][0]["value"] for each in results] == [61.3, 77.804]


def test_repetition_replaces_its_own_row_and_no_other(tmp_path: Path) -> None:
    path = card(tmp_path)
    pil = {**ROW.protocol, "pipeline": "pil", "interpolation": "bilinear"}
    other = replace(ROW, protocol=pil, correct={"accuracy": 38_000})
    assert write_measured(path, "net", [ROW, other]) == 2
    before = path.read_text()
    assert write_measured(path, "net", [ROW]) == 2
    assert path.read_text() == before
    better = replace(ROW, correct={**ROW.correct, "accuracy": 39_000})
    assert write_measured(path, "net", [better]) == 2
    changes = {"77.804": "78.000", "38902": "39000", "22.196 (11,098)": "22.000 (11,000)"}
    for old, new in changes.items():
        assert before.count(old) == 1
        before = before.replace(old, new)
    assert path.read_text() == before


def test_rows_that_the_hubs_own_client_put_together_are_known(tmp_path: Path) -> None:
    path = card(tmp_path, "---\nlicense: mit\n---\n")
    pil = {**ROW.protocol, "pipeline": "pil", "interpolation": "bilinear"}
    other = replace(ROW, protocol=pil, correct={"accuracy": 38_000})
    write_measured(path, "net", [ROW, other])
    before = path.read_text()
    ModelCard.load(path).save(path)  # one result, of all their metrics
    assert path.read_text().count("task:") == 1
    assert write_measured(path, "net", [ROW]) == 2
    results = yaml.safe_load(path.read_text().split("---\n")[1])["model-index"][0]["results"]
    assert results == yaml.safe_load(before.split("---\n")[1])["model-index"][0]["results"]


def test_rows_of_other_weights_go(tmp_path: Path) -> None:
    path = card(tmp_path)
    write_measured(path, "net", [ROW, replace(ROW, images=1000, correct={"accuracy": 700})])
    replaced = replace(ROW, made={**ROW.made, "weights_sha256": "12" * 32})
    assert write_measured(path, "net", [replaced]) == 1
    assert "ab" * 32 not in path.read_text()


def test_card_that_nobody_changed_is_sealed_anew(tmp_path: Path) -> None:
    path = card(tmp_path, sealed(PERSON, "0.1.0"))
    write_measured(path, "net", [ROW])
    assert is_sealed(path.read_text())


def test_card_that_a_person_changed_is_not_sealed_anew(tmp_path: Path) -> None:
    text = sealed(PERSON, "0.1.0").replace("Mine", "Ours")
    path = card(tmp_path, text)
    write_measured(path, "net", [ROW])
    assert not is_sealed(path.read_text())
    assert path.read_text().endswith(text.splitlines()[-1] + "\n")


@pytest.mark.parametrize(
    "text",
    ["# no front matter\n", "---\na: b: c\n---\n", f"---\na: 1\n---\n{BEGIN}\n", "---\n- a\n---\n"],
)
def test_card_that_cannot_be_written_into_stays(text: str, tmp_path: Path) -> None:
    path = card(tmp_path, text)
    with pytest.raises(CardError, match=r"README\.md: "):
        check_card(path, "net")
    with pytest.raises(CardError, match=r"README\.md: "):
        write_measured(path, "net", [ROW])
    assert path.read_text() == text
    assert [each.name for each in tmp_path.iterdir()] == ["README.md"]


def test_check_writes_nothing(tmp_path: Path) -> None:
    path = card(tmp_path)
    check_card(path, "net")
    assert path.read_text() == PERSON


def test_random_cards_keep_all_but_our_rows(tmp_path: Path) -> None:
    """Cards are put together from parts; without our rows, they come back as they were."""
    chance = random.Random(0)  # noqa: S311 - of a test
    parts = [
        "license: mit",
        "# comment",
        "tags:\n- a\n- b  # c",
        "note: |\n  text\n   more\n",
        "note2: >-\n  folded\n  text",
        "x: {a: [1, 2], 'b': \"c\"}",
        "",
        "y:\n  z:\n    - 1\n    -\n      q: ~",
        'text: "a\\n\n  b"',
    ]
    indexes = [
        "model-index:\n- name: net\n  results:\n  - a: 1\n    b:\n    - c: |\n        d\n\n  # e\n",
        "model-index:\n  - results:\n      -   a:\n           - x\n      - 5\n    name: other\n",
        "model-index:\n-\n  name: net\n  results:\n  -\n    a: 1",
    ]
    for _ in range(100):
        chosen = chance.sample(parts, chance.randrange(len(parts)))
        chosen.insert(chance.randrange(len(chosen) + 1), chance.choice(indexes))
        line_break = chance.choice(["\n", "\r\n"])
        text = "---\n" + "\n".join(chosen) + "\n---\nbody" + chance.choice(["", "\n", "\n\n"])
        text = text.replace("\n", line_break)
        path = card(tmp_path, text)
        write_measured(path, "net", [ROW])
        written = path.read_bytes().decode()
        old, new = Readme.of(text, "R").values(), Readme.of(written, "R").values()
        assert new["model-index"][0]["results"][:-1] == old["model-index"][0]["results"]
        lines = written.split(line_break)
        kept = iter(lines)
        assert all(line in kept for line in text.split(line_break))  # in their order

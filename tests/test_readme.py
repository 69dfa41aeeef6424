"""README and docs say what the data says."""

import re
import shutil
from dataclasses import replace

import pytest

import convert
from benchmarks.tables import PAGES, ROOT, complexity_table, fill
from resnext.preprocessing import read_preprocessing

DIGITS = ROOT / "examples" / "digits"


@pytest.mark.parametrize("page", PAGES)
def test_tables_match_the_data(page):
    text = (ROOT / page).read_text()
    assert fill(page, text) == text, "run `python -m benchmarks.tables`"


def test_networks_of_one_x_complexity_are_the_five_of_the_paper():
    _, _, *rows = complexity_table().splitlines()
    assert [tuple(row.strip("| ").split(" | ")[:3]) for row in rows] == [
        ("64", "1", "`resnet_50`"),
        ("40", "2", "`resnext_50_2x40d`"),
        ("24", "4", "`resnext_50_4x24d`"),
        ("14", "8", "`resnext_50_8x14d`"),
        ("4", "32", "`resnext_50_32x4d`"),
    ]


def test_lines_that_classify_a_folder_name_the_class(tmp_path, monkeypatch, capsys):
    (lines,) = [
        block
        for block in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
        if "runs/digits" in block
    ]
    for folder in ("new", "runs/digits"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(DIGITS / "val" / "0_zero" / "0072.JPEG", tmp_path / "new")
    trained = replace(
        convert.load(DIGITS / "resnext_11_8x4d_digits.t7"),
        classes=("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
        preprocessing=read_preprocessing(DIGITS / "preprocessing.toml"),
    )
    trained.save(tmp_path / "runs" / "digits" / "best.safetensors")
    monkeypatch.chdir(tmp_path)
    exec(lines, {})  # noqa: S102 - our own page
    assert re.fullmatch(
        r"new/0072\.JPEG zero 9\d\.\d%( [a-z]+ \d\.\d%){4}\n", capsys.readouterr().out
    )

"""Names of many letters in files: every message stays short, on every way in."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from resnext.differences import first_difference
from resnext.errors import DataError, ResnextError
from resnext.images.alignment import aligned
from resnext.images.labels import read_labels
from resnext.images.sources.opening import open_images
from resnext.published import read_table
from tests.support import warm
from tests.support.golden import ROOT

DIGITS = ROOT / "examples" / "digits"
LONG = "x" * 4000
VERY_LONG = "y" * 100_000


def message(path: Path, labels: Path | None = None) -> str:
    with pytest.raises(DataError) as caught:
        open_images(str(path), labels=labels)
    return str(caught.value)


def test_csv_of_labels_with_long_names_is_refused_in_few_letters(tmp_path: Path) -> None:
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "a.jpg").touch()
    table = tmp_path / "x.csv"
    for text in (f"{LONG}.jpg,1\n{LONG}.jpg,2\n", f"{LONG}.jpg,1\n", f"a.jpg,{VERY_LONG}\n"):
        table.write_text(text)
        assert 60 < len(message(tmp_path / "val", table)) < 900
    table.write_text(f"a.jpg,{'y' * 5000}\n")
    with pytest.raises(DataError, match=r"line 1: names of at most 4096 letters expected, found y"):
        read_labels(table)


def test_label_beyond_the_network_is_named_by_part_of_a_long_name(tmp_path: Path) -> None:
    images = pa.array([{"bytes": b"x", "path": f"{LONG}.jpg"}])
    pq.write_table(pa.table({"image": images, "label": [12]}), tmp_path / "x.parquet")
    found = open_images(str(tmp_path / "x.parquet"))
    with pytest.raises(DataError, match=r"labels from 0 to 9 expected") as caught:
        aligned(found, classes=10, names=None)
    assert len(str(caught.value)) < 600


def test_type_of_a_column_is_shown_in_few_letters(tmp_path: Path) -> None:
    images = pa.array([{f"{LONG}{number}": 1 for number in range(40)}])
    pq.write_table(pa.table({"image": images, "label": [1]}), tmp_path / "x.parquet")
    assert len(message(tmp_path / "x.parquet")) < 600


def test_text_in_claims_of_many_letters_is_refused(tmp_path: Path) -> None:
    text = (DIGITS / "claims.toml").read_text()
    path = tmp_path / "claims.toml"
    for part in ('"resnext_11_8x4d_digits"', '"Torch7'):
        assert part in text
        path.write_text(text.replace(part, f"{part[:-1]}{VERY_LONG}{part[-1]}", 1))
        with pytest.raises(ResnextError, match=r"must be a text of at most 1000 letters") as caught:
            read_table(path)
        assert len(str(caught.value)) < 600


def test_place_of_a_difference_is_shown_in_few_letters() -> None:
    found = first_difference({VERY_LONG: {VERY_LONG: 1}}, {VERY_LONG: {VERY_LONG: 2}})
    assert found is not None
    assert len(found.name) <= 200


def test_comparison_prints_long_names_in_part(tmp_path: Path) -> None:
    described = {"weights_sha256": "ab", "preprocessing": {"scale": 256}, "crops": 1}
    described |= {"network": VERY_LONG, "precision": "fp32"}
    for name, best in (("torch7", 1), ("pil", 2)):
        fields = {"batch": 0, "image": VERY_LONG, "label": 1, "top5": [[best]], "confidence": [0.5]}
        head = {"ledger": "resnext ledger 1", "runs": [{**described, "pipeline": name}]}
        (tmp_path / name).write_text(f"{json.dumps(head)}\n{json.dumps(fields)}\n")
    done = warm.run(
        "validate.comparison.cli", ["torch7", "pil"], cwd=tmp_path, output=tmp_path / "out"
    )
    assert done.returncode == 0, done.stderr[:500]
    assert max(map(len, done.stdout.splitlines())) < 300


def test_unreadable_pictures_of_long_names_are_named_in_part(tmp_path: Path) -> None:
    images = pa.array([{"bytes": b"x", "path": f"{number}{LONG}.jpg"} for number in range(20)])
    table = pa.table({"image": images, "label": np.arange(20) % 10})
    pq.write_table(table, tmp_path / "x.parquet")
    network = DIGITS / "resnext_11_8x4d_digits.t7"
    words = ("--data", "x.parquet", "--workers", "0", network)
    done = warm.run("validate.cli", words, cwd=tmp_path, output=tmp_path / "out")
    assert done.returncode == 2
    assert max(map(len, [*done.stdout.splitlines(), *done.stderr.splitlines()])) < 10_100

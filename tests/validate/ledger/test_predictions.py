import json
from pathlib import Path

import pytest

from validate.ledger.reading import read_decided, read_decisions
from validate.ledger.stored import LedgerError

HEAD = (
    "image,label,label_name,checkpoint,pipeline,crops,precision,top1,top2,top3,top4,top5,"
    "top1_name,confidence,top1_correct,top5_correct,failure"
)
ROWS = (
    "a/1.png,0,cat,nets/x.t7,torch7,1,fp32,0,1,,,,cat,0.500000,1,1,",
    "'=b.png,1,dog,nets/x.t7,torch7,1,fp32,0,1,,,,cat,0.750000,0,1,",
    "c.png,1,dog,nets/x.t7,torch7,1,fp32,,,,,,,,,,c.png: cut short",
)
OTHERS = tuple(row.replace("torch7", "pil bicubic") for row in ROWS)


def write(path: Path, *rows: str, head: str = HEAD) -> Path:
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def test_rows_are_read_as_what_a_ledger_holds(tmp_path: Path) -> None:
    stored = read_decided(write(tmp_path / "predictions.csv", *ROWS, *OTHERS))
    assert [run["network"] for run in stored.identity["runs"]] == ["x", "x"]
    assert [run["pipeline"] for run in stored.identity["runs"]] == ["torch7", "pil"]
    assert stored.identity["runs"][1]["preprocessing"] == {"interpolation": "bicubic"}
    one, two, three = stored.entries
    assert (one.image, one.label, one.top_five) == ("a/1.png", 0, ((0, 1), (0, 1)))
    assert (two.image, two.confidence) == ("=b.png", (0.75, 0.75))
    assert three.failure == "c.png: cut short"
    assert stored.made["class_names"] == ("cat", "dog")


def test_report_beside_the_rows_states_weights_and_preprocessing(tmp_path: Path) -> None:
    result = {"checkpoint": "nets/x.t7", "pipeline": "torch7", "network": "resnext_50_32x4d"}
    result |= {"weights_sha256": "ab" * 32, "preprocessing": {"crop": 224}}
    report = {"results": [result], "images": {"images": 3, "sha256": "cd"}}
    (tmp_path / "report.json").write_text(json.dumps(report))
    stored = read_decided(write(tmp_path / "p.csv", *ROWS))
    (run,) = stored.identity["runs"]
    assert (run["network"], run["weights_sha256"]) == ("resnext_50_32x4d", "ab" * 32)
    assert stored.identity["data"] == {"images": 3, "sha256": "cd"}
    for text in ("[]", "not JSON", '{"results": 5, "images": 7}'):
        (tmp_path / "report.json").write_text(text)
        (run,) = read_decided(tmp_path / "p.csv").identity["runs"]
        assert (run["network"], run["weights_sha256"]) == ("x", "")


def test_predictions_without_labels_have_the_published_ones(tmp_path: Path) -> None:
    head = "image,top1,top1_name,top1_probability,top2,top2_name,top2_probability,error"
    rows = ("val/ILSVRC2012_val_00000001.JPEG,65,sea snake,0.9,5,x,0.05,",)
    stored = read_decided(write(tmp_path / "p.csv", *rows, head=head))
    (entry,) = stored.entries
    assert (entry.label, entry.top_five, entry.confidence) == (65, ((65, 5),), (0.9,))
    with pytest.raises(LedgerError, match=r"line 2: images of ILSVRC2012's validation set"):
        read_decided(write(tmp_path / "p.csv", "cat.jpg,65,sea snake,0.9,5,x,0.05,", head=head))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            ROWS[0].replace(",0,cat", ",zero,cat"),
            "line 2: the number of a class expected, found 'z",
        ),
        (ROWS[0].replace("0.500000", "2"), "line 2: a probability from 0 to 1 expected"),
        (ROWS[0].replace("0.500000", "nan"), "line 2: a probability from 0 to 1 expected"),
        (ROWS[0].rpartition(",")[0], "rows of predictions expected, found none, or cut ones"),
        (f"{ROWS[0]},5", "rows of predictions expected, found none, or cut ones"),
        (f'"{ROWS[0]}', "unexpected end of data; the file is damaged"),
    ],
    ids=["label", "confidence", "nan", "short", "long", "quote"],
)
def test_damaged_rows_are_refused(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(LedgerError, match=message):
        read_decisions(write(tmp_path / "p.csv", row))


def test_runs_of_different_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="the same images in every run expected, found others"):
        read_decisions(write(tmp_path / "p.csv", *ROWS, *OTHERS[:2]))


def test_image_that_is_named_twice_is_not_compared(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", ROWS[0], ROWS[0])
    assert len(read_decisions(path).entries) == 2
    with pytest.raises(LedgerError, match="line 3: the classes of 1 runs for an image, once"):
        read_decided(path)

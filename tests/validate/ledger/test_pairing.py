"""Pictures of ledgers that read the same pictures in different forms, paired by their names."""

import io
import json
import tarfile
from pathlib import Path

import pyarrow as pa
import pytest

from tests.support import warm
from tests.support.hub_server import Hub
from tests.support.image_forms import CLASSES, add, digits, write_csv, write_parquet
from validate.ledger.pairing import Named, UnpairedError, paired
from validate.ledger.stored import read_ledger

FOLDERS = {"0_zero/a.png": 0, "1_one/b.png": 1, "1_one/c.PNG": 1}


def source(labels: dict[str, int | None], name: str = "two", images: int | None = None) -> Named:
    return Named(source=name, labels=labels, images=images)


@pytest.mark.parametrize(
    ("other", "pairs"),
    [
        (
            {"c.png": 1, "b.png": 1, "a.png": 0},
            {"a.png": "0_zero/a.png", "b.png": "1_one/b.png", "c.png": "1_one/c.PNG"},
        ),
        (
            {"0_zero/a": 0, "1_one/b": 1, "1_one/c": 1},
            {"0_zero/a": "0_zero/a.png", "1_one/b": "1_one/b.png", "1_one/c": "1_one/c.PNG"},
        ),
        ({"digits-00/a": 0, "digits-01/c": 1}, {"digits-00/a": "0_zero/a.png"}),
        ({"val/1_one/c.jpeg": 1}, {"val/1_one/c.jpeg": "1_one/c.PNG"}),
    ],
    ids=["table", "shards", "late shards, a part", "folder above"],
)
def test_names_of_other_forms_are_paired(other: dict[str, int], pairs: dict[str, str]) -> None:
    found = paired(source(FOLDERS, "one"), source(other))
    assert found.others.items() >= pairs.items()
    assert len(found.others) == len(other)
    assert found.note is not None
    assert found.note.startswith(f"two: {len(other)} pictures paired with those of one by the last")


def test_same_names_are_not_looked_at_by_parts() -> None:
    found = paired(source(FOLDERS), source({"0_zero/a.png": 1, "x/b.png": 1}))
    assert (found.others, found.note) == ({}, None)


def test_names_that_repeat_by_class_are_paired_with_their_class() -> None:
    one = {"0_zero/1.png": 0, "1_one/1.png": 1}
    found = paired(source(one), source({"digits-00/0_zero/1": 0, "digits-00/1_one/1": 1}))
    assert found.others["digits-00/1_one/1"] == "1_one/1.png"
    assert "by the last two parts of their names, without suffix" in str(found.note)


def test_accents_that_are_stored_apart_are_the_same() -> None:
    found = paired(source({"x/e\u0301.png": 0}), source({"\u00e9.png": 0}))
    assert found.others == {"\u00e9.png": "x/e\u0301.png"}


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"s/d": 0}, "one expected, found none in common"),
        ({"s/a": 0, "t/a": 0}, "1 have the last part of their names, without suffix, in common, "),
        ({"s/a": 0, "t/a": 0}, "but s/a and t/a of two have the same"),
        ({"s/a": 0, "t/b": 0}, "t/b has the label 0 in place of 1"),
        ({"s/a": 0, "t/d": 0}, "each has pictures that the other lacks, of 3 and 2"),
    ],
)
def test_names_that_do_not_tell_it_are_refused(other: dict[str, int], reason: str) -> None:
    with pytest.raises(UnpairedError) as caught:
        paired(source(FOLDERS, "one"), source(other))
    assert reason in str(caught.value)


def test_parts_of_sets_of_one_size_are_paired() -> None:
    found = paired(source(FOLDERS, images=9), source({"s/a": 0, "t/d": 0}, images=9))
    assert found.others == {"s/a": "0_zero/a.png"}


def test_whole_sets_of_one_size_that_share_a_name_are_not_one_set() -> None:
    with pytest.raises(UnpairedError) as caught:
        paired(
            source(FOLDERS, "one", images=3),
            source({"s/a": 0, "t/d": 0, "t/e": 1}, images=3),
        )
    assert "each has pictures that the other lacks, of 3 and 3" in str(caught.value)


ROWS = {"t-0/000000": 0, "t-0/000001": 1, "t-0/000002": 1}


def test_numbers_of_rows_are_not_names_where_any_set_in_order_has_the_same_labels() -> None:
    table = Named(source="two", labels=ROWS, numbered=True)
    with pytest.raises(UnpairedError) as caught:
        paired(source({"000000": 0, "000001": 1, "000002": 1}), table)
    assert "but these are numbers of rows, in the order of the classes" in str(caught.value)
    with pytest.raises(UnpairedError, match="numbers of rows"):  # labels cannot be compared
        paired(table, source({"000000": None, "000001": None}))


def test_numbers_of_rows_are_paired_where_labels_in_no_order_agree() -> None:
    table = Named(source="two", labels={**ROWS, "t-0/000003": 0}, numbered=True)
    found = paired(source({"000000": 0, "000001": 1, "000002": 1, "000003": 0}), table)
    assert found.others["t-0/000002"] == "000002"


def test_ledger_says_that_its_images_are_called_by_rows(few: Path, tmp_path: Path) -> None:
    rows = [{"image": data, "label": label} for _, _, data, label in digits(few / "val")]
    write_parquet(tmp_path / "t.parquet", rows[:9], names=list(CLASSES), image=pa.binary())
    ledger = tmp_path / "l"
    validate(ledger, f"--data={tmp_path / 't.parquet'}", digits=few)
    stored = read_ledger(ledger)
    assert stored is not None
    assert (stored.numbered, stored.entries[8].image) == (True, "t/000008")


def test_keys_of_shards_are_names_though_they_are_numbers() -> None:
    found = paired(source(ROWS), source({"000000": 0, "000001": 1, "000002": 1}))
    assert len(found.others) == 3


def shard(part: list[tuple[str, str, bytes, int]]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for _, file, data, label in part:
            key = file.partition(".")[0]
            add(tar, f"{key}.jpg", data)
            add(tar, f"{key}.cls", str(label).encode())
    return packed.getvalue()


def validate(ledger: Path, *words: str, digits: Path) -> None:
    """Measure digits; those of the folder state claims and the network."""
    network = digits / "resnext_11_8x4d_digits.t7"
    words = (f"--ledger={ledger}", *words, f"--claims={digits / 'claims.toml'}", str(network))
    done = warm.run("validate.cli", words, cwd=ledger.parent)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def ledgers(few: Path, hub: Hub, tmp_path: Path) -> dict[str, Path]:
    """Measure 48 digits in five forms; return their ledgers by what the forms are called."""
    samples = list(digits(few / "val"))
    with tarfile.open(tmp_path / "flat.tar", "w") as tar:
        for _, file, data, _ in samples:
            add(tar, file, data)
    labels = write_csv(tmp_path / "labels.csv", [(file, label) for _, file, _, label in samples])
    rows: list[dict[str, object]] = [
        {"image": {"bytes": data, "path": file}, "label": label} for _, file, data, label in samples
    ]
    write_parquet(tmp_path / "x.parquet", rows, names=list(CLASSES))
    shards = {f"x-val-{part}.tar": shard(samples[part * 12 : part * 12 + 12]) for part in range(4)}
    (tmp_path / "shards").mkdir()
    for name, packed in shards.items():
        (tmp_path / "shards" / name).write_bytes(packed)
    listed = {"filenames": [*shards], "shard_lengths": [12] * 4}
    info = json.dumps({"splits": {"validation": listed}}).encode()
    hub.add("me/wds", {**shards, "_info.json": info}, kind="dataset")
    forms = {
        "folders": [f"--data={few / 'val'}"],
        "tar": [f"--data={tmp_path / 'flat.tar'}", f"--labels={labels}"],
        "parquet": [f"--data={tmp_path / 'x.parquet'}"],
        "shards": [f"--data={tmp_path / 'shards'}"],
        "late": ["--data=hf://datasets/me/wds", f"--cache={tmp_path / 'cache'}"],
    }
    found = {name: tmp_path / f"{name}.jsonl" for name in forms}
    for name, words in forms.items():
        validate(found[name], *words, digits=few)
    return found


def test_measurements_of_five_forms_are_compared_and_judged_as_one_set(
    ledgers: dict[str, Path], few: Path, tmp_path: Path
) -> None:
    names = {}
    for form, path in ledgers.items():
        with path.open() as file:
            names[form] = [json.loads(line)["image"] for line in [*file][1:4]]
    assert names["folders"][0] == "0_zero/1445.JPEG"
    assert names["late"][0] == "x-val-0/1445"
    assert names["shards"][0] == "1445"

    words = ["--json", str(ledgers["shards"]), str(ledgers["late"])]
    done = warm.run("validate.comparison.cli", words, cwd=tmp_path)
    (found,) = json.loads(done.stdout)["comparisons"]
    assert (found["images"], found["both_right"], found["changed"]) == (48, 46, [])
    (note,) = found["notes"]
    assert note == (
        f"{ledgers['late']}: 48 pictures paired with those of {ledgers['shards']} by the last "
        "part of their names, without suffix, as x-val-0/1445 with 1445"
    )

    page = tmp_path / "page.html"
    words = [*map(str, ledgers.values()), f"--html={page}", f"--data={tmp_path / 'shards'}"]
    done = warm.run("validate.comparison.cli", words, cwd=tmp_path)
    assert (done.returncode, "48 images in common" in done.stdout) == (0, True), done.stderr
    assert done.stdout.count("paired with those of") == 4
    assert "right in all 46" in " ".join(done.stdout.split())
    assert page.read_text().count('src="data:image/png') == 2

    words = [*words[:5], "--claims", str(few / "claims.toml")]
    done = warm.run("validate.judge_cli", words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("paired with those of") == 4
    assert done.stdout.count("46/48") == 5

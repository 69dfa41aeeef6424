"""Images at addresses of the Hub: which files are meant, and that a run begins with the first."""

import io
import json
import os
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from resnext.download import Progress
from resnext.errors import DataError, ResnextError
from resnext.images.image_set import ImageSet
from resnext.images.sources.opening import open_images
from tests.support import warm
from tests.support.golden import ROOT
from tests.support.hub_server import Fault, Hub
from tests.support.image_forms import CLASSES, add, digits, write_parquet

T7 = ROOT / "examples/digits/resnext_11_8x4d_digits.t7"
RIGHT = 113  # of the 120, by Torch7's logits (digits_val_logits.npz)
LAST = "data/validation-00002-of-00003.parquet"
TOKEN = "hf_0123456789"  # noqa: S105 - of no one


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return 120 digits in three Parquet files of 2 MB, and three in another split."""
    folder = tmp_path_factory.mktemp("tables")
    rows = [
        {"image": {"bytes": data, "path": name}, "label": label} for name, label, data in expected()
    ]
    found = {"README.md": b"of digits"}
    parts = {
        f"data/validation-{part:05d}-of-00003.parquet": rows[part * 40 : (part + 1) * 40]
        for part in range(3)
    }
    parts["data/train-00000-of-00001.parquet"] = rows[:3]
    for name, part in parts.items():
        path = write_parquet(folder / name, part, names=list(CLASSES), row_group_size=15)
        found[name] = path.read_bytes()
    return found


def split(size: int) -> list[bytes]:
    """Return the digits in Parquet files of so many."""
    rows = [
        {"image": {"bytes": data, "path": name}, "label": label} for name, label, data in expected()
    ]
    found = []
    with TemporaryDirectory() as folder:
        for first in range(0, len(rows), size):
            path = Path(folder) / "x.parquet"
            write_parquet(path, rows[first : first + size], names=list(CLASSES))
            found.append(path.read_bytes())
    return found


def contents(images: ImageSet) -> list[tuple[str, int, bytes]]:
    labels = images.labels.tolist()
    return [(name, labels[at], images.reader.read(at)) for at, name in enumerate(images.ids)]


def expected() -> list[tuple[str, int, bytes]]:
    """Return every third digit with bytes behind its end that no decoder reads."""
    behind = Random(0)  # noqa: S311
    some = islice(digits(), 0, None, 3)
    return [(file, label, data + behind.randbytes(48_000)) for _, file, data, label in some]


def test_parquet_files_of_the_split_are_found_and_named_by_the_commit(
    hub: Hub, tmp_path: Path, tables: dict[str, bytes]
) -> None:
    commit = hub.add("me/digits", tables, kind="dataset")
    images = open_images("hf://datasets/me/digits", cache=tmp_path)
    assert images.root == f"hf://datasets/me/digits@{commit}"
    assert images.classes == CLASSES
    assert contents(images) == expected()
    assert not [each for each in hub.requests if "train-" in each.path]
    assert len(open_images("hf://datasets/me/digits", cache=tmp_path, split="train")) == 3


@pytest.mark.parametrize(
    "path",
    ["/data", "/data/validation-*.parquet", "/data/validation-0000{0..2}-of-00003.parquet"],
    ids=["folder", "pattern", "braces"],
)
def test_subfolder_or_pattern_names_the_files(
    hub: Hub, tmp_path: Path, tables: dict[str, bytes], path: str
) -> None:
    hub.add("me/digits", tables, kind="dataset", revision="refs/pr/1")
    images = open_images(f"hf://datasets/me/digits@refs/pr/1{path}", cache=tmp_path)
    assert contents(images) == expected()


def test_images_are_read_before_the_last_file_has_come(
    hub: Hub, tmp_path: Path, tables: dict[str, bytes]
) -> None:
    hub.add("me/digits", tables, kind="dataset")
    hub.hold_body(LAST)
    images = open_images("hf://datasets/me/digits", cache=tmp_path)
    assert [images.ids[at] for at in (0, 119)] == [expected()[0][0], expected()[-1][0]]
    assert images.reader.read(79) == expected()[79][2]
    assert len(list(tmp_path.rglob("*.parquet"))) < 3
    assert any("3 files of " in note for note in images.notes)
    hub.release(LAST)
    assert images.reader.read(119) == expected()[119][2]


@contextmanager
def validating(data: str, folder: Path, *options: str) -> Iterator[warm.BaseProcess]:
    """Start a measurement, which is ended with the block; what it prints is `printed` there."""
    claims = ROOT / "examples/digits/claims.toml"
    words = [f"--data={data}", "--cache=cache", *options, "--claims", claims, "--batch-size=16", T7]
    process = warm.start("validate.cli", words, cwd=folder, output=folder / "printed")
    try:
        yield process
    finally:
        process.kill()
        process.join()


def ended(process: warm.BaseProcess, folder: Path) -> subprocess.CompletedProcess[str]:
    """Wait until a measurement has ended, and return how."""
    process.join(timeout=150)
    assert process.exitcode is not None
    output = folder / "printed"
    printed = (output.read_text(), warm.errors(output))
    return subprocess.CompletedProcess([], process.exitcode, *printed)


def validate(data: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    with validating(data, folder, *options) as process:
        return ended(process, folder)


def wait_for_lines(path: Path, count: int) -> int:
    end = time.monotonic() + 150
    while lines(path) < count and time.monotonic() < end:
        time.sleep(0.05)
    return lines(path)


def lines(path: Path) -> int:
    return path.read_text().count("\n") if path.is_file() else 0


def test_decisions_are_in_the_ledger_before_the_last_file_has_come(
    hub: Hub, tmp_path: Path, tables: dict[str, bytes]
) -> None:
    commit = hub.add("me/digits", tables, kind="dataset")
    hub.hold_body(LAST)
    ledger = tmp_path / "ledger"
    options = ("--ledger=ledger", "--output=out")
    with validating("hf://datasets/me/digits", tmp_path, *options) as process:
        assert (wait_for_lines(ledger, 65) >= 65, process.exitcode) == (True, None)
        hub.release(LAST)
        done = ended(process, tmp_path)
    assert done.returncode == 0, done.stderr
    assert lines(ledger) == 1 + 120
    with ledger.open() as file:
        assert json.loads(file.readline())["data"]["address"] == f"hf://datasets/me/digits@{commit}"
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["images"]["root"] == f"hf://datasets/me/digits@{commit}"


def test_file_that_cannot_come_ends_the_run_with_one_line(
    hub: Hub, tmp_path: Path, tables: dict[str, bytes]
) -> None:
    hub.add("me/digits", tables, kind="dataset")
    images = open_images("hf://datasets/me/digits", cache=tmp_path / "other")
    assert images.reader.read(119)  # all have come; the listing is not shared
    hub.plan_body(LAST, Fault(status=404))
    done = validate("hf://datasets/me/digits", tmp_path)
    said = done.stderr
    assert done.returncode == 2
    assert said.strip().splitlines()[-1].endswith(f"{LAST}: the Hub answers 404 Not Found")
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["a/validation-0.parquet", "b/validation-0.parquet"], "files of one set expected, found"),
        (["validation-0.parquet", "validation-0.tar"], "Parquet files or tars, not both, expected"),
        (["train-0.parquet", "test-0.parquet"], "files of the split 'val' expected, found those"),
        (["README.md"], "Parquet files, tars or images expected, found README.md"),
    ],
    ids=["folders", "forms", "splits", "nothing"],
)
def test_files_that_do_not_say_which_are_meant_are_asked_for(
    hub: Hub, tmp_path: Path, files: list[str], said: str
) -> None:
    hub.add("me/set", dict.fromkeys(files, b"x"), kind="dataset")
    with pytest.raises(DataError) as caught:
        open_images("hf://datasets/me/set", cache=tmp_path)
    assert said in str(caught.value)


def test_labels_beside_those_of_the_files_are_refused_before_anything_is_fetched(
    hub: Hub, tmp_path: Path, tables: dict[str, bytes]
) -> None:
    hub.add("me/digits", tables, kind="dataset")
    with pytest.raises(DataError, match="these images bring labels"):
        open_images("hf://datasets/me/digits", labels=tmp_path / "x.csv", cache=tmp_path)
    assert not [each for each in hub.requests if "/resolve/" in each.path]


def test_gated_set_names_its_page_and_no_token(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tables: dict[str, bytes]
) -> None:
    hub.add("me/digits", tables, kind="dataset")
    hub.repos["dataset", "me/digits"].gated = True
    hub.tokens[TOKEN] = set()
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(ResnextError) as caught:
        open_images("hf://datasets/me/digits", cache=tmp_path)
    assert "https://huggingface.co/datasets/me/digits" in str(caught.value)
    assert TOKEN not in str(caught.value)
    hub.tokens[TOKEN] = {"me/digits"}
    assert len(open_images("hf://datasets/me/digits", cache=tmp_path)) == 120


def test_address_of_a_model_is_told_what_a_set_is_called(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="hf://datasets/me/digits is one of a data set"):
        open_images("hf://me/digits", cache=tmp_path)
    assert hub.requests == []


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_a_run_whose_server_does_not_answer(
    hub: Hub, tmp_path: Path, tables: dict[str, bytes], end: signal.Signals
) -> None:
    hub.add("me/digits", tables, kind="dataset")
    hub.hold(LAST)  # its labels do not come either
    with validating("hf://datasets/me/digits", tmp_path, "--stream") as run:
        while not hub.asked(LAST):
            time.sleep(0.05)
        time.sleep(0.5)
        began = time.monotonic()
        os.kill(run.pid or 0, end)
        done = ended(run, tmp_path)
        assert time.monotonic() - began < 10
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("resnext-validate: ")
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "cache").glob(".stream.*"))


@pytest.mark.parametrize("workers", [0, 2])
def test_stream_reads_each_file_once_and_keeps_nothing(
    hub: Hub, tmp_path: Path, workers: int
) -> None:
    many = {f"data/validation-{at}.parquet": data for at, data in enumerate(split(12))}
    hub.add("me/digits", many, kind="dataset")
    done = validate(
        "hf://datasets/me/digits", tmp_path, "--stream", "--ledger=ledger", f"--workers={workers}"
    )
    assert done.returncode == 0, done.stderr
    assert lines(tmp_path / "ledger") == 1 + 120
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert {path.name for path in kept} == {".files.json", "main"}
    for name, data in many.items():
        ranges = [each.range or "" for each in hub.asked(name) if each.path.startswith("/cdn/")]
        assert ranges.count(f"bytes=0-{len(data) - 1}") == 1, ranges


WDS = "wds-validation-{:02d}.tar"
ONE_MORE = {"name": "wds", "splits": {"train": {"filenames": ["x.tar"], "shard_lengths": [1]}}}


@pytest.fixture(scope="module")
def shards() -> dict[str, bytes]:
    """Return 120 digits in six shards of 20, and the list of them that timm adds."""
    found: dict[str, bytes] = {"wds-train-00.tar": b"of another split"}
    samples = expected()
    for number in range(6):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for name, label, data in samples[number * 20 : (number + 1) * 20]:
                key = name.partition(".")[0]
                add(tar, f"{label}_{key}.jpg", data)
                add(tar, f"{label}_{key}.cls", str(label).encode())
        found[WDS.format(number)] = packed.getvalue()
    names = [WDS.format(number) for number in range(6)]
    listed = {"filenames": names, "shard_lengths": [20] * 6}
    info = {**ONE_MORE, "splits": {**ONE_MORE["splits"], "validation": listed}}  # type: ignore[dict-item]
    found["_info.json"] = json.dumps(info).encode()
    return found


def test_shards_are_measured_before_the_last_one_has_come(
    hub: Hub, tmp_path: Path, shards: dict[str, bytes]
) -> None:
    hub.add("me/wds", shards, kind="dataset")
    last = WDS.format(5)
    hub.hold(last)
    ledger = tmp_path / "ledger"
    with validating("hf://datasets/me/wds", tmp_path, "--ledger=ledger") as process:
        assert (wait_for_lines(ledger, 81) >= 81, process.exitcode) == (True, None)
        hub.release(last)
        done = ended(process, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (lines(ledger), f"{RIGHT}/120" in done.stdout) == (1 + 120, True)


@pytest.mark.parametrize("kept", [0, 70], ids=["new", "continued"])
def test_stream_of_shards_keeps_none(
    hub: Hub, tmp_path: Path, shards: dict[str, bytes], kept: int
) -> None:
    hub.add("me/wds", shards, kind="dataset")
    options = ("--stream", "--ledger=ledger", "--workers=1")
    if kept:
        assert validate("hf://datasets/me/wds", tmp_path, *options).returncode == 0
        rows = (tmp_path / "ledger").read_text().splitlines(keepends=True)
        (tmp_path / "ledger").write_text("".join(rows[: 1 + kept]))
    done = validate("hf://datasets/me/wds", tmp_path, *options)
    assert (done.returncode, f"{RIGHT}/120" in done.stdout) == (0, True), done.stderr
    assert lines(tmp_path / "ledger") == 1 + 120
    assert not list(tmp_path.rglob("*.tar"))
    assert not list((tmp_path / "cache").glob(".stream*"))


def test_shard_of_another_length_than_listed_is_refused(
    hub: Hub, tmp_path: Path, shards: dict[str, bytes]
) -> None:
    wrong = {**shards, WDS.format(3): shards[WDS.format(2)][:20480] + bytes(10240)}
    hub.add("me/wds", wrong, kind="dataset")
    done = validate("hf://datasets/me/wds", tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert WDS.format(3) in done.stderr.splitlines()[-1]


def test_shards_are_opened_whole_for_whoever_needs_all_names(
    hub: Hub, tmp_path: Path, shards: dict[str, bytes]
) -> None:
    hub.add("me/wds", shards, kind="dataset")
    images = open_images("hf://datasets/me/wds", cache=tmp_path)
    assert images.ids[21].startswith("wds-validation-01/1_")
    assert [each[1:] for each in contents(images)] == [each[1:] for each in expected()]


LENGTHS = {f"{WDS.format(number)}": 20 for number in range(6)}
BESIDE: dict[str, object] = {
    "sizes.json": LENGTHS,
    "index.json": {
        "wids_version": 1,
        "shardlist": [{"url": name, "nsamples": count} for name, count in LENGTHS.items()],
    },
    "_info.json": {
        "splits": {
            "validation": {"filenames": [*LENGTHS], "shard_lengths": [*LENGTHS.values()]},
        },
    },
}


@pytest.mark.parametrize("beside", BESIDE)
@pytest.mark.parametrize("address", ["/val", "/val/wds-validation-{00..05}.tar", "/val/*-val*.tar"])
def test_shards_whose_lengths_are_stated_beside_them_begin_with_the_first(
    hub: Hub, tmp_path: Path, shards: dict[str, bytes], beside: str, address: str
) -> None:
    files = {f"val/{name}": shards[name] for name in LENGTHS}
    stated = json.dumps(BESIDE[beside]).encode()
    hub.add("me/wds", {**files, f"val/{beside}": stated}, kind="dataset")
    last = f"val/{WDS.format(5)}"
    hub.hold(last)
    told: list[str] = []
    images = open_images(
        f"hf://datasets/me/wds{address}", cache=tmp_path, late=True, note=told.append
    )
    assert (len(images), told) == (120, [])
    assert images.reader.read(21) == expected()[21][2]
    hub.release(last)
    assert images.reader.read(119) == expected()[119][2]


@pytest.mark.parametrize(
    "stated",
    [None, b"{", json.dumps({WDS.format(1): 20}).encode()],
    ids=["nothing", "damaged", "a part"],
)
def test_wait_for_shards_of_unknown_lengths_is_said_before_it_begins(
    hub: Hub, tmp_path: Path, shards: dict[str, bytes], stated: bytes | None
) -> None:
    files = {name: shards[name] for name in LENGTHS}
    hub.add("me/wds", {**files, **({"sizes.json": stated} if stated else {})}, kind="dataset")
    told: list[tuple[str, int]] = []

    def note(text: str) -> None:
        told.append((text, sum("/resolve/" in each.path for each in hub.requests)))

    steps: list[tuple[int, int | None]] = []

    @contextmanager
    def bar(name: str) -> Iterator[Progress]:
        assert name == "6 shards"
        yield lambda done, whole: steps.append((done, whole))

    images = open_images("hf://datasets/me/wds", cache=tmp_path, late=True, note=note, progress=bar)
    ((text, asked),) = told
    total = sum(map(len, files.values()))
    assert (len(steps), steps[0], steps[-1]) == (7, (0, total), (total, total))
    assert asked == (1 if stated else 0)  # for that file alone
    assert text == (
        f"{images.root}: 6 files of {total / 1e6:.1f} MB to fetch, read when all have come, kept "
        "in the cache: nothing beside them says how many samples each has; a sizes.json would let "
        "a measurement begin with the first"
    )
    assert [each[1:] for each in contents(images)] == [each[1:] for each in expected()]
    assert images.notes == ()
    again = open_images("hf://datasets/me/wds", cache=tmp_path, late=True, note=note)
    assert (len(again), len(told)) == (120, 1)


def test_shards_of_another_length_than_stated_are_refused(
    hub: Hub, tmp_path: Path, shards: dict[str, bytes]
) -> None:
    files = {name: shards[name] for name in LENGTHS}
    stated = json.dumps({**LENGTHS, WDS.format(1): 21}).encode()
    hub.add("me/wds", {**files, "sizes.json": stated}, kind="dataset")
    images = open_images("hf://datasets/me/wds", cache=tmp_path, late=True)
    assert len(images) == 121
    with pytest.raises(ResnextError, match=r"wds-validation-01\.tar: 21 samples expected, as the"):
        images.reader.read(20)


def test_lists_of_shards_that_disagree_are_not_believed(
    hub: Hub, tmp_path: Path, shards: dict[str, bytes]
) -> None:
    files = {name: shards[name] for name in LENGTHS}
    stated = json.dumps({**LENGTHS, WDS.format(1): 21}).encode()
    other = json.dumps(BESIDE["index.json"]).encode()
    hub.add("me/wds", {**files, "sizes.json": stated, "index.json": other}, kind="dataset")
    told: list[str] = []
    address = "hf://datasets/me/wds/*.tar"
    assert len(open_images(address, cache=tmp_path, late=True, note=told.append)) == 120
    assert "nothing beside them says how many samples each has" in told[0]


def test_copy_of_a_shard_is_refused_before_it_is_fetched(
    hub: Hub, tmp_path: Path, shards: dict[str, bytes]
) -> None:
    files = {name: shards[WDS.format(0)] for name in LENGTHS}
    hub.add("me/wds", {**files, "sizes.json": json.dumps(LENGTHS).encode()}, kind="dataset")
    with pytest.raises(DataError) as caught:
        open_images("hf://datasets/me/wds", cache=tmp_path, late=True)
    assert str(caught.value).endswith(
        f"{WDS.format(1)}: other samples than in {WDS.format(0)} expected, found the same file; "
        "give each shard once"
    )
    assert not list(tmp_path.rglob("*.tar"))


def test_shards_of_one_name_in_two_folders_are_told_apart(
    hub: Hub, tmp_path: Path, shards: dict[str, bytes]
) -> None:
    one, two = (shards[WDS.format(number)] for number in (0, 1))
    sizes = json.dumps({"x.tar": 20}).encode()
    files = {"a/x.tar": one, "a/sizes.json": sizes, "b/x.tar": two, "b/sizes.json": sizes}
    hub.add("me/wds", files, kind="dataset")
    images = open_images("hf://datasets/me/wds/*/x.tar", cache=tmp_path, late=True)
    assert len(images) == 40
    assert [images.ids[at].rpartition("/")[0] for at in (0, 20)] == ["0/x", "1/x"]


def test_rows_far_behind_the_first_of_their_group_wait_for_the_whole_file(
    hub: Hub, tmp_path: Path
) -> None:
    chance = Random(1)  # noqa: S311
    rows: list[dict[str, object]] = [
        {"image": {"bytes": data + chance.randbytes(130_000), "path": file}, "label": label}
        for _, file, data, label in list(digits())[:140]
    ]
    path = write_parquet(tmp_path / "x.parquet", rows, names=list(CLASSES), row_group_size=140)
    name = "data/validation.parquet"
    hub.add("me/large", {name: path.read_bytes()}, kind="dataset")
    hub.hold_body(name)
    images = open_images("hf://datasets/me/large", cache=tmp_path / "cache")
    asked = len(hub.asked(name))
    with ThreadPoolExecutor() as pool:
        found = pool.submit(images.reader.read, 139)
        with pytest.raises(TimeoutError):
            found.result(1)
        hub.release(name)
        assert found.result(60) == rows[139]["image"]["bytes"]  # type: ignore[index]
    assert len(hub.asked(name)) - asked <= 2  # for the file itself, and where it leads


def test_first_pictures_of_a_large_parquet_file_do_not_wait_for_all_of_it(
    hub: Hub, tmp_path: Path
) -> None:
    chance = Random(1)  # noqa: S311
    rows: list[dict[str, object]] = [
        {
            "image": {"bytes": data + chance.randbytes(900_000), "path": f"{label}/{file}"},
            "label": label,
        }
        for _, file, data, label in list(digits())[::18]
    ]
    path = write_parquet(tmp_path / "x.parquet", rows, names=list(CLASSES), row_group_size=5)
    name = "data/validation.parquet"
    hub.add("me/large", {name: path.read_bytes()}, kind="dataset")
    hub.hold_body(name)
    images = open_images("hf://datasets/me/large", cache=tmp_path / "cache")
    assert images.reader.read(0) == rows[0]["image"]["bytes"]  # type: ignore[index]
    assert images.reader.read(4) == rows[4]["image"]["bytes"]  # type: ignore[index]
    hub.release(name)
    assert images.reader.read(19) == rows[19]["image"]["bytes"]  # type: ignore[index]
    sent = [each.range or "" for each in hub.asked(name) if each.path.startswith("/cdn/")]
    spans = [tuple(map(int, each.removeprefix("bytes=").split("-"))) for each in sent]
    afar = [last - first + 1 for first, last in spans if last - first < 2_000_000]
    assert sum(afar) < 10_000_000  # of 18 MB: labels, names, and the first row group

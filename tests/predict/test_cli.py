"""`resnext-predict` as a user runs it."""

import csv
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from select import select

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors import safe_open

from resnext.checkpoint import Checkpoint
from tests.support import warm
from tests.support.digits import DIGITS
from tests.support.ports import free_port

THREE = DIGITS / "val" / "3_three" / "0013.JPEG"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a function that runs the command as a user would; warnings are errors in it."""
    output = tmp_path_factory.mktemp("printed") / "out"

    def run(*words: str | Path, cwd: Path = DIGITS) -> subprocess.CompletedProcess[str]:
        return warm.run("predict.cli", words, cwd=cwd, output=output)

    return run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder with three pictures in subfolders, and one that is cut short."""
    root = tmp_path / "photos"
    for name in ("3_three/0013", "1_one/1030", "7_seven/0044"):
        (root / name).parent.mkdir(parents=True)
        shutil.copy(DIGITS / "val" / f"{name}.JPEG", root / f"{name}.jpg")
    (root / "2_two").mkdir()
    (root / "2_two" / "cut.jpg").write_bytes(THREE.read_bytes()[:200])
    return root


def assert_refused(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """Check exit code 2, nothing on stdout, and one line on stderr that holds the parts."""
    assert done.stderr.startswith("resnext-predict: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert [part for part in parts if part not in done.stderr] == [], done.stderr
    assert (done.returncode, done.stdout) == (2, "")


def test_rows_of_a_pipe_hold_all_pictures_and_the_reason_of_a_broken_one(
    run: Run, network: Path, photos: Path
) -> None:
    done = run(network, photos.name, "--top", "2", cwd=photos.parent)
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert [*rows[0]] == [
        *("image", "top1", "top1_name", "top1_probability"),
        *("top2", "top2_name", "top2_probability", "error"),
    ]
    assert [(row["image"], row["top1"], row["top1_name"]) for row in rows] == [
        ("photos/1_one/1030.jpg", "1", "1_one"),
        ("photos/2_two/cut.jpg", "", ""),
        ("photos/3_three/0013.jpg", "3", "3_three"),
        ("photos/7_seven/0044.jpg", "7", "7_seven"),
    ]
    assert float(rows[2]["top1_probability"]) == pytest.approx(0.9605, abs=1e-4)
    assert [bool(row["error"]) for row in rows] == [False, True, False, False]
    assert done.returncode == 2
    assert done.stderr == ("resnext-predict: 1 of 4 pictures could not be read, as listed\n")


def test_json_is_one_object(run: Run, network: Path, photos: Path) -> None:
    done = run(network, THREE, photos / "2_two", "--json", "--top", "2")
    found = json.loads(done.stdout)["predictions"]
    assert found[0]["image"] == str(THREE)
    assert found[0]["top"][0] == {
        "label": 3,
        "name": "3_three",
        "probability": pytest.approx(0.9605, abs=1e-4),
    }
    assert [answer["label"] for answer in found[0]["top"]] == [3, 9]
    assert (found[1]["image"], found[1]["top"]) == (str(photos / "2_two" / "cut.jpg"), [])
    assert "error" in found[1]
    assert "error" not in found[0]
    assert done.returncode == 2


@pytest.mark.usefixtures("photos")
def test_files_hold_the_same_in_every_format(run: Run, network: Path, tmp_path: Path) -> None:
    images = [*("1_one/1030.jpg", "2_two/cut.jpg", "3_three/0013.jpg", "7_seven/0044.jpg")]
    names = [f"photos/{name}" for name in images]
    pairs = (("csv", "npy"), ("jsonl", "safetensors"), ("parquet", "parquet"))
    for rows, features in pairs:
        done = run(
            *(network, "photos", "--output", f"rows.{rows}", "--features", f"f.{features}"),
            cwd=tmp_path,
        )
        assert done.returncode == 2
        assert done.stdout == f"rows.{rows}: 4 pictures\nf.{features}: 4 pictures\n"
    with (tmp_path / "rows.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    stored = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    assert [row["image"] for row in table] == [line["image"] for line in lines] == names
    assert [row["image"] for row in stored] == names
    for row, line, other in zip(table, lines, stored, strict=True):
        labels = [answer["label"] for answer in line["top"]]
        assert [int(row[f"top{n}"]) for n in range(1, len(labels) + 1)] == labels
        assert other["labels"] == labels
        assert other["names"] == [answer["name"] for answer in line["top"]]
        np.testing.assert_allclose(
            other["probabilities"], [a["probability"] for a in line["top"]], rtol=1e-5
        )
        assert (other["error"] or "") == row["error"] == line.get("error", "")
    array = np.load(tmp_path / "f.npy", allow_pickle=False)
    assert (array.dtype, array.shape) == (np.float32, (4, 1024))
    assert np.isnan(array).all(axis=1).tolist() == [False, True, False, False]
    with safe_open(tmp_path / "f.safetensors", framework="np") as tensors:
        assert json.loads(tensors.metadata()["images"]) == names
        assert tensors.metadata()["layer"] == "fc"
        np.testing.assert_array_equal(tensors.get_tensor("features"), array)
    kept = pq.read_table(tmp_path / "f.parquet")
    assert kept.column("image").to_pylist() == names
    np.testing.assert_array_equal(np.array(kept.column("features").to_pylist(), "f4"), array)


def test_list_on_stdin_is_taken_where_it_stands(network: Path, tmp_path: Path) -> None:
    for name in ("a\nb.jpg", "c{1}.jpg"):
        shutil.copy(THREE, tmp_path / name)
    command = [network, "--json", "--top", "1"]

    def images(words: list[str], text: bytes) -> list[str]:
        output, typed = tmp_path / "out", tmp_path / "typed"
        typed.write_bytes(text)
        process = warm.start(
            "predict.cli", [*command, *words], cwd=tmp_path, output=output, typed=typed
        )
        process.join()
        assert process.exitcode == 0, warm.errors(output)
        return [each["image"] for each in json.loads(output.read_text())["predictions"]]

    names = ["a\nb.jpg", "c{1}.jpg"]
    assert images(["-0"], b"a\nb.jpg\0c{1}.jpg\0") == names
    assert images([str(THREE), "-", str(THREE)], b"c{1}.jpg\r\n\n") == [
        *(str(THREE), "c{1}.jpg", str(THREE))
    ]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["empty"], ["empty: ", "found no picture"]),
        (["nowhere.jpg"], ["nowhere.jpg: no such file or folder"]),
        (
            [THREE, "--features", "f.npy", "--layer", "layer9"],
            ["layer1, layer2, layer3", "'layer9'"],
        ),
        ([THREE, "--layer", "layer1"], ["--layer without --features"]),
        ([THREE, "--features", "nowhere/f.npy"], ["--features nowhere/f.npy", "no folder nowhere"]),
        ([THREE, "--features", "empty"], ["--features empty", ".npy, .safetensors, .parquet"]),
        ([THREE, "--output", "rows.txt"], ["--output rows.txt", ".csv, .jsonl, .parquet expected"]),
        ([THREE, "--output", "x.parquet", "--features", "empty/../x.parquet"], ["two names"]),
        ([THREE, "--output", "folder.csv"], ["folder.csv: a file expected, found a folder"]),
        (
            [THREE, "--html", "empty", "--output", "empty/rows.csv"],
            ["--output empty/rows.csv", "outside of the page's folder empty"],
        ),
        (
            [THREE, "--html", "empty", "--features", "empty/../empty/f.npy"],
            ["--features empty/../empty/f.npy", "outside of the page's folder empty"],
        ),
        (["photo.csv", "--output", "photo.csv"], ["--output photo.csv", "it is photo.csv itself"]),
        ([THREE, "--features", "net.safetensors"], ["net.safetensors itself"]),
        (["-", "-"], ["- given twice"]),
        (["-0", THREE], ["-0 without -"]),
        ([], ["Missing argument 'IMAGE...'"]),
        ([THREE, "--threshold", "2"], ["--threshold", "0<=x<=1"]),
        ([THREE, "--threshold", "nan"], ["threshold: 0 to 1 expected"]),
        ([THREE, "--device", "abacus"], ["device 'abacus'"]),
    ],
    ids=lambda value: " ".join(map(str, value))[-50:],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_written(
    run: Run, network: Path, tmp_path: Path, words: list[str | Path], parts: list[str]
) -> None:
    for folder in ("empty", "folder.csv"):
        (tmp_path / folder).mkdir()
    shutil.copy(THREE, tmp_path / "photo.csv")
    shutil.copy(network, tmp_path / "net.safetensors")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    done = run("net.safetensors", *words, cwd=tmp_path)
    assert_refused(done, *parts)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_checkpoint_without_preprocessing_is_refused(
    run: Run, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    replace(checkpoint, preprocessing=None, origin=None).save(tmp_path / "x.safetensors")
    done = run("x.safetensors", THREE, "--output", "rows.csv", cwd=tmp_path)
    assert_refused(done, "x.safetensors: no preprocessing is known", "--preprocessing")
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]


@pytest.mark.skipif(os.getuid() == 0, reason="root writes everywhere")
def test_folder_that_takes_no_files_is_refused(run: Run, network: Path, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    done = run(network, THREE, "--output", "closed/rows.csv", cwd=tmp_path)
    assert_refused(done, "closed/rows.csv: Permission denied")


def test_parquet_file_that_is_read_is_not_overwritten(
    run: Run, network: Path, tmp_path: Path
) -> None:
    import pyarrow as pa

    (tmp_path / "shards").mkdir()
    path = tmp_path / "shards" / "x.parquet"
    pq.write_table(pa.table({"image": [THREE.read_bytes()]}), path)
    done = run(network, "shards", "--output", "shards/x.parquet", cwd=tmp_path)
    assert_refused(done, "it is shards/x.parquet itself")


def test_error_on_the_way_leaves_the_file_of_before(
    run: Run, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    tensors = {**checkpoint.tensors, "fc.weight": np.full((10, 1024), 3e38, np.float32)}
    replace(checkpoint, tensors=tensors).save(tmp_path / "x.safetensors")
    (tmp_path / "rows.csv").write_text("before\n")
    done = run("x.safetensors", THREE, "--output", "rows.csv", cwd=tmp_path)
    assert_refused(done, "finite logits expected")
    assert (tmp_path / "rows.csv").read_text() == "before\n"
    assert len(list(tmp_path.iterdir())) == 2


def test_formula_and_control_characters_in_names_are_made_harmless(
    run: Run, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    names = ("=1+1", "\x1b[31mred", *(f"n{label}" for label in range(2, 10)))
    replace(checkpoint, classes=names).save(tmp_path / "x.safetensors")
    shutil.copy(DIGITS / "val" / "0_zero" / "0020.JPEG", tmp_path / "=cmd.jpg")
    done = run("x.safetensors", "=cmd.jpg", "--top", "10", cwd=tmp_path)
    (row,) = csv.DictReader(done.stdout.splitlines())
    assert (row["image"], row["top1_name"]) == ("'=cmd.jpg", "'=1+1")
    assert "\x1b" not in done.stdout
    assert "\\x1b[31mred" in done.stdout


def test_name_that_is_no_utf8_is_written_everywhere(
    run: Run, network: Path, tmp_path: Path
) -> None:
    name = os.fsdecode(b"\xff.jpg")
    shutil.copy(THREE, tmp_path / name)
    for rows, features in (("csv", "npy"), ("jsonl", "safetensors"), ("parquet", "parquet")):
        files = ("--output", f"r.{rows}", "--features", f"f.{features}")
        done = run(network, name, *files, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "r.csv").read_bytes().splitlines()[1].startswith(b"\xff.jpg,3,")
    assert json.loads((tmp_path / "r.jsonl").read_text())["image"] == name
    assert pq.read_table(tmp_path / "r.parquet").column("image").to_pylist() == ["\\udcff.jpg"]


def on_terminal(words: list[str | Path], *, rows: int = 25) -> str:
    """Return what the command prints on a terminal of 60 columns."""
    main, side = pty.openpty()
    process = warm.start(
        "predict.cli",
        words,
        cwd=Path(__file__).parents[2],
        output=Path(os.ttyname(side)),
        environment={"TERM": "xterm", "COLUMNS": "60", "LINES": str(rows)},
    )
    parts = []
    while process.is_alive() or select([main], [], [], 0)[0]:
        if select([main], [], [], 0.05)[0]:
            parts.append(os.read(main, 1 << 16))
    os.close(main)
    os.close(side)
    return b"".join(parts).decode().replace("\r\n", "\n")


def test_terminal_shows_bars_and_reasons(network: Path, photos: Path) -> None:
    text = on_terminal([network, photos / "3_three", photos / "2_two", "--top", "3"])
    picture, best, second, third, broken, reason, last = text.splitlines()
    assert picture == str(photos / "3_three" / "0013.jpg")
    assert best == "   96.05%  ██████████████▍  3_three"
    assert second == "    2.98%  ▌                9_nine"
    assert third.startswith("    0.55%  ")
    assert broken == str(photos / "2_two" / "cut.jpg")
    assert reason.startswith("  cannot be read: ")
    assert last == "resnext-predict: 1 of 2 pictures could not be read, as listed"


def test_more_than_a_screen_has_a_bar_below_the_pictures(network: Path) -> None:
    folder = DIGITS / "val" / "3_three"
    text = on_terminal([network, folder, "--top", "1", "--batch-size", "2"], rows=20)
    assert "predicting" in text
    pictures = sorted(folder.iterdir())
    assert [str(path) for path in pictures if f"{path}\n" not in text] == []
    assert "   96.05%  ██████████████▍  3_three\n" in text
    assert "predicting" not in on_terminal([network, THREE], rows=20)


def test_json_on_a_terminal_has_no_bar_in_it(network: Path) -> None:
    folder = DIGITS / "val" / "3_three"
    text = on_terminal([network, folder, "--json", "--top", "1", "--batch-size", "2"], rows=20)
    assert len(json.loads(text)["predictions"]) == 40


def started(network: Path, folder: Path, output: Path, *words: str) -> warm.BaseProcess:
    """Start to predict thousands of pictures one by one."""
    many = (DIGITS / "train.tar", DIGITS / "train.tar", "--batch-size", "1", "--workers", "0")
    return warm.start("predict.cli", [network, *many, *words], cwd=folder, output=output)


@pytest.fixture
def pipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a named pipe to print into."""
    path = tmp_path_factory.mktemp("pipe") / "out"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_the_rows_that_are_done(
    network: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, number: signal.Signals
) -> None:
    output = tmp_path_factory.mktemp("printed") / "out"
    process = started(network, tmp_path, output, "--output", "rows.csv", "--features", "f.npy")
    hidden: list[Path] = []
    while not any(path.stat().st_size > 50_000 for path in hidden):
        assert process.exitcode is None
        time.sleep(0.05)
        hidden = list(tmp_path.glob(".f.npy.*.part"))
    os.kill(process.pid or 0, number)
    process.join()
    errors = warm.errors(output)
    assert process.exitcode == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.npy", "rows.csv"]
    with (tmp_path / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    array = np.load(tmp_path / "f.npy", allow_pickle=False)
    assert array.shape == (len(rows), 1024)
    assert 10 < len(rows) < 2800
    assert not np.isnan(array).any()
    assert f"--output rows.csv has the {len(rows)} pictures that were done" in errors
    last = errors.splitlines()[-1]
    word = "interrupted" if number == signal.SIGINT else "ended by SIGTERM"
    assert last == f"resnext-predict: {word}"


def test_reader_that_closes_the_pipe_ends_it_quietly(
    network: Path, tmp_path: Path, pipe: Path
) -> None:
    process = started(network, tmp_path, pipe)
    with pipe.open("rb") as reader:
        assert reader.readline().startswith(b"image,top1,")
    process.join()
    assert (process.exitcode, warm.errors(pipe)) == (2, "")


def test_reader_that_closes_the_pipe_takes_no_file_along(
    network: Path, tmp_path: Path, pipe: Path
) -> None:
    for number in range(40):
        shutil.copy(THREE, tmp_path / f"{number}.jpg")
    words = [network, ".", "--features", "f.npy", "--json", "--batch-size", "1"]
    process = warm.start("predict.cli", words, cwd=tmp_path, output=pipe)
    with pipe.open("rb"):
        pass
    process.join()
    assert (process.exitcode, warm.errors(pipe)) == (2, "")
    assert np.load(tmp_path / "f.npy").shape == (40, 1024)


@pytest.mark.slow
def test_two_processes_of_torchrun_write_the_rows_of_one(
    network: Path, tmp_path: Path, run: Run
) -> None:
    words = [network, DIGITS / "val", "--features"]
    assert run(*words, "one.npy", "--output", "one.csv", cwd=tmp_path).returncode == 0
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"),
            *("--master-port", str(free_port()), "-m", "predict.cli"),
            *map(str, words),
            *("two.npy", "--output", "two.csv"),
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "two.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()
    assert (tmp_path / "two.npy").read_bytes() == (tmp_path / "one.npy").read_bytes()

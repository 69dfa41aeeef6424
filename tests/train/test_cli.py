"""The command as a user meets it: results, words, and every way to be refused."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import convert
from resnext.checkpoint import Checkpoint, Origin
from resnext.download import no_bar
from tests.support import warm
from tests.support.golden import ROOT
from tests.support.terminal import terminal
from tests.support.train_runs import (
    CLASSES,
    assert_refused,
    assert_same_tensors,
    run,
    tiny,
    write_data,
    write_pictures,
)
from train.input.first_network import from_checkpoint
from train.input.options import TrainingConfig, chosen_recipe
from train.recipe.recipe import CIFAR_2017, FINETUNE, IMAGENET_2017
from train.resumption import usual_folder

ONE = ("--epochs", "1")
# Of a command that is started without its script, in another folder than this.
OWN_PROCESS = {
    **os.environ,
    "PYTHONPATH": str(ROOT),
    "OMP_NUM_THREADS": "1",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("commands"))


@pytest.fixture(scope="module")
def trained(root: Path) -> Path:
    """Return the folder of a run of three epochs with an average, told by its `stdout.txt`."""
    done = run(root, *tiny("trained", "--ema", "0.9", "--class-weights", "balanced"))
    assert done.returncode == 0, done.stderr
    (root / "trained" / "stdout.txt").write_text(done.stdout)
    (root / "trained" / "stderr.txt").write_text(done.stderr)
    return root / "trained"


def last_row(folder: Path) -> dict[str, float]:
    return json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])


def test_plan_is_printed_before_the_run(trained: Path) -> None:
    text = (trained / "stdout.txt").read_text()
    plan = dict(line.split(maxsplit=1) for line in text.splitlines()[:10])
    assert plan == {
        "network": "resnext_11_4x4d, 40,555 parameters, from before.t7",
        "classes": "3: ant, bee, cat",
        "images": "48 to train on, 21 to validate with",
        "recipe": "cifar-2017: 3 epochs of 6 steps of 8 images",
        "lr": "0.1 x 8/128 = 0.00625, a tenth after 49% and 74% of the epochs",
        "optimizer": "SGD, Nesterov momentum 0.9, weight decay 0.0005 on every parameter, average "
        "of the weights that keeps 0.9 a step",
        "pictures": "RandomCrop with padding 4, mirrored with probability 0.5; crop 8, "
        "mean 0.5 0.5 0.5, std 0.25 0.25 0.25 (of pixels 0..1)",
        "loss": "class weights from 1 to 1",
        "machine": "cpu, fp32, 1 thread, no workers",
        "output": "trained",
    }
    assert (trained / "stderr.txt").read_text() == (
        "resnext-train: a new classifier for 3 classes (ant, bee, cat) replaces that of the "
        "checkpoint for 10 classes\n"
    )


def test_pipeline_of_the_network_validates_and_stays_in_its_checkpoints(root: Path) -> None:
    (root / "pil.toml").write_text(
        (root / "tiny.toml").read_text().replace("crop = 8", "scale = 11\ncrop = 8")
        + 'pipeline = "pil"\ninterpolation = "bicubic"\n'
    )
    done = run(root, *tiny("pil", *ONE, "--no-check"), "--preprocessing", "pil.toml")
    assert done.returncode == 0, done.stderr
    (line,) = [each for each in done.stdout.splitlines() if each.startswith("pictures")]
    assert line == (
        "pictures  RandomCrop with padding 4, mirrored with probability 0.5, scaled by the "
        "original's bicubic; in validation pil bicubic, scale 11, crop 8, mean 0.5 0.5 0.5, std "
        "0.25 0.25 0.25 (of pixels 0..1)"
    )
    best = root / "pil" / "best.safetensors"
    preprocessing = convert.load(best).preprocessing
    assert preprocessing is not None
    assert (preprocessing.pixels, preprocessing.scale) == ("pil bicubic", 11)
    words = ("--data", "data/val", "--json", "--no-canary", best)
    report = warm.run("validate.cli", words, cwd=root, output=root / "pil.json")
    (result,) = json.loads(report.stdout)["results"]
    assert result["pipeline"] == "pil"
    assert result["images"] - result["top1_correct"] == last_row(root / "pil")["val_wrong"]


def test_batch_larger_than_the_set_says_what_a_step_takes(root: Path) -> None:
    done = run(root, *tiny("large", *ONE, "--batch-size", "1000"))
    assert done.returncode == 0, done.stderr
    assert "1 epoch of 1 step of 48 images" in done.stdout
    assert "0.1 x 48/128 = 0.0375" in done.stdout
    assert done.stderr.splitlines()[0] == (
        "resnext-train: a batch of 1000 is more than the 48 images to train on: each step takes "
        "all 48, and the learning rate is that of such a step"
    )
    again = run(root, *tiny("large", *ONE, "--batch-size", "1000", "--resume"))
    assert "this run is done" in again.stderr


def test_each_epoch_has_a_line_and_a_row(trained: Path) -> None:
    lines = (trained / "stdout.txt").read_text().splitlines()[10:13]
    rows = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert [row["lr"] for row in rows] == pytest.approx([0.00625, 0.000625, 0.0000625])
    for line, row in zip(lines, rows, strict=True):
        wrong, average = row["val_wrong"], row["ema_val_wrong"]
        assert re.match(
            rf"epoch {row['epoch']}/3  loss {row['train_loss']:.4f}  error "
            rf"{100 * row['train_wrong'] / 48:.2f} %  validation {100 * wrong / 21:.2f} % "
            rf"\({wrong}/21\)  average {100 * average / 21:.2f} % \({average}/21\)  \d+ images/s",
            line,
        ), line


@pytest.mark.parametrize(
    ("name", "kind"), [("last", "val"), ("last_average", "ema_val"), ("best", None)]
)
def test_validate_counts_what_the_trainer_counted(
    root: Path, trained: Path, name: str, kind: str | None
) -> None:
    checkpoint = Checkpoint.load(trained / f"{name}.safetensors")
    done = warm.run(
        "validate.cli",
        ["--data", "data/val", "--json", trained / f"{name}.safetensors"],
        cwd=root,
        output=root / "validated.txt",
    )
    (result,) = json.loads(done.stdout)["results"]
    expected = checkpoint.training["validation"]
    assert {key: result[key] for key in expected if key != "loss"} == {
        key: value for key, value in expected.items() if key != "loss"
    }
    if kind is not None:
        row = last_row(trained)
        assert row[f"{kind}_images"] == expected["images"] == 21
        assert row[f"{kind}_wrong"] == 21 - expected["top1_correct"]
        assert row[f"{kind}_loss"] == expected["loss"]
    assert done.stderr == ""


def test_checkpoint_says_where_it_comes_from_and_how_it_was_trained(trained: Path) -> None:
    checkpoint = Checkpoint.load(trained / "last.safetensors")
    original = convert.load(trained.parent / "before.t7")
    assert checkpoint.classes == CLASSES
    assert checkpoint.origin is Origin.TRAINED
    assert checkpoint.preprocessing.crop == 8
    assert checkpoint.provenance.source_file == "before.t7"
    assert checkpoint.provenance.source_sha256 == original.provenance.source_sha256
    assert checkpoint.provenance.published_name is None
    training = checkpoint.training
    assert training["began_with"]["weights_sha256"] == original.digest()
    assert training["recipe"]["class_weights"] == [["ant", 1.0], ["bee", 1.0], ["cat", 1.0]]
    assert (training["epoch"], training["seed"], training["training_images"]) == (3, 0, 48)


def test_folder_holds_the_files_that_are_promised(trained: Path) -> None:
    assert sorted(path.name for path in trained.iterdir()) == [
        ".lock",
        "best.safetensors",
        "last.safetensors",
        "last_average.safetensors",
        "metrics.jsonl",
        "state.safetensors",
        "stderr.txt",
        "stdout.txt",
        "training.html",
    ]


def test_trained_checkpoint_begins_the_next_training_and_keeps_its_classifier(
    root: Path, trained: Path
) -> None:
    words = tiny("next", *ONE, "--init", trained / "last.safetensors", "--lr", "1e-30")
    done = run(root, *(word for word in words if word != "tiny.toml" and word != "--preprocessing"))
    assert done.returncode == 0, done.stderr
    assert "the classifier stays: the checkpoint has the same 3 classes (ant, bee, cat)" in (
        done.stderr
    )
    found = load_file(root / "next" / "last.safetensors")
    before = load_file(trained / "last.safetensors")
    np.testing.assert_array_equal(found["fc.weight"], before["fc.weight"])
    provenance = Checkpoint.load(root / "next" / "last.safetensors").provenance
    assert provenance.source_file == "last.safetensors"


def test_chain_of_trainings_states_the_file_that_each_began_with(
    trained: Path, tmp_path: Path
) -> None:
    path = trained / "best.safetensors"
    for folder in (tmp_path / "second", tmp_path / "third"):
        config = TrainingConfig(data="data", output=folder, init=str(path))
        checkpoint = from_checkpoint(config, classes=3, names=CLASSES, bar=no_bar).checkpoint
        stated = checkpoint.provenance
        assert (stated.source_file, stated.source_bytes) == (path.name, path.stat().st_size)
        assert stated.source_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        folder.mkdir()
        path = folder / path.name
        checkpoint.save(path)


def test_folders_named_by_numbers_are_the_classes_of_a_network_without_names(root: Path) -> None:
    folders = ("0", "08", "1", "2", "3", "4", "5", "6", "7", "9")
    for split in ("train", "val"):
        write_pictures(root / "numbers" / split, each=2, classes=folders)
    done = run(root, *tiny("by_number", *ONE, "--data", "numbers"))
    assert "those of the images in their order: 0, 1, 2, 3, 4, 5, 6, 7, 08, 9;" in done.stderr
    found = Checkpoint.load(root / "by_number" / "last.safetensors").classes
    assert found == ("0", "1", "2", "3", "4", "5", "6", "7", "08", "9")


def write_numbered(folder: Path, split: str) -> Path:
    """Write the pictures of a split into a tar that has numbers for classes and no names."""
    path = folder / f"numbered-{split}.tar"
    with tarfile.open(path, "w") as tar:
        for place, picture in enumerate(sorted((folder / "data" / split).glob("*/*"))):
            label = str(CLASSES.index(picture.parent.name)).encode()
            for suffix, data in ((".png", picture.read_bytes()), (".cls", label)):
                member = tarfile.TarInfo(f"{place:04d}{suffix}")
                member.size = len(data)
                tar.addfile(member, BytesIO(data))
    return path


def test_images_with_numbers_keep_the_names_of_the_checkpoint(root: Path, trained: Path) -> None:
    train, val = (write_numbered(root, split) for split in ("train", "val"))
    words = ("--init", trained / "last.safetensors", "--data", train, "--val-data", val)
    done = run(root, *tiny("numbers", *ONE, "--lr", "1e-30"), *words)
    assert done.returncode == 0, done.stderr
    assert (
        "the numbers of the images are taken for the 3 classes of the checkpoint in their order "
        "(ant, bee, cat)"
    ) in done.stderr
    checkpoint = Checkpoint.load(root / "numbers" / "last.safetensors")
    assert checkpoint.classes == CLASSES
    before = load_file(trained / "last.safetensors")
    np.testing.assert_array_equal(checkpoint.tensors["fc.weight"], before["fc.weight"])


def test_classes_of_the_checkpoint_are_enforced_by_name(root: Path, trained: Path) -> None:
    shutil.copytree(root / "data" / "val", root / "fewer")
    shutil.rmtree(root / "fewer" / "ant")  # so that bee would be class 0, by the order
    done = warm.run(
        "validate.cli",
        ["--data", "fewer", "--json", trained / "last.safetensors"],
        cwd=root,
        output=root / "fewer.txt",
    )
    (result,) = json.loads(done.stdout)["results"]
    tensors = Checkpoint.load(trained / "last.safetensors")
    assert result["images"] == 14
    right = 21 - last_row(trained)["val_wrong"]
    assert right - 7 <= result["top1_correct"] <= right
    assert tensors.classes == CLASSES


def test_reports_of_three_classes_have_no_top_5(root: Path, trained: Path) -> None:
    words = ["--data", "data/val", "--output", "three", trained / "last.safetensors"]
    done = warm.run("validate.cli", words, cwd=root, output=root / "three.txt")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        *("network", "-" * 25, "last", "top-1")
    ]
    for report in ("report.md", "report.html"):
        assert "top-5" not in (root / "three" / report).read_text()


def test_readers_and_recomputation_change_no_bit(root: Path) -> None:
    assert run(root, *tiny("plain", *ONE)).returncode == 0
    assert run(root, *tiny("other", *ONE, "--workers", "2", "--save-memory")).returncode == 0
    assert_same_tensors(root / "other" / "last.safetensors", root / "plain" / "last.safetensors")


def test_split_is_drawn_from_the_seed_and_has_every_class(root: Path) -> None:
    words = [word if word != "data" else "data/train" for word in tiny("split", *ONE)]
    done = run(root, *words, "--val-fraction", "0.25")
    assert done.returncode == 0, done.stderr
    assert "36 to train on, 12 to validate with" in done.stdout
    assert (
        "data/train: 25% of each class, drawn from seed 0, are kept to validate with: 12 of 48"
    ) in done.stderr
    title, *parts = (root / "split" / "split.csv").read_text().splitlines()
    assert title == "image,class,split"
    names = [f"{name}/{number:03d}.png" for name in CLASSES for number in range(16)]
    assert sorted(line.split(",")[0] for line in parts) == names
    assert all(line.split(",")[1] == line.split("/")[0] for line in parts)
    for name in CLASSES:
        found = [line.split(",")[2] for line in parts if line.startswith(name)]
        assert (found.count("training"), found.count("validation")) == (12, 4)
    assert "split/split.csv" in (root / "split" / "training.html").read_text()


def test_line_of_an_epoch_breaks_between_its_parts_on_a_terminal(root: Path) -> None:
    with terminal(60) as screen:
        done = subprocess.run(
            [sys.executable, "-m", "train.cli", *map(str, tiny("narrow", *ONE, "--ema", "0.9"))],
            cwd=root,
            env={**os.environ, **screen.environment},
            stdout=screen.side,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        lines = screen.lines()
    first, last = (
        next(place for place, line in enumerate(lines) if line.startswith(start))
        for start in ("epoch 1/1  ", "best  epoch 1")
    )
    assert last - first > 1
    assert max(map(len, lines[first:last])) <= 60
    assert re.fullmatch(
        r"epoch 1/1  loss [\d.]+  error [\d.]+ %  validation [\d.]+ % \(\d+/21\)  "
        r"average [\d.]+ % \(\d+/21\)  \d+ images/s  best",
        "  ".join(line.strip() for line in lines[first:last]),
    )


def test_part_that_a_training_kept_is_validated_as_it_was(root: Path) -> None:
    words = [word if word != "data" else "data/train" for word in tiny("kept", *ONE)]
    assert run(root, *words, "--val-fraction", "0.25").returncode == 0
    page = (root / "kept" / "training.html").read_text()
    command = "resnext-validate --data data/train --split kept/split.csv kept/best.safetensors"
    assert f"<code>{command}</code>" in page

    def validated(*more: str) -> tuple[dict[str, Any], str]:
        words = (*command.split()[1:], *more, "--json", "--workers", "0")
        done = warm.run("validate.cli", words, cwd=root, output=root / "kept.txt")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), done.stderr

    printed, told = validated()
    assert printed["results"][0]["images"] == 12
    last = last_row(root / "kept")
    assert printed["results"][0]["top1_correct"] == last["val_images"] - last["val_wrong"]
    assert printed["trained_on"] == [{"split": "kept/split.csv", "trained": 0, "images": 12}]
    assert told == "resnext-validate: kept/split.csv: the part 'val', 12 of 48 images\n"

    printed, told = validated("--part", "train", "--limit", "30")
    assert printed["results"][0]["images"] == 30
    assert printed["trained_on"] == [{"split": "kept/split.csv", "trained": 30, "images": 30}]
    assert "resnext-validate: 36 of 36 images were trained on, by kept/split.csv\n" in told
    assert "30 of 30 images were trained on, by kept/split.csv." in printed["summary"]


def test_images_that_were_trained_on_are_said_without_being_asked(root: Path) -> None:
    words = [word if word != "data" else "data/train" for word in tiny("said", *ONE)]
    assert run(root, *words, "--val-fraction", "0.25").returncode == 0
    words = ["--data", "data/train", "--output", "report", "--workers", "0"]
    words += ["said/best.safetensors"]
    done = warm.run("validate.cli", words, cwd=root, output=root / "said.txt")
    text = "36 of 48 images were trained on, by said/split.csv"
    assert (done.returncode, done.stderr) == (
        0,
        f"resnext-validate: {text}; --split said/split.csv measures the others alone\n",
    )
    report = root / "report"
    assert text in (report / "report.md").read_text().splitlines()[0].replace("&#95;", "_")
    assert text in (report / "report.html").read_text()
    assert text in (report / "junit.xml").read_text()
    data = json.loads((report / "report.json").read_text())
    assert data["trained_on"] == [{"split": "said/split.csv", "trained": 36, "images": 48}]
    # Other images, though some have the names of these.
    words[1] = "data/val"
    done = warm.run("validate.cli", words, cwd=root, output=root / "said.txt")
    assert (done.returncode, done.stderr) == (0, "")


def test_names_in_the_table_of_a_split_are_no_formulas(root: Path, tmp_path: Path) -> None:
    data = write_pictures(tmp_path / "named", each=4, classes=("=1+1", "\x1b[31mred", "plain"))
    words = [word if word != "data" else data for word in tiny("named_run", *ONE)]
    done = run(root, *words)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    _, *rows = (root / "named_run" / "split.csv").read_text().splitlines()
    assert {row.split(",")[1] for row in rows} == {"'=1+1", r"\x1b[31mred", "plain"}
    assert {row.split("/")[0] for row in rows} == {"'=1+1", r"\x1b[31mred", "plain"}


def test_folder_without_splits_keeps_a_fifth_and_says_so(root: Path) -> None:
    words = [word if word != "data" else "data/train" for word in tiny("fifth", *ONE)]
    done = run(root, *words)
    assert done.returncode == 0, done.stderr
    assert "39 to train on, 9 to validate with" in done.stdout


def test_validation_folder_that_is_left_alone_is_named(root: Path) -> None:
    done = run(root, *tiny("alone", *ONE, "--val-fraction", "0.25"))
    assert done.returncode == 0, done.stderr
    assert "data/val: not used, because --val-fraction is given" in done.stderr
    assert "data/val" not in run(root, *tiny("both", *ONE)).stderr
    assert not (root / "both" / "split.csv").exists()


def test_images_that_are_trained_on_and_validated_with_are_told(root: Path) -> None:
    shutil.copytree(root / "data" / "val", root / "copied")
    for data in ("data/val", "copied"):
        words = ("--data", "data/val", "--val-data", data)
        done = run(root, *tiny(f"same_{Path(data).name}", *ONE, *words))
        assert done.returncode == 0, done.stderr
        assert (
            f"{data}: the images to validate with have the names and sizes of those to train on"
            in done.stderr
        )


def test_class_without_validation_images_is_named(root: Path) -> None:
    shutil.copytree(root / "data", root / "gap")
    shutil.rmtree(root / "gap" / "val" / "ant")
    done = run(root, *tiny("without", *ONE), "--data", "gap")
    assert done.returncode == 0, done.stderr
    assert "gap/val: 2 of the 3 classes of the network; missing are ant" in done.stderr
    assert last_row(root / "without")["val_images"] == 14


def test_one_epoch_of_fine_tuning_needs_no_other_warm_up(root: Path) -> None:
    words = ("--data", "data", "--init", "before.t7", "--preprocessing", "tiny.toml")
    done = run(root, *words, *ONE, "--workers", "0", "--batch-size", "8", "--output", "once")
    assert done.returncode == 0, done.stderr
    assert "finetune: 1 epoch of 6 steps of 8 images" in done.stdout
    assert "0.5 epochs of warm-up first" in done.stdout


def test_run_goes_on_where_nobody_reads_what_it_prints(root: Path) -> None:
    pipe = root / "pipe"
    os.mkfifo(pipe)
    process = warm.start("train.cli", tiny("unread"), cwd=root, output=pipe)
    with pipe.open("rb"):
        pass
    process.join()
    assert process.exitcode == 0, warm.errors(pipe)
    assert warm.errors(pipe).splitlines()[-1] == (
        "resnext-train: stdout: Broken pipe; the run goes on without it"
    )
    assert len((root / "unread" / "metrics.jsonl").read_text().splitlines()) == 3


@pytest.mark.slow
def test_run_goes_on_when_its_terminal_is_gone(root: Path) -> None:
    command = [sys.executable, "-m", "train.cli", *map(str, tiny("hung_up"))]
    watcher, terminal = os.openpty()
    with subprocess.Popen(
        command,
        cwd=root,
        env={**OWN_PROCESS, "TERM": "xterm"},
        stdout=subprocess.DEVNULL,
        stderr=terminal,
    ) as process:
        os.close(terminal)
        seen = b""
        while b"epoch 1/3" not in seen:
            seen += os.read(watcher, 4096)
        os.close(watcher)
        assert process.wait(60) == 0
    assert len((root / "hung_up" / "metrics.jsonl").read_text().splitlines()) == 3


def test_new_network_is_trained_by_the_options_of_2017(root: Path) -> None:
    words = tiny("new", *ONE, "--depth", "11", "--base-width", "4", "--cardinality", "2")
    words = [word for word in words if word not in ("--init", "before.t7")]
    done = run(root, *words)
    assert done.returncode == 0, done.stderr
    checkpoint = Checkpoint.load(root / "new" / "best.safetensors")
    assert checkpoint.spec.name == "resnext_11_2x4d"
    assert checkpoint.provenance.source_file is None
    assert checkpoint.training["began_with"] is None


def test_patience_ends_a_run(root: Path) -> None:
    done = run(root, *tiny("patient", "--epochs", "50", "--patience", "2", "--lr", "1e-30"))
    assert done.returncode == 0, done.stderr
    assert "no better validation for 2 epochs" in done.stdout
    assert len((root / "patient" / "metrics.jsonl").read_text().splitlines()) < 50


def test_tensorboard_gets_the_curves(root: Path) -> None:
    done = run(root, *tiny("board", *ONE, "--tensorboard"))
    assert done.returncode == 0, done.stderr
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(root / "board" / "tensorboard"))
    events.Reload()
    (event,) = events.Scalars("error/validation")
    row = last_row(root / "board")
    assert event.value == pytest.approx(100 * row["val_wrong"] / 21)


def test_class_weights_come_from_a_file(root: Path) -> None:
    (root / "weights.toml").write_text("\ufeffant = 2\nbee = 0.5\n")  # as Windows writes it
    done = run(root, *tiny("weighted", *ONE, "--class-weights", "weights.toml"))
    assert done.returncode == 0, done.stderr
    assert "class weights from 0.5 to 2" in done.stdout


def test_help_shows_groups_and_needs_neither_torch_nor_numpy() -> None:
    code = "import sys, train.cli; print({'torch', 'numpy', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("set()\n", "")
    done = subprocess.run(
        [sys.executable, "-m", "train.cli", "--help"], capture_output=True, text=True, check=False
    )
    groups = re.findall(r"^(\w+):$", done.stdout, re.MULTILINE)
    assert groups == ["Images", "Network", "Recipe", "Pictures", "Machine", "Run", "Help"]
    assert all(f"--{word}" in done.stdout for word in ("data", "layer-decay", "resume", "version"))


def test_recipe_is_shown_without_images_or_torch() -> None:
    code = (
        "import sys; from train.cli import main\n"
        "try: main(['--show-recipe', 'cifar-2017'])\n"
        "finally: print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert lines[1:4] == [
        "--epochs 300",
        "--batch-size 128",
        "--lr 0.1                              # 0.1 x batch size / 128",
    ]
    assert lines[-1] == "False"


def test_plan_names_optimizer_and_augmentation_as_torch_and_torchvision_do(root: Path) -> None:
    words = ("--recipe", "imagenet-2017", "--optimizer", "adamw", "--auto-augment", "rand")
    done = run(root, *tiny("named", *ONE, *words, "--color-jitter", "brightness=0.4"))
    assert done.returncode == 0, done.stderr
    plan = dict(line.split(maxsplit=1) for line in done.stdout.splitlines()[:9])
    assert plan["lr"] == "0.001, a tenth after every 30 epochs"
    assert plan["optimizer"] == (
        "AdamW, betas 0.9 and 0.999, eps 1e-08, decoupled weight decay 0.01 on every parameter"
    )
    assert plan["pictures"] == (
        "RandomResizedCrop of scale 0.08 to 1 and ratio 0.75 to 1.33, RandAugment, ColorJitter "
        "brightness 0.4, PCA lighting 0.1, mirrored with probability 0.5; crop 8, mean 0.5 0.5 "
        "0.5, std 0.25 0.25 0.25 (of pixels 0..1)"
    )
    page = (root / "named" / "training.html").read_text()
    assert "<dt>optimizer</dt><dd>adamw</dd>" in page
    assert "<dt>momentum</dt>" not in page


@pytest.mark.parametrize(
    ("data", "folder"),
    [
        ("cifar10", "runs/cifar10"),
        ("/some/where/pets/", "runs/pets"),
        ("digits/train.tar", "runs/train"),
        ("http://host/shards-{00..63}.tar", "runs/shards-_00..63"),
        ("..", "runs/run"),
    ],
)
def test_folder_that_nobody_named_is_called_after_the_images(data: str, folder: str) -> None:
    assert usual_folder(data) == Path(folder)


def test_options_of_the_readme_choose_their_recipes() -> None:
    cifar = TrainingConfig(data="cifar100", output=Path("x"), changes={"weight_decay": 5e-4})
    assert chosen_recipe(cifar) == CIFAR_2017
    assert chosen_recipe(replace(cifar, data="imagenet/", changes={})) == IMAGENET_2017
    assert chosen_recipe(replace(cifar, init="x.t7", changes={})) == FINETUNE


def compiled(root: Path, output: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a compiled training in a process of its own: PyTorch's compiler warns of itself."""
    command = [sys.executable, "-m", "train.cli", *map(str, tiny(output, *ONE, "--compile"))]
    cache = {"TORCHINDUCTOR_CACHE_DIR": str(root / "inductor")}
    return subprocess.run(
        command,
        cwd=root,
        env={**OWN_PROCESS, **cache, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_training_is_validated_by_the_plain_network(root: Path) -> None:
    done = compiled(root, "compiled")
    assert done.returncode == 0, done.stderr
    assert run(root, *tiny("eager", *ONE)).returncode == 0
    found, expected = (
        load_file(root / name / "last.safetensors") for name in ("compiled", "eager")
    )
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-3, atol=1e-3, err_msg=name)
    checkpoint = Checkpoint.load(root / "compiled" / "last.safetensors")
    words = ["--data", "data/val", "--json", root / "compiled" / "last.safetensors"]
    validated = warm.run("validate.cli", words, cwd=root, output=root / "validated.txt")
    (result,) = json.loads(validated.stdout)["results"]
    assert result["top1_correct"] == checkpoint.training["validation"]["top1_correct"]


@pytest.mark.slow
def test_compilation_without_a_compiler_is_refused_in_one_line(root: Path) -> None:
    done = compiled(root, "uncompiled", CXX="/nowhere/c++")
    assert_refused(done, "--compile", "No working C++ compiler found", "leave out --compile")

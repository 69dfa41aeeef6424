"""Every way in which a training is refused: one line that says what to do, and nothing lost."""

import json
import shutil
import tarfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from resnext.spec import Spec
from tests.support.train_runs import assert_refused, run, tiny, write_data, write_pictures
from train.cli import main

ONE = ("--epochs", "1")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("refusals"))


def listed(folder: Path) -> list[tuple[str, str]]:
    """Return the part and the name of every image that a run lists as unreadable."""
    rows = [json.loads(line) for line in (folder / "unreadable.jsonl").read_text().splitlines()]
    assert [row["reason"] for row in rows if row["image"] not in row["reason"]] == []
    return [(row["split"], row["image"]) for row in rows]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("--depth", "28"), "--depth 28: 9n+2 (11, 20, 29 ...) expected"),
        ((), "--init CHECKPOINT expected, to begin with its weights, or --depth N"),
        (("--init", "before.t7", "--depth", "11"), "--init or --depth expected, found both"),
        (("--init", "gone.t7"), "gone.t7: no such file"),
        (("--init", "before.t7", "--freeze", "layer4"), "--freeze layer4: stem, layer1, layer2"),
        (("--init", "resnet_18", "--freeze", "layer5"), "--freeze layer5: stem, layer1, layer2"),
        (("--depth", "11", "--freeze", "layer4"), "--freeze layer4: stem, layer1, layer2"),
    ],
    ids=["depth", "no network", "two networks", "no file", "part", "published part", "new part"],
)
def test_what_is_known_without_the_images_is_refused_before_anything_is_fetched(
    root: Path, words: tuple[str, ...], part: str
) -> None:
    fetched = ("--data", "http://127.0.0.1:9/pictures.tar", "--cache", "cache")
    begun = ("--output", "x", "--recipe", "cifar-2017")
    assert_refused(run(root, *fetched, *begun, *words), part)
    assert list((root / "cache").rglob("*")) == []


@pytest.mark.skipif(find_spec("cv2") is not None, reason="OpenCV is installed")
@pytest.mark.parametrize("first", ["before.t7", None], ids=["checkpoint", "new"])
def test_pipeline_without_its_library_is_refused_before_the_first_step(
    root: Path, first: str | None
) -> None:
    """It is needed in validation only, which comes behind an epoch of steps."""
    row = (root / "tiny.toml").read_text() + 'pipeline = "opencv"\n'
    (root / "opencv.toml").write_text(row)
    begun = ("--init", first) if first else ("--recipe", "cifar-2017", "--depth", "11")
    words = (*begun, "--data", "data", "--preprocessing", "opencv.toml", "--no-check")
    done = run(root, *words, "--output", "library")
    assert_refused(done, "the opencv pipeline takes OpenCV", "extra [opencv]")
    assert (done.stdout, (root / "library").exists()) == ("", False)


def test_empty_class_is_refused(root: Path) -> None:
    shutil.copytree(root / "data", root / "hole")
    for path in (root / "hole" / "train" / "bee").iterdir():
        path.unlink()
    done = run(root, *tiny("x"), "--data", "hole")
    assert_refused(done, "hole/train", "found none of class 'bee'", "directly into its folder")
    assert not (root / "x").exists()


def test_single_class_is_refused(root: Path) -> None:
    write_pictures(root / "single" / "train", each=4, classes=("ant",))
    write_pictures(root / "single" / "val", each=4, classes=("ant",))
    assert_refused(run(root, *tiny("x"), "--data", "single"), "two classes or more", "found 1")


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "tar"])
def test_flat_images_are_refused_without_an_option_of_another_command(
    root: Path, packed: bool
) -> None:
    flat = root / "data" / "train" / "ant"
    if packed:
        with tarfile.open(root / "flat.tar", "w") as archive:
            archive.add(flat / "000.png", "000.png")
        flat = root / "flat.tar"
    done = run(root, *tiny("x"), "--data", flat)
    assert_refused(done, "found images outside of folders; move the images into CLASS/FILE")
    assert "--labels" not in done.stderr


def test_class_of_the_validation_images_alone_is_refused(root: Path) -> None:
    shutil.copytree(root / "data", root / "dog")
    (root / "dog" / "val" / "cat").rename(root / "dog" / "val" / "dog")
    assert_refused(
        run(root, *tiny("x"), "--data", "dog"), "dog/val", "ant, bee, cat, found others: dog"
    )


def test_unreadable_images_are_all_named_before_the_training(root: Path) -> None:
    data = shutil.copytree(root / "data", root / "damaged")
    (data / "train" / "ant" / "000.png").write_bytes(b"no image")
    whole = (data / "val" / "cat" / "001.png").read_bytes()
    (data / "val" / "cat" / "001.png").write_bytes(whole[:60])
    done = run(root, *tiny("listed"), "--data", "damaged")
    assert_refused(
        done,
        "2 of the images cannot be read, and none is left out silently",
        "ant/000.png",
        "cat/001.png",
        "; listed/unreadable.jsonl lists them all; repair or remove them",
    )
    assert listed(root / "listed") == [("training", "ant/000.png"), ("validation", "cat/001.png")]
    assert sorted(path.name for path in (root / "listed").iterdir()) == [
        ".lock",
        "unreadable.jsonl",
    ]
    # Removing them is the advice, and it works.
    (data / "train" / "ant" / "000.png").unlink()
    (data / "val" / "cat" / "001.png").unlink()
    done = run(root, *tiny("listed", "--epochs", "1"), "--data", "damaged")
    assert done.returncode == 0, done.stderr
    assert not (root / "listed" / "unreadable.jsonl").exists()


def test_file_lists_every_unreadable_image_where_the_message_names_ten(root: Path) -> None:
    data = shutil.copytree(root / "data", root / "many")
    damaged = sorted((data / "train" / "ant").iterdir())[:13]
    for path in damaged:
        path.write_bytes(b"no image")
    done = run(root, *tiny("many_run"), "--data", "many", "--workers", "1")
    assert_refused(done, "13 of the images cannot be read", "; and 3 more; many_run/unreadable")
    assert listed(root / "many_run") == [("training", f"ant/{path.name}") for path in damaged]


def test_names_of_classes_and_files_colour_no_terminal(root: Path) -> None:
    data = shutil.copytree(root / "data", root / "coloured")
    for part in ("train", "val"):
        (data / part / "ant").rename(data / part / "\x1b[31mant")
    (data / "train" / "\x1b[31mant" / "000.png").write_bytes(b"no image")
    done = run(root, *tiny("x\x1b[0m"), "--data", "coloured")
    assert_refused(done, r"\x1b[31mant/000.png")
    assert r"classes   3: \x1b[31mant, bee, cat" in done.stdout
    assert r"output    x\x1b[0m" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


def test_loss_that_is_not_finite_keeps_the_last_good_state(root: Path) -> None:
    done = run(root, *tiny("wild", "--lr", "1000", "--weight-decay", "1000", "--save-every", "1"))
    assert_refused(done, "finite", "try a smaller --lr", "--clip 1", "--force, or another --output")
    assert "wild/state.safetensors is the last good state" in done.stderr
    state = load_file(root / "wild" / "state.safetensors")
    assert all(np.isfinite(array).all() for array in state.values())


def test_wrong_preprocessing_is_refused_before_the_training(root: Path) -> None:
    done = run(root, *tiny("cropped"), "--preprocessing", "cifar10")
    assert_refused(done, "at least 32 x 32 pixels expected, found 8 x 8")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--data", "gone"), ("gone: no such file or folder",)),
        (("--init", "gone.t7"), ("gone.t7", "no such file")),
        (("--init", "tiny.toml"), ("tiny.toml",)),
        (("--depth", "11"), ("--init or --depth expected, found both",)),
        (("--cardinality", "4"), ("--depth is missing",)),
        (("--freeze", "layer9"), ("--freeze layer9", "stem, layer1, layer2, layer3")),
        (("--batch-size", "1"), ("--batch-size 1", "at least 2 expected")),
        (("--accumulate", "8"), ("--batch-size 8", "at least 16 expected")),
        (("--workers", "100000"), ("--workers", "100000 is not in the range 0<=x<=1024")),
        (("--compile", "--save-memory"), ("--compile or --save-memory",)),
        (("--warmup", "3"), ("--warmup 3", "less than the 3 --epochs")),
        (("--class-weights", "bal"), ("--class-weights bal: balanced, or a TOML file",)),
        (("--device", "cuda:7"), ("cuda:7",)),
        (("--recipe", "imagenet"), ("imagenet", "finetune")),
        (("--lr", "0"), ("--lr",)),
        (("--val-fraction", "1"), ("--val-fraction",)),
        (("--warmup", "nan"), ("--warmup", "'nan' is no finite number")),
        (("--weight-decay", "1e300"), ("--weight-decay", "1e+300 is not in the range 0<=x<=1000")),
        (("--lr", "1e39"), ("--lr", "is not in the range 0<x<=1000")),
        (("--pca-lighting", "1e300"), ("--pca-lighting", "is not in the range 0<=x<=100")),
        (
            ("--padding", "99999999999", "--crop-kind", "RandomCrop"),
            ("--padding", "is not in the range 0<=x<=1000"),
        ),
        (("--epochs", "9" * 400), ("--epochs", "is not in the range 1<=x<=1000000")),
        (("--color-jitter", "2"), ("--color-jitter", "2.0 is not in the range 0<=x<=1")),
        (("--color-jitter", "hue=0.1"), ("'hue=0.1': each of brightness, contrast, saturation",)),
        (("--crop-scale", "0.5"), ("'0.5': two numbers with a comma between them expected",)),
        (("--betas", "0.9,1"), ("--betas", "1.0 is not in the range 0<=x<1")),
        (
            ("--crop-kind", "RandomResizedCrop", "--crop-scale", "0.9,0.5"),
            ("--crop-scale 0.9 0.5: the least first expected, then the largest",),
        ),
        (
            ("--crop-scale", "0.5,1"),
            ("--crop-scale: --crop-kind RandomResizedCrop expected beside it, found RandomCrop",),
        ),
        (
            ("--optimizer", "adamw", "--momentum", "0.9"),
            ("--momentum: --optimizer sgd expected beside it, found adamw",),
        ),
        (("--mixup", "inf"), ("--mixup", "inf is not in the range 0<=x<=1000")),
        (("--preprocessing", "gone.toml"), ("gone.toml",)),
        (("--claims", "gone.toml"), ("--preprocessing or --claims expected, found both",)),
        (("--output", ""), ("--output", "a path expected, found an empty text")),
        (("--cache", ""), ("--cache", "a path expected, found an empty text")),
        (("--resume", "--force"), ("--resume or --force expected, found both",)),
        (
            ("--val-data", "data/val", "--val-fraction", "0.2"),
            ("--val-data or --val-fraction expected, found both",),
        ),
        (("--precision", "tf32", "--device", "cpu"), ("--precision tf32: an NVIDIA GPU",)),
    ],
    ids=lambda value: value[0].strip("-") if isinstance(value, tuple) else None,
)
def test_bad_options_are_refused(
    root: Path, words: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    assert_refused(run(root, *tiny("x"), *words), *parts)
    assert not (root / "x").exists()


@pytest.mark.parametrize("words", [("--reset-classifier",), ("--claims", "gone.toml")])
def test_option_about_a_checkpoint_needs_one(root: Path, words: tuple[str, ...]) -> None:
    begun = ("--data", "data", "--output", "x", "--depth", "11", "--recipe", "cifar-2017")
    assert_refused(run(root, *begun, *words), f"{words[0]}: --init expected beside it")


def test_network_that_does_not_fit_in_memory_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_spec: Spec, *, generator: object) -> None:
        del generator
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9")

    monkeypatch.setattr("train.input.first_network.ResNeXt", fail)
    monkeypatch.chdir(root)
    begun = ("--data", "data", "--output", "x", "--depth", "11", "--recipe", "cifar-2017")
    with pytest.raises(SystemExit) as caught:
        main(begun)
    assert caught.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "--depth 11: a network that fits in memory expected" in line


def test_weights_of_an_unknown_class_are_refused(root: Path) -> None:
    (root / "zebra.toml").write_text("zebra = 2\n")
    done = run(root, *tiny("x"), "--class-weights", "zebra.toml")
    assert_refused(done, "one of the 3 classes expected (ant, bee, cat), found 'zebra'")


def test_results_whose_state_is_gone_are_not_overwritten(root: Path) -> None:
    assert run(root, *tiny("kept", "--epochs", "2")).returncode == 0
    (root / "kept" / "state.safetensors").unlink()
    before = {path.name: path.read_bytes() for path in (root / "kept").iterdir()}
    for words in ((), ("--resume",)):
        done = run(root, *tiny("kept", "--epochs", "2", *words))
        assert_refused(done, "kept/best.safetensors", "--force starts anew", "another --output")
    assert {path.name: path.read_bytes() for path in (root / "kept").iterdir()} == before


@pytest.mark.parametrize("name", ["training.html", "metrics.jsonl", "split.csv"])
def test_file_of_somebody_else_is_not_overwritten(root: Path, name: str) -> None:
    path = root / f"own_{name}" / name
    path.parent.mkdir()
    path.write_text("mine")
    for words in ((), ("--resume",)):
        done = run(root, *tiny(path.parent.name, *ONE, *words))
        assert_refused(done, f"own_{name}/{name}", "--force replaces it", "another --output")
    assert path.read_text() == "mine"


@pytest.mark.parametrize("output", ["data/train", "data/train/ant/run", "data/val/run"])
def test_run_among_the_images_is_refused(root: Path, output: str) -> None:
    before = sorted((root / "data").rglob("*"))
    done = run(root, *tiny(output, *ONE))
    assert_refused(done, f"--output {output}: a folder outside of the images", "for images")
    assert sorted((root / "data").rglob("*")) == before


@pytest.mark.parametrize("words", [(), ("--force",)])
def test_checkpoint_to_from_checkpoint_is_not_replaced_by_its_own_run(
    root: Path, words: tuple[str, ...]
) -> None:
    folder = root / f"own{len(words)}"
    assert run(root, *tiny(folder, *ONE)).returncode == 0
    (folder / "state.safetensors").unlink()
    init = folder / "last.safetensors"
    before = init.read_bytes()
    assert_refused(run(root, *tiny(folder, *ONE, "--init", init, *words)), "another --output")
    assert init.read_bytes() == before


def test_claims_without_a_row_for_the_checkpoint_are_refused(root: Path) -> None:
    (root / "claims.toml").write_text(
        '[[network]]\nname = "other"\n[network.preprocessing]\ncrop = 8\n'
        "mean = [0.5, 0.5, 0.5]\nstd = [0.2, 0.2, 0.2]\n"
    )
    words = [word for word in tiny("x") if word not in ("--preprocessing", "tiny.toml")]
    assert_refused(run(root, *words, "--claims", "claims.toml"), "a row named 'before' expected")


def test_class_too_small_to_be_split_is_refused(root: Path) -> None:
    write_pictures(root / "few", each=3)
    for number in (1, 2):
        (root / "few" / "cat" / f"00{number}.png").unlink()
    done = run(root, *tiny("x"), "--data", "few")
    assert_refused(done, "two images or more of each class", "found 1 of class 'cat'")


def test_picture_of_another_kind_is_read_by_its_content(root: Path) -> None:
    data = shutil.copytree(root / "data", root / "jpeg")
    path = data / "train" / "ant" / "000.png"
    Image.open(path).save(path, "JPEG")
    assert run(root, *tiny("kinds", *ONE), "--data", "jpeg").returncode == 0

"""Which preprocessing a network is measured with, and what that does to its claims."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import convert
from tests.support import warm
from tests.support.golden import ROOT

DIGITS = ROOT / "examples" / "digits"
CHECKPOINT = DIGITS / "resnext_11_8x4d_digits.t7"
OWN = DIGITS / "preprocessing.toml"


def run(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    given = ["--data", "val", *words]
    return warm.run("validate.cli", given, cwd=DIGITS, output=folder / "out")


@pytest.fixture
def unknown(tmp_path: Path) -> Path:
    """Return a checkpoint that does not say what its network sees of a picture."""
    path = tmp_path / "mine.safetensors"
    found = convert.load(CHECKPOINT)
    provenance = replace(found.provenance, converted_by="a test")
    replace(found, preprocessing=None, origin=None, provenance=provenance).save(path)
    return path


def test_network_of_unknown_preprocessing_is_measured_with_a_stated_one(
    unknown: Path, tmp_path: Path
) -> None:
    done = run(tmp_path, "--preprocessing", OWN, "--json", unknown)
    printed = json.loads(done.stdout)
    (result,) = printed["results"]
    assert (done.returncode, done.stderr, printed["notes"]) == (0, "", [])
    assert (result["top1_correct"], result["top5_correct"]) == (345, 359)


def test_stated_preprocessing_that_is_the_claims_own_is_judged_without_a_note(
    tmp_path: Path,
) -> None:
    words = ["--preprocessing", OWN, "--claims", "claims.toml", CHECKPOINT]
    done = run(tmp_path, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("reproduced") == 2


def test_stated_preprocessing_in_place_of_an_assumed_one_is_that_of_claims_without_one(
    tmp_path: Path,
) -> None:
    text = (DIGITS / "claims.toml").read_text()
    before, after = text.index("[network.preprocessing]"), text.index("[[network.claim]]")
    (tmp_path / "claims.toml").write_text(text[:before] + text[after:])
    words = ["--preprocessing", OWN, "--claims", tmp_path / "claims.toml", CHECKPOINT]
    done = run(tmp_path, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("reproduced") == 2


@pytest.mark.parametrize(
    ("old", "new", "way"),
    [
        ("scale = 36", "scale = 40", "scale 36"),
        ("crop = 32", "crop = 28", "crop 32"),
        ("0.485", "0.5", "mean 0.485 0.456 0.406, std 0.229 0.224 0.225 (of pixels 0..1)"),
    ],
    ids=["scale", "crop", "mean"],
)
def test_claims_of_another_preprocessing_leave_nothing_judged(
    tmp_path: Path, old: str, new: str, way: str
) -> None:
    text = OWN.read_text()
    assert old in text
    (tmp_path / "p.toml").write_text(text.replace(old, new))
    words = ["--preprocessing", tmp_path / "p.toml", "--claims", "claims.toml", "--limit", "20"]
    done = run(tmp_path, *words, CHECKPOINT)
    assert done.returncode == 0
    assert "as --preprocessing says, in place of scale 36, crop 32, mean 0.485" in done.stderr
    assert f"digits: nothing judged: 2 claims were made with {way}\n" in done.stdout
    strict = run(tmp_path, *words, "--strict", CHECKPOINT)
    assert strict.returncode == 1
    assert "no claim was judged" in strict.stderr


def test_numbers_on_the_scale_of_bytes_are_the_same_normalisation(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(
        "scale = 36\ncrop = 32\nwhite = 255\n"
        "mean = [123.675, 116.28, 103.53]\nstd = [58.395, 57.12, 57.375]\n"
    )
    words = ["--preprocessing", tmp_path / "p.toml", "--claims", "claims.toml", CHECKPOINT]
    done = run(tmp_path, *words)
    assert done.returncode == 0
    assert done.stdout.count("reproduced") == 2


def test_scale_and_crop_replace_those_of_a_stated_preprocessing(tmp_path: Path) -> None:
    words = ["--preprocessing", OWN, "--scale", "44", "--crop", "40", "--limit", "20", "--json"]
    (result,) = json.loads(run(tmp_path, *words, CHECKPOINT).stdout)["results"]
    found = result["preprocessing"]
    assert (found["scale"], found["crop"], found["mean"]) == (44, 40, [0.485, 0.456, 0.406])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("imagnet", "preprocessing imagnet: imagenet, cifar10, cifar100 or a TOML file expected"),
        (
            "claims.toml",
            "claims.toml: unknown field 'network'; the fields are scale, crop, mean, std, white",
        ),
        ("val", "preprocessing val: imagenet, cifar10, cifar100 or a TOML file expected"),
        ("", "--preprocessing: a name or a TOML file expected, found no text"),
    ],
    ids=["name", "other table", "folder", "empty"],
)
def test_preprocessing_that_is_none_is_refused(tmp_path: Path, name: str, text: str) -> None:
    done = run(tmp_path, "--preprocessing", name, CHECKPOINT)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"resnext-validate: {text}\n"


def test_scale_of_no_claim_says_first_that_nothing_was_judged(tmp_path: Path) -> None:
    words = ["--scale", "40", "--claims", "claims.toml", "--limit", "20", "--json", CHECKPOINT]
    report = json.loads(run(tmp_path, *words).stdout)
    assert report["summary"] == "Nothing judged: 2 claims were made with scale 36."
    assert report["outcome"] == "measured"

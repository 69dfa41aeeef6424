"""A measurement and whoever judges its ledger come to the same verdicts, for the same reasons."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import convert
from tests.support import warm
from tests.support.digits import FEW
from tests.support.golden import ROOT
from tests.support.timm_folders import published_checkpoint

DIGITS = ROOT / "examples" / "digits"
T7 = DIGITS / "resnext_11_8x4d_digits.t7"
PUBLISHED = "resnext50_32x4d.a1h_in1k"  # of timm, whose published file is called below
PTH = "resnext50_32x4d_a1h-0146ab0a.pth"


def outcomes(report: Mapping[str, Any]) -> list[tuple[object, ...]]:
    """Return what is said of each claim: number, verdict and reason."""
    found: list[tuple[object, ...]] = []
    for result in report["results"]:
        for claim in result["claims"]:
            reason = claim.get("reason", "")
            for words in ("the ledger's weights", "the checkpoint's weights"):
                reason = reason.replace(words, "the weights")
            if not reason.startswith("it is claimed with"):
                found.append((claim["metric"], claim["published"], claim["verdict"], reason))
            else:
                found.append((claim["metric"], claim["published"], "other numbers"))
        for claim in result["claims_not_judged"]:
            other = claim["protocol"].startswith("scale")
            way = "other numbers" if other else claim["protocol"]
            found.append((claim["metric"], claim["published"], way))
    return sorted(found, key=str)


def clauses(report: Mapping[str, Any]) -> set[str]:
    """Return the notes on claims and weights without what they begin with, a path say."""
    marks = ("no verdict: ", "judged as the published", "as stated at its conversion")
    notes = (note for note in report["notes"] if any(mark in note for mark in marks))
    ends = (note[min(note.find(mark) for mark in marks if mark in note) :] for note in notes)
    own = (end.partition("; /")[0] for end in ends)  # what is said of preprocessing follows
    return {end.replace("the ledger's", "the").replace("the checkpoint's", "the") for end in own}


def both(
    folder: Path,
    checkpoint: Path,
    *words: str | Path,
    claims: Path | None,
    strict: bool = False,
) -> list[dict[str, Any]]:
    """Measure with a ledger and judge that, and return both reports."""
    own = (*(("--claims", claims) if claims else ()), *(("--strict",) if strict else ()))
    measure = (*words, *own, "--json", "--ledger", folder / "l", checkpoint)
    measured = warm.run("validate.cli", measure, cwd=folder, output=folder / "measured")
    assert measured.stdout, measured.stderr
    judge = (*own, "--json", folder / "l")
    judged = warm.run("validate.judge_cli", judge, cwd=folder, output=folder / "judged")
    assert judged.stdout, judged.stderr
    assert judged.returncode == measured.returncode
    return [json.loads(measured.stdout), json.loads(judged.stdout)]


def own_claims(few: Path, folder: Path, **fields: object) -> Path:
    """Write the claims of 48 digits with other fields of their row."""
    text = (few / "claims.toml").read_text()
    lines = [f"{name} = {json.dumps(value)}" for name, value in fields.items() if name != "name"]
    old = 'name = "resnext_11_8x4d_digits"'
    assert old in text
    name = f'name = "{fields.get("name", "resnext_11_8x4d_digits")}"'
    path = folder / "claims.toml"
    path.write_text(text.replace(old, "\n".join((name, *lines)), 1))
    return path


@pytest.mark.parametrize(
    ("fields", "words", "verdicts"),
    [
        ({}, (), {"reproduced"}),
        ({}, ("--pipeline", "pil"), {"the torch7 pipeline"}),
        ({}, ("--limit", "24"), {"no verdict"}),
        ({}, ("--scale", "40"), {"other numbers"}),
        ({}, ("--crops", "10"), {"1 crop"}),
        ({"sha256": "0123abcd"}, (), {"no verdict"}),
        ({"file": T7.name, "sha256": "0123abcd"}, (), {"no verdict"}),
        ({"file": "other.pth", "sha256": "0123abcd"}, (), {"no verdict"}),
        ({"file": T7.name, "bytes": 5}, (), {"no verdict"}),
        ({"file": "other.t7", "bytes": 5}, (), {"reproduced"}),
    ],
    ids=[
        *("plain", "pipeline", "part", "scale", "ten crops"),
        *("sha256", "sha256 of its name", "sha256 of another name", "bytes", "other bytes"),
    ],
)
def test_ledger_is_judged_as_the_measurement_was(
    few: Path,
    tmp_path: Path,
    fields: dict[str, object],
    words: tuple[str, ...],
    verdicts: set[str],
) -> None:
    claims = own_claims(few, tmp_path, **fields)
    measured, judged = both(tmp_path, T7, "--data", few / "val", *words, claims=claims)
    assert outcomes(judged) == outcomes(measured)
    assert clauses(judged) == clauses(measured)
    assert {each[2] for each in outcomes(judged)} == verdicts
    assert counted(judged) == counted(measured)


COUNTED = ("images", "top1_correct", "top5_correct", "diagnoses", "changed_by_precision")


def counted(report: Mapping[str, Any]) -> list[list[object]]:
    return [[result.get(name) for name in COUNTED] for result in report["results"]]


@pytest.mark.parametrize("words", [(), ("--strict",), ("--precision", "bf16")])
def test_set_with_a_broken_picture_or_wrong_classes_is_told_alike(
    few: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Two folders have each other's names, and a picture is cut short."""
    data = tmp_path / "val"
    shutil.copytree(few / "val", data)
    for old, new in (("3_three", "x"), ("4_four", "3_three"), ("x", "4_four")):
        (data / old).rename(data / new)
    broken = min((data / "0_zero").iterdir())
    broken.write_bytes(broken.read_bytes()[:100])
    claims = own_claims(few, tmp_path)
    numbers = ("--compare-precision", "16") if "--precision" in words else ()
    options = ("--data", data, *numbers, *(word for word in words if word != "--strict"))
    measured, judged = both(tmp_path, T7, *options, claims=claims, strict="--strict" in words)
    assert outcomes(judged) == outcomes(measured)
    assert counted(judged) == counted(measured)
    assert counted(judged)[0][0] == FEW["images"] - 1
    assert counted(judged)[0][3] != []


def pictures(folder: Path, names: list[str]) -> Path:
    """Write digits under some names into a flat folder."""
    folder.mkdir()
    for name, path in zip(names, sorted((DIGITS / "val").rglob("*.JPEG")), strict=False):
        shutil.copy(path, folder / name)
    return folder


def timm_weights(folder: Path) -> Path:
    """Return timm's network as the Hub has it: a folder with weights that state nothing."""
    path = folder / PUBLISHED / "model.safetensors"
    path.parent.mkdir()
    save_file(dict(published_checkpoint(PUBLISHED).tensors), path)
    return path


def pickled_weights(folder: Path) -> Path:
    """Return another file of the form of timm's own, called like the network."""
    path = folder / f"{PUBLISHED}.pth"
    tensors = published_checkpoint(PUBLISHED).tensors
    torch.save({name: torch.tensor(np.asarray(each)) for name, each in tensors.items()}, path)
    return path


def stated_weights(folder: Path) -> Path:
    """Return weights of which somebody stated at their conversion what they are."""
    path = folder / "mine.safetensors"
    published_checkpoint(PUBLISHED, source_file=PTH, stated=True).save(path)
    return path


NO_SHA256 = (
    f"no verdict: the claims are about {PTH} of a sha256 that begins with 0146ab0a, the original "
    "of the weights has "
)


@pytest.mark.parametrize(
    ("weights", "clause"),
    [
        (timm_weights, f"judged as the published {PUBLISHED} by its file's name alone; its header"),
        (pickled_weights, NO_SHA256),
        (stated_weights, "as stated at its conversion, not as shown"),
    ],
)
def test_weights_of_another_sha256_than_the_published_are_told_alike(
    tmp_path: Path, weights: Callable[[Path], Path], clause: str
) -> None:
    names = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, 4)]
    data = pictures(tmp_path / "val", names)
    measured, judged = both(tmp_path, weights(tmp_path), "--data", data, claims=None)
    assert outcomes(judged) == outcomes(measured)
    assert len(outcomes(judged)) == 2
    assert clauses(judged) == clauses(measured)
    assert any(clause in each for each in clauses(judged))
    doubted = clause is NO_SHA256
    assert all(each[3].startswith("the claims are about") == doubted for each in outcomes(judged))


def test_pictures_that_are_not_of_the_set_are_told_alike(tmp_path: Path) -> None:
    names = ["ILSVRC2012_val_00000001.JPEG", "ILSVRC2012_val_00000001_n01751748.JPEG", "x.JPEG"]
    data = pictures(tmp_path / "val", names)
    labels = tmp_path / "labels.csv"
    labels.write_text("".join(f"{name},65\n" for name in names))  # which is that of the first
    words = ("--data", data, "--labels", labels)
    measured, judged = both(tmp_path, timm_weights(tmp_path), *words, claims=None)
    assert outcomes(judged) == outcomes(measured)
    assert clauses(judged) == clauses(measured)
    reason = outcomes(judged)[0][3]
    assert str(reason).startswith("1 picture named twice or more: ILSVRC2012_val_00000001; 1 pict")


def test_claims_of_the_files_name_are_found_by_a_ledger_that_was_made_without_them(
    few: Path, tmp_path: Path
) -> None:
    path = tmp_path / "mine.safetensors"
    convert.load(T7).save(path)
    numbers = ("--preprocessing", DIGITS / "preprocessing.toml")
    words = ("--data", few / "val", *numbers, "--ledger", tmp_path / "l", path)
    assert warm.run("validate.cli", words, cwd=tmp_path).returncode == 0
    judge = ("--claims", own_claims(few, tmp_path, name="mine"), "--json", tmp_path / "l")
    done = warm.run("validate.judge_cli", judge, cwd=tmp_path)
    assert {each[2] for each in outcomes(json.loads(done.stdout))} == {"reproduced"}

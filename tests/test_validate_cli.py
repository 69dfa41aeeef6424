import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import convert

DIGITS = Path(__file__).parents[1] / "examples" / "digits"
CHECKPOINT = DIGITS / "resnext_11_8x4d_digits.t7"
CLAIMS = DIGITS / "claims.toml"


def run(*words: str | Path, cwd: Path = DIGITS) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would; warnings are errors in it."""
    command = [sys.executable, "-W", "error", "-m", "validate.cli", *map(str, words)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "80"}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def assert_refused(done: subprocess.CompletedProcess[str], *parts: str | Path) -> None:
    """Check exit code 2, nothing on stdout, and one line on stderr that holds the parts."""
    assert done.stderr.startswith("resnext-validate: "), done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("\n")
    assert [part for part in parts if str(part) not in done.stderr] == []
    assert (done.returncode, done.stdout) == (2, "")


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the first two images of each of the ten digits."""
    root = tmp_path_factory.mktemp("some")
    for folder in (DIGITS / "val").iterdir():
        (root / folder.name).mkdir()
        for path in sorted(folder.iterdir())[:2]:
            shutil.copy(path, root / folder.name)
    return root


def write_claim(path: Path, *, value: str, images: int = 360) -> Path:
    text = CLAIMS.read_text()
    path.write_text(text.replace('"4.17"', f'"{value}"').replace("360", str(images)))
    return path


def test_digits_are_reproduced_as_a_table() -> None:
    done = run("--data", "val", "--claims", "claims.toml", CHECKPOINT.name)
    assert done.stdout.splitlines() == [
        "network  correct  error %  claim %  verdict     source",
        "------------------------------------------------------------------",
        "resnext_11_8x4d_digits",
        "  top-1  345/360     4.17     4.17  reproduced  Torch7, as trained",
        "  top-5  359/360     0.28     0.28  reproduced  Torch7, as trained",
    ]
    assert (done.returncode, done.stderr) == (0, "")


def test_digits_are_reproduced_as_json() -> None:
    done = run("--data", "val", "--claims", "claims.toml", "--json", f"./{CHECKPOINT.name}")
    assert (done.returncode, done.stderr) == (0, "")
    (result,) = json.loads(done.stdout)["results"]
    assert result.pop("preprocessing")["scale"] == 36
    assert result == {
        "checkpoint": "./resnext_11_8x4d_digits.t7",
        "network": "resnext_11_8x4d_digits",
        "images": 360,
        "top1_correct": 345,
        "top5_correct": 359,
        "top1_error": 4.1667,
        "top5_error": 0.2778,
        "claims": [
            {
                "source": "Torch7, as trained",
                "metric": "top1_error",
                "published": "4.17",
                "measured": 4.1667,
                "verdict": "reproduced",
            },
            {
                "source": "Torch7, as trained",
                "metric": "top5_error",
                "published": "0.28",
                "measured": 0.2778,
                "verdict": "reproduced",
            },
        ],
    }


def test_claim_that_does_not_hold_ends_with_1(tmp_path: Path) -> None:
    claims = write_claim(tmp_path / "claims.toml", value="5.17")
    done = run("--data", "val", "--claims", claims, "--workers", "0", CHECKPOINT)
    assert "4.17     5.17  not reproduced  Torch7, as trained" in done.stdout
    assert "1.00 points (4 images) below the 5.17 of Torch7, as trained" in done.stdout
    assert (done.returncode, done.stderr) == (1, "")


def test_part_of_the_images_gives_an_interval_and_no_verdict(some: Path) -> None:
    done = run("--data", some, "--claims", CLAIMS, "--json", CHECKPOINT)
    (result,) = json.loads(done.stdout)["results"]
    assert result["images"] == 20
    assert [claim["verdict"] for claim in result["claims"]] == ["no verdict", "no verdict"]
    assert done.returncode == 0


def folder_of_two(some: Path, folder: Path) -> Path:
    """Put a .t7 and its conversion into a folder, and images with a hidden file beside them."""
    shutil.copy(CHECKPOINT, folder / "digits.t7")
    convert.load(CHECKPOINT).save(folder / "digits.safetensors")
    data = shutil.copytree(some, folder / "val")
    (data / "0_zero" / ".hidden").touch()
    return data


def test_current_folder_is_searched_and_the_conversion_taken(some: Path, tmp_path: Path) -> None:
    data = folder_of_two(some, tmp_path)
    done = run("--data", data, "--json", cwd=tmp_path)
    (result,) = json.loads(done.stdout)["results"]
    assert (result["checkpoint"], result["network"]) == ("digits.safetensors", "digits")
    assert (result["images"], result["claims"]) == (20, [])
    first, second, third = done.stderr.splitlines()
    assert first == (
        "resnext-validate: no checkpoint given, so those of this folder: digits.safetensors"
    )
    assert second.endswith("1 entries ignored, hidden or no images")
    assert "digits.safetensors: preprocessing assumed from the network's shape" in third
    assert done.returncode == 0


def test_claims_that_apply_to_no_checkpoint_are_refused(some: Path, tmp_path: Path) -> None:
    data = folder_of_two(some, tmp_path)
    done = run("--data", data, "--claims", CLAIMS, "--json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == (
        f"resnext-validate: {CLAIMS}: none of its rows applies; the checkpoints are digits"
    )


def test_help_needs_neither_torch_nor_numpy_nor_rich() -> None:
    code = "import sys, validate.cli; print({'torch', 'numpy', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("set()\n", "")
    assert "--claims FILE.toml" in run("--help").stdout


def test_missing_data_folder_is_refused(tmp_path: Path) -> None:
    assert_refused(run("--data", tmp_path / "val", CHECKPOINT), tmp_path / "val", "nothing there")


def test_missing_checkpoint_is_refused() -> None:
    assert_refused(run("--data", "val", "gone.t7"), "gone.t7: No such file or directory")


def test_folder_without_checkpoints_is_refused(tmp_path: Path) -> None:
    done = run("--data", DIGITS / "val", cwd=tmp_path)
    assert_refused(done, ".: no .safetensors or .t7 file in this folder")


def test_corrupted_image_is_refused_by_name(some: Path, tmp_path: Path) -> None:
    data = shutil.copytree(some, tmp_path / "val")
    image = max((data / "3_three").iterdir())
    image.write_bytes(image.read_bytes()[:200])
    assert_refused(run("--data", data, "--claims", CLAIMS, CHECKPOINT), image, "image")


def test_other_number_of_classes_is_refused(some: Path, tmp_path: Path) -> None:
    data = shutil.copytree(some, tmp_path / "val")
    shutil.rmtree(data / "9_nine")
    done = run("--data", data, "--claims", CLAIMS, CHECKPOINT)
    assert_refused(done, data, CHECKPOINT, "10 classes", "found 9")


def test_unknown_preprocessing_is_refused(tmp_path: Path) -> None:
    checkpoint = convert.load(CHECKPOINT)
    provenance = replace(checkpoint.provenance, converted_by="a test")
    path = tmp_path / "mine.safetensors"
    replace(checkpoint, preprocessing=None, origin=None, provenance=provenance).save(path)
    done = run("--data", "val", path)
    assert_refused(done, path, "no preprocessing is known", "resnext-convert --preprocessing")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[[network", "not a TOML file"),
        ("[[network]]\nname = 'x'\nclaims = []", "unknown field 'claims'"),
    ],
    ids=["no TOML", "unknown field"],
)
def test_bad_claims_are_refused(tmp_path: Path, text: str, part: str) -> None:
    claims = tmp_path / "claims.toml"
    claims.write_text(text)
    assert_refused(run("--data", "val", "--claims", claims, CHECKPOINT), claims, part)


@pytest.mark.parametrize("name", ["x.t7", "x.safetensors"])
def test_file_that_is_no_checkpoint_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\0" * 6 + b"no checkpoint")
    done = run("--data", "val", path)
    assert_refused(done, path)
    assert done.stderr.count(str(path)) == 1


def test_option_without_data_is_a_usage_error() -> None:
    done = run(CHECKPOINT)
    assert "Missing option '--data'" in done.stderr
    assert (done.returncode, done.stdout) == (2, "")

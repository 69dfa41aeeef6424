import json
import os
import shlex
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convert
from tests.support import warm
from tests.support.golden import ROOT
from tests.support.noisy_pictures import write_noisy, write_odd
from validate.ledger.stored import FORMAT

DIGITS = ROOT / "examples" / "digits"
CHECKPOINT = DIGITS / "resnext_11_8x4d_digits.t7"
CLAIMS = DIGITS / "claims.toml"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a function that runs the command as a user would; warnings are errors in it."""
    output = tmp_path_factory.mktemp("printed") / "out"

    def run(
        *words: str | Path, cwd: Path = DIGITS, command: str = "validate.cli"
    ) -> subprocess.CompletedProcess[str]:
        return warm.run(command, words, cwd=cwd, output=output)

    return run


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


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_network_whose_sums_overflow_is_refused(
    run: Run, some: Path, tmp_path: Path, precision: str
) -> None:
    """A ReLU that turns what is no number into a zero would give 90 % error and exit code 0."""
    checkpoint = convert.load(CHECKPOINT)
    tensors = {name: np.array(values) for name, values in checkpoint.tensors.items()}
    weight = tensors["layer2.0.bn3.weight"]
    weight *= np.float32(3e38) / np.abs(weight).max()
    replace(checkpoint, tensors=tensors).save(tmp_path / "nan.safetensors")
    done = run("--data", some, "--precision", precision, tmp_path / "nan.safetensors")
    error = done.stderr.splitlines()[-1]  # behind notes
    assert "nan.safetensors: finite logits expected" in error
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("crop = " + "9" * 5000, ("not a TOML file",)),
        ("crop = 0x" + "9" * 5000, ("crop must be a whole number", "of about 6,02")),
        ("crop = 32\nmean = [1" + "0" * 400 + ", 1, 1]", ("mean must be three numbers",)),
        ("crop = 32\nmean = " + "[" * 10**5, ("not a TOML file",)),
        ("crop = 32\nmean = [0, 0, 0]\nstd = [1e-300, 1, 1]", ("std of at least 1e-30",)),
    ],
    ids=["decimal", "hexadecimal", "mean", "depth", "std"],
)
def test_number_of_a_preprocessing_that_is_absurd_is_one_short_line(
    run: Run, some: Path, tmp_path: Path, line: str, parts: tuple[str, ...]
) -> None:
    path = tmp_path / "large.toml"
    path.write_text(f"[[network]]\nname = 'mine'\n[network.preprocessing]\n{line}\n")
    done = run("--data", some, "--claims", path, CHECKPOINT)
    assert_refused(done, path, *parts)
    assert len(done.stderr) < 600


def test_digits_are_reproduced_as_a_table(run: Run) -> None:
    done = run("--data", "val", "--claims", "claims.toml", CHECKPOINT.name)
    assert done.stdout.splitlines() == [
        "network  correct  error %  claim %  verdict     source",
        "------------------------------------------------------------------",
        "resnext_11_8x4d_digits",
        "  top-1  345/360     4.17     4.17  reproduced  Torch7, as trained",
        "  top-5  359/360     0.28     0.28  reproduced  Torch7, as trained",
    ]
    assert (done.returncode, done.stderr) == (0, "")


MEASURED = {
    "checkpoint": "./resnext_11_8x4d_digits.t7",
    "network": "resnext_11_8x4d_digits",
    "images": 360,
    "top1_correct": 345,
    "top5_correct": 359,
    "top1_error": 4.1667,
    "top5_error": 0.2778,
    "pipeline": "torch7",
    "crops": 1,
    "precision": "fp32",
}


def test_digits_are_reproduced_as_json(run: Run) -> None:
    done = run("--data", "val", "--claims", "claims.toml", "--json", f"./{CHECKPOINT.name}")
    assert (done.returncode, done.stderr) == (0, "")
    printed = json.loads(done.stdout)
    (result,) = printed["results"]
    assert result["preprocessing"]["scale"] == 36
    assert {name: result[name] for name in MEASURED} == MEASURED
    wanted = [("top1_error", "4.17", 4.1667), ("top5_error", "0.28", 0.2778)]
    assert [
        (claim["metric"], claim["published"], claim["measured"]) for claim in result["claims"]
    ] == wanted
    assert {claim["verdict"] for claim in result["claims"]} == {"reproduced"}
    assert printed["settings"]["precision"] == "fp32"
    assert printed["settings"]["tf32"] is False


def test_claim_that_does_not_hold_ends_with_1(run: Run, tmp_path: Path) -> None:
    claims = write_claim(tmp_path / "claims.toml", value="5.17")
    done = run("--data", "val", "--claims", claims, "--workers", "0", CHECKPOINT)
    assert "4.17     5.17  not reproduced  Torch7, as trained" in done.stdout
    assert "1.00 points (4 images) below the 5.17 of Torch7, as trained" in done.stdout
    assert (done.returncode, done.stderr) == (1, "")


def test_part_of_the_images_gives_an_interval_and_no_verdict(run: Run, some: Path) -> None:
    done = run("--data", some, "--claims", CLAIMS, "--json", CHECKPOINT)
    (result,) = json.loads(done.stdout)["results"]
    assert result["images"] == 20
    assert [claim["verdict"] for claim in result["claims"]] == ["no verdict", "no verdict"]
    assert done.returncode == 0


def test_strict_run_fails_where_a_claim_is_left_open(
    run: Run, few: Path, some: Path, tmp_path: Path
) -> None:
    words = ("--claims", "claims.toml", "--workers", "0", CHECKPOINT, "--strict")
    done = run("--data", some, *words, cwd=few)
    assert "no verdict" in done.stdout
    assert (done.returncode, done.stderr) == (
        1,
        "resnext-validate: --strict: resnext_11_8x4d_digits: no verdict on 2 claims\n",
    )
    done = run("--data", "val", *words, "--json", cwd=few)
    assert (done.returncode, done.stderr) == (0, "")
    claims, text = tmp_path / "claims.toml", (few / "claims.toml").read_text()
    claims.write_text(text + text.replace("_digits", "_digitz"))
    done = run("--data", "val", *words, "--claims", claims, "--json", cwd=few)
    printed = json.loads(done.stdout)
    assert done.returncode == printed["exit_code"] == 1
    assert printed["outcome"] == "reproduced"
    assert printed["exit_meaning"] == "a claim has no verdict, which --strict does not let pass"
    missing = "resnext_11_8x4d_digitz: no checkpoint that its claims apply to was measured"
    assert printed["open"] == [missing]
    assert done.stderr.splitlines() == [
        f"resnext-validate: {printed['notes'][0]}",
        f"resnext-validate: --strict: {missing}",
    ]


def test_claims_about_other_weights_are_refused(run: Run, few: Path, tmp_path: Path) -> None:
    wanted = convert.load(CHECKPOINT).digest()
    for sha256, code in ((wanted, 0), ("0" * 64, 2)):
        claims = tmp_path / "claims.toml"
        pin = f'_digits"\nweights_sha256 = "{sha256}"'
        claims.write_text((few / "claims.toml").read_text().replace('_digits"', pin))
        done = run("--data", "val", "--claims", claims, "--workers", "0", CHECKPOINT, cwd=few)
        assert done.returncode == code
    assert_refused(
        done,
        f"{CHECKPOINT}: weights of sha256 000000000000... expected, as the row",
        f"found {wanted[:12]}...: the claims are about another network",
    )


def folder_of_two(some: Path, folder: Path) -> Path:
    """Put a .t7 and its conversion into a folder, and images with a hidden file beside them."""
    shutil.copy(CHECKPOINT, folder / "digits.t7")
    convert.load(CHECKPOINT).save(folder / "digits.safetensors")
    data = shutil.copytree(some, folder / "val")
    (data / "0_zero" / ".hidden").touch()
    return data


def test_current_folder_is_searched_and_the_conversion_taken(
    run: Run, some: Path, tmp_path: Path
) -> None:
    data = folder_of_two(some, tmp_path)
    done = run("--data", data, "--json", cwd=tmp_path)
    (result,) = json.loads(done.stdout)["results"]
    assert (result["checkpoint"], result["network"]) == ("digits.safetensors", "digits")
    assert (result["images"], result["claims"]) == (20, [])
    first, second, third = done.stderr.splitlines()
    assert first == (
        "resnext-validate: no checkpoint given, so those of this folder: digits.safetensors"
    )
    assert second.endswith("1 ignored, hidden or no images: 0_zero/.hidden")
    assert "digits.safetensors: preprocessing assumed from the network's shape" in third
    assert done.returncode == 0


def test_claims_that_apply_to_no_checkpoint_are_refused(
    run: Run, some: Path, tmp_path: Path
) -> None:
    data = folder_of_two(some, tmp_path)
    done = run("--data", data, "--claims", CLAIMS, "--json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == (
        f"resnext-validate: {CLAIMS}: none of its rows applies; the checkpoints are digits"
    )


def test_help_needs_neither_torch_nor_numpy_nor_rich(run: Run) -> None:
    code = "import sys, validate.cli; print({'torch', 'numpy', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("set()\n", "")
    assert "--claims FILE.toml" in run("--help").stdout


def test_missing_data_folder_is_refused(run: Run, tmp_path: Path) -> None:
    done = run("--data", tmp_path / "val", CHECKPOINT)
    assert_refused(done, f"{tmp_path / 'val'}: no such file or folder; class folders, ")


def test_missing_checkpoint_is_refused(run: Run) -> None:
    assert_refused(run("--data", "val", "gone.t7"), "gone.t7: no such file")


def test_folder_without_checkpoints_is_refused(run: Run, tmp_path: Path) -> None:
    done = run("--data", DIGITS / "val", cwd=tmp_path)
    assert_refused(done, ".: no .safetensors or .t7 file in this folder")


def test_unreadable_images_of_a_ledger_are_said_when_it_goes_on(
    run: Run, some: Path, tmp_path: Path
) -> None:
    shutil.copytree(some, tmp_path / "images")
    (tmp_path / "images" / "0_zero" / "x.jpg").write_bytes(b"no image")
    words = ["--data", tmp_path / "images", "--ledger", tmp_path / "l", "--claims", CLAIMS]
    first, second = (run(*words, CHECKPOINT) for _ in range(2))
    assert (first.returncode, second.returncode) == (2, 2)
    note = "l: 21 of 21 images are there already, 1 as unreadable; remove the file to try"
    assert note in second.stderr


def test_unreadable_images_are_listed_and_end_with_2_when_all_is_measured(
    run: Run, some: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(some, tmp_path / "val")
    cut, empty = max((data / "3_three").iterdir()), max((data / "5_five").iterdir())
    cut.write_bytes(cut.read_bytes()[:200])
    empty.write_bytes(b"")
    done = run("--data", data, "--claims", CLAIMS, CHECKPOINT)
    assert done.stderr == "resnext-validate: 2 of 20 images could not be read, as listed\n"
    assert done.returncode == 2
    assert "/18 " in done.stdout
    for path, reason in ((cut, "truncated after 200 bytes"), (empty, "found an empty file")):
        (line,) = [row for row in done.stdout.splitlines() if path.name in row]
        assert reason in line


def test_picture_of_too_many_pixels_is_said_without_a_warning(some: Path, tmp_path: Path) -> None:
    data = shutil.copytree(some, tmp_path / "val")
    path = data / "3_three" / "x.gif"
    Image.new("L", (4, 4)).save(path)
    gif = path.read_bytes()
    path.write_bytes(gif[:6] + struct.pack("<HH", 10_000, 10_000) + gif[10:])
    words = ["--data", data, "--claims", CLAIMS, "--workers", "0", CHECKPOINT]
    process = warm.start("validate.cli", words, cwd=DIGITS, output=tmp_path / "out")
    process.join()
    assert warm.errors(tmp_path / "out") == (
        "resnext-validate: 1 of 21 images could not be read, as listed\n"
    )
    assert "x.gif: at most 89478485 pixels expected" in (tmp_path / "out").read_text()


def test_other_number_of_classes_is_refused(run: Run, some: Path, tmp_path: Path) -> None:
    data = shutil.copytree(some, tmp_path / "val")
    shutil.rmtree(data / "9_nine")
    done = run("--data", data, "--claims", CLAIMS, CHECKPOINT)
    assert_refused(done, data, "10 classes expected", "found 9 (0_zero")


def test_unknown_preprocessing_is_refused(run: Run, tmp_path: Path) -> None:
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
def test_bad_claims_are_refused(run: Run, tmp_path: Path, text: str, part: str) -> None:
    claims = tmp_path / "claims.toml"
    claims.write_text(text)
    assert_refused(run("--data", "val", "--claims", claims, CHECKPOINT), claims, part)


def test_pattern_that_the_shell_expanded_says_to_quote_it(run: Run) -> None:
    done = run("--data", "a-00.tar", "a-01.tar", "a-02.tar", CHECKPOINT)
    assert_refused(done, "a-01.tar: a checkpoint expected, found a file of images", "in quotes")


@pytest.mark.parametrize("name", ["x.t7", "x.safetensors"])
def test_file_that_is_no_checkpoint_is_refused(run: Run, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\0" * 6 + b"no checkpoint")
    done = run("--data", "val", path)
    assert_refused(done, path)
    assert done.stderr.count(str(path)) == 1


def test_option_without_data_is_a_usage_error(run: Run) -> None:
    done = run(CHECKPOINT)
    assert "Missing option '--data'" in done.stderr
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--compare-precision", "9"], ["needs another --precision than fp32"]),
        (["--workers", "100000"], ["'--workers': 100000 is not in the range 0<=x<=1024"]),
        (["--crop", "40"], ["--crop: scale 36 is smaller than crop 40; give both"]),
        (["--scale", "9460"], ["'--scale': 9460 is not in the range 0<=x<=9459"]),
        (["--device", "abacus"], ["device 'abacus': cpu, cuda, cuda:N or mps expected"]),
        (["--device", "cuda:9"], ["device 'cuda:9': cpu, cuda, cuda:N or mps expected"]),
        (["--precision", "tf32", "--device", "cpu"], ["an NVIDIA GPU expected, found cpu"]),
        (["--labels", "none.csv"], ["none.csv: a file of labels expected, found nothing"]),
        (["--ledger", "claims.toml"], ["claims.toml: a ledger of resnext-validate expected"]),
        (["--output", "claims.toml"], ["--output claims.toml: a folder expected, found a fi"]),
        (["--output", ""], ["--output", "a path expected, found an empty text"]),
    ],
    ids=[
        "compare",
        "workers",
        "crop",
        "scale",
        "device",
        "no device",
        "tf32",
        "labels",
        "ledger",
        "output",
        "empty",
    ],
)
def test_option_that_cannot_be_followed_is_refused(
    run: Run, words: list[str], parts: list[str]
) -> None:
    done = run("--data", "val", "--claims", CLAIMS, *words, CHECKPOINT)
    assert_refused(done, *parts)


def shift(images: Path, folder: Path) -> Path:
    """Copy images into a new folder, each into the folder of the next digit."""
    names = sorted(each.name for each in images.iterdir())
    for name, next_name in zip(names, [*names[1:], names[0]], strict=True):
        shutil.copytree(images / name, folder / next_name)
    return folder


@pytest.fixture
def shifted(tmp_path: Path) -> Path:
    """Return the 360 images, each in the folder of the next digit."""
    return shift(DIGITS / "val", tmp_path / "shifted")


def test_shifted_labels_stop_the_run_early(run: Run, shifted: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    done = run("--data", shifted, "--claims", CLAIMS, "--ledger", ledger, CHECKPOINT)
    assert_refused(done, shifted, "of the first 208 images", "labels shifted", "--no-canary")
    assert ledger.read_bytes().count(b"\n") == 209


def test_shifted_labels_are_measured_when_told_to_and_diagnosed(
    run: Run, few: Path, tmp_path: Path
) -> None:
    shifted = shift(few / "val", tmp_path / "shifted")
    done = run("--data", shifted, "--claims", "claims.toml", "--no-canary", CHECKPOINT, cwd=few)
    assert done.returncode == 1
    assert "not reproduced" in done.stdout
    assert "most answers are one class beside the label" in done.stdout


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--split", "none.csv"], ["none.csv: cannot be read: No such file"]),
        (["--split", "claims.toml"], ["claims.toml: a file of the columns image, class and split"]),
        (["--part", "val"], ["--part needs --split"]),
    ],
    ids=["missing", "other", "alone"],
)
def test_split_that_cannot_be_used_is_refused(run: Run, words: list[str], parts: list[str]) -> None:
    assert_refused(run("--data", "val/", *words, CHECKPOINT), *parts)


def test_renamed_class_folder_is_named(run: Run, few: Path, tmp_path: Path) -> None:
    for source in (DIGITS, few):
        shutil.copytree(source / "val", tmp_path / source.name)
        (tmp_path / source.name / "0_zero").rename(tmp_path / source.name / "zero")
    words = ("--claims", "claims.toml", CHECKPOINT)
    seen = (
        "most answers are one class beside the label, and those of 'zero' are '1_one': the folder "
        "of 'zero' seems to have been renamed, which changes the order of the classes"
    )
    assert_refused(
        run("--data", tmp_path / DIGITS.name, *words),
        "a class folder that was renamed, ",
        "what is seen: most images are answered as another class, '1_one' as '2_two', ",
    )
    done = run("--data", tmp_path / few.name, *words, "--no-canary", cwd=few)
    assert seen in done.stdout
    assert "count from one" not in done.stdout
    assert done.returncode == 1


def test_one_wrong_picture_more_is_too_few_for_a_cause(
    run: Run, some: Path, tmp_path: Path
) -> None:
    picture = next((some / "3_three").iterdir())
    shutil.copytree(some, tmp_path / "val")
    (tmp_path / "val" / "3_three" / picture.name).rename(tmp_path / "val" / "4_four" / "x.JPEG")
    claims = write_claim(tmp_path / "claims.toml", value="0.00", images=20)
    done = run("--data", tmp_path / "val", "--claims", claims, CHECKPOINT)
    assert "1 image more is wrong than claimed: too few to tell a cause" in done.stdout
    assert done.returncode == 1


def test_network_without_claims_has_no_canary(run: Run, shifted: Path, tmp_path: Path) -> None:
    folder_of_two(shifted, tmp_path)
    words = ("--limit", "208", "--json", "digits.t7")
    done = run("--data", shifted, *words, cwd=tmp_path)
    assert done.returncode == 0


def test_both_pipelines_are_reported_and_one_is_judged(run: Run, few: Path) -> None:
    words = ["--pipeline", "torch7", "--pipeline", "pil", "--json"]
    done = run("--data", "val", "--claims", "claims.toml", *words, CHECKPOINT, cwd=few)
    exact, usual = json.loads(done.stdout)["results"]
    assert (exact["pipeline"], usual["pipeline"]) == ("torch7", "pil")
    assert [len(each["claims"]) for each in (exact, usual)] == [2, 0]
    assert exact["weights_sha256"] == usual["weights_sha256"]
    assert done.returncode == 0


def test_ten_crops_leave_the_single_crop_claim_unjudged(run: Run) -> None:
    words = ["--crops", "10", "--limit", "12", "--json"]
    done = run("--data", "val", "--claims", CLAIMS, *words, CHECKPOINT)
    printed = json.loads(done.stdout)
    (result,) = printed["results"]
    assert (result["crops"], result["claims"]) == (10, [])
    assert result["images"] == 12
    assert printed["settings"]["batch_size"] == 1  # 10 pictures, of the usual 16


def test_another_scale_and_crop_are_recorded(run: Run) -> None:
    words = ["--scale", "40", "--crop", "36", "--limit", "12", "--json"]
    done = run("--data", "val", "--claims", CLAIMS, *words, CHECKPOINT)
    (result,) = json.loads(done.stdout)["results"]
    assert (result["preprocessing"]["scale"], result["preprocessing"]["crop"]) == (40, 36)
    assert (result["images"], result["claims"]) == (12, [])


def test_several_checkpoints_are_measured_in_one_pass(run: Run, some: Path, tmp_path: Path) -> None:
    data = folder_of_two(some, tmp_path)
    done = run("--data", data, "--json", "digits.t7", "digits.safetensors", cwd=tmp_path)
    one, two = json.loads(done.stdout)["results"]
    assert one["weights_sha256"] == two["weights_sha256"]
    assert one["top1_correct"] == two["top1_correct"]


def test_faster_precision_says_what_it_changed(run: Run) -> None:
    words = ["--precision", "bf16", "--compare-precision", "10", "--limit", "16", "--json"]
    done = run("--data", "val", "--claims", CLAIMS, *words, CHECKPOINT)
    (result,) = json.loads(done.stdout)["results"]
    assert result["precision"] == "bf16"
    assert result["changed_by_precision"]["images"] == 10
    assert 0 <= result["changed_by_precision"]["top1"] <= 1


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_network_is_named_and_says_what_it_changed(tmp_path: Path) -> None:
    # In a process of its own: PyTorch's compiler warns of itself.
    words = ["--data", DIGITS / "val", "--claims", CLAIMS, "--compile", "--output", tmp_path]
    done = subprocess.run(
        [sys.executable, "-m", "validate.cli", *words, "--compare-precision", "100", CHECKPOINT],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "resnext_11_8x4d_digits, fp32 compiled\n  top-1  345/360     4.17" in done.stdout
    assert "fp32 compiled changed the best class of 0 of 100 images" in done.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["settings"]["compile"] is True
    assert report["results"][0]["compiled"] is True


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare(1)")
@pytest.mark.parametrize(
    "options", ["size=256k", "size=4k", "ro"], ids=["small", "full", "read-only"]
)
def test_readers_need_no_shared_memory_of_a_container(few: Path, options: str) -> None:
    """By default a container has 64 MB at /dev/shm; here it has less than a batch, or none."""
    words = ["--data", "val", "--claims", "claims.toml", "--batch-size", "48", "--workers", "1"]
    command = shlex.join(map(str, [sys.executable, "-m", "validate.cli", *words, CHECKPOINT]))
    mount = f"mount -t tmpfs -o {options} none /dev/shm"
    done = subprocess.run(
        ["unshare", "-r", "-m", "sh", "-c", f"{mount} && exec {command}"],
        cwd=few,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if "mount:" in done.stderr or "unshare:" in done.stderr:
        pytest.skip("this system mounts nothing for a user")
    assert (done.returncode, done.stderr) == (0, "")
    assert "top-1    46/48" in done.stdout


def test_output_folder_gets_every_report(run: Run, some: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    done = run("--data", some, "--claims", CLAIMS, "--output", out, "--json", CHECKPOINT)
    assert sorted(path.name for path in out.iterdir()) == [
        "junit.xml",
        "predictions.csv",
        "report.html",
        "report.json",
        "report.md",
    ]
    written = json.loads((out / "report.json").read_text())
    # What is printed comes first, so it cannot tell when the reports were written.
    assert written["timing"]["timeline"].pop("reports written") > 0
    assert written == json.loads(done.stdout)


def test_output_folder_that_takes_no_files_is_refused_before_anything_is_measured(
    run: Run,
) -> None:
    # A folder of the system's in which not even root can create a file.
    done = run("--data", "missing", "--output", "/proc/self/task", CHECKPOINT)
    assert_refused(done, "resnext-validate: /proc/self/task: ")


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["table", "json"])
def test_stdout_that_nobody_reads_costs_no_report_and_is_no_verdict(
    some: Path, tmp_path: Path, form: list[str]
) -> None:
    words = ["--data", some, "--claims", CLAIMS, "--output", tmp_path / "out", *form, CHECKPOINT]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    process = warm.start("validate.cli", words, cwd=DIGITS, output=pipe)
    with pipe.open("rb"):
        pass
    process.join()
    assert (process.exitcode, warm.errors(pipe)) == (2, "")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["exit_code"] == 2
    text = (tmp_path / "out" / "report.md").read_text()
    assert "exit code 2: not all results could be written: stdout: Broken pipe" in text


@pytest.mark.parametrize("workers", [0, 2])
def test_warnings_of_libraries_are_one_line_and_in_the_report(
    run: Run, some: Path, tmp_path: Path, workers: int
) -> None:
    data = shutil.copytree(some, tmp_path / "data")
    for number in range(3):
        write_noisy(data / "0_zero" / f"{number}.tif", side=300)
        write_odd(data / "1_one" / f"{number}.tif")
    words = ("--data", data, "--workers", str(workers), "--output", tmp_path / "out", CHECKPOINT)
    done = run(*words, "--ledger", tmp_path / "ledger", "--batch-size", "4")
    told = [line for line in done.stderr.splitlines() if "libraries" in line]
    assert len(told) == 1
    assert told[0].startswith(
        "resnext-validate: libraries that decode pictures warned of 6 pictures, in "
    )
    assert "the first: 0_zero/0.tif: Fax4Decode: " in told[0]
    assert "\nFax4Decode" not in done.stderr
    assert done.stderr.count("Metadata Warning") == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert f"resnext-validate: {report['notes'][-1]}" == told[0]
    lines = (tmp_path / "ledger").read_text().splitlines()
    assert [json.loads(line)["label"] for line in lines[1:]].count(0) == 5


def test_two_ledgers_are_compared_image_by_image(run: Run, few: Path, tmp_path: Path) -> None:
    for pipeline in ("torch7", "pil"):
        words = ["--pipeline", pipeline, "--ledger", tmp_path / pipeline, CHECKPOINT]
        run("--data", "val", "--claims", "claims.toml", *words, cwd=few)
    done = run(tmp_path / "torch7", tmp_path / "pil", command="validate.comparison.cli")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        "A: resnext_11_8x4d_digits, torch7, fp32",
        "B: resnext_11_8x4d_digits, pil, fp32",
        "48 images in common",
    ]
    assert "  right in both            46" in lines
    assert "  exact McNemar test: p = 1" in lines
    same = run(tmp_path / "pil", tmp_path / "pil", command="validate.comparison.cli")
    assert_is_compare_error(same, "it has one run only; name a second ledger")


def test_names_in_ledgers_colour_no_terminal(run: Run, tmp_path: Path) -> None:
    described = {"network": "\x1b[31mn", "weights_sha256": "ab", "preprocessing": {"scale": 256}}
    described |= {"crops": 1, "precision": "fp32"}
    for name, best in (("torch7", 1), ("pil", 2)):
        runs = [{**described, "pipeline": name}]
        fields = {"batch": 0, "image": "\x1b[31mi", "label": 1, "top5": [[best]]}
        lines = [{"ledger": FORMAT, "runs": runs}, {**fields, "confidence": [0.5]}]
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = run(tmp_path / "torch7", tmp_path / "pil", command="validate.comparison.cli")
    assert done.stdout.splitlines()[0] == r"A: \x1b[31mn, torch7, fp32"
    assert done.stdout.splitlines()[-1] == r"  \x1b[31mi: label 1, A 1, B 2"


def test_what_is_no_ledger_cannot_be_compared(run: Run) -> None:
    done = run(CLAIMS, CLAIMS, command="validate.comparison.cli")
    assert_is_compare_error(done, f"{CLAIMS}: a ledger of resnext-validate expected")


def assert_is_compare_error(done: subprocess.CompletedProcess[str], part: str) -> None:
    assert done.stderr.startswith("resnext-compare: ")
    assert part in done.stderr
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)

"""Files of claims: written from a measurement, and judged by."""

import json
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import convert
from resnext.checkpoint import Origin
from resnext.preprocessing import Preprocessing
from resnext.published import read_table
from tests.support import warm
from tests.support.golden import ROOT
from tests.support.sample_report import sample_report
from validate.claims_file import claims_text

DIGITS = ROOT / "examples" / "digits"
CHECKPOINT = DIGITS / "resnext_11_8x4d_digits.t7"
CLAIMS = DIGITS / "claims.toml"
OWN = Preprocessing(scale=36, crop=32, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def run(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a function that measures 48 digits as a user would; warnings are errors in it."""
    output = tmp_path_factory.mktemp("printed") / "out"

    def run(*words: str | Path, data: str | Path = "val") -> CompletedProcess[str]:
        words = ("--data", data, "--workers", "0", *words)
        return warm.run("validate.cli", words, cwd=few, output=output)

    return run


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the demo's network with its true preprocessing in its header."""
    checkpoint = convert.load(CHECKPOINT)
    provenance = replace(checkpoint.provenance, converted_by="a test")
    path = tmp_path_factory.mktemp("own") / "digits.safetensors"
    replace(checkpoint, preprocessing=OWN, origin=Origin.GIVEN, provenance=provenance).save(path)
    return path


def row(name: str = "digits", *, more: str = "", **fields: object) -> str:
    """Return a row without preprocessing and a claim of the top-1 error, which is 4.17 %."""
    values = {"metric": '"top1_error"', "value": '"4.17"', "images": 48, "source": '"me"'}
    claim = "\n".join(f"{key} = {value}" for key, value in (values | fields).items())
    return f'[[network]]\nname = "{name}"\n{more}\n[[network.claim]]\n{claim}\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "claims.toml"
    path.write_text(text)
    return path


def refusal(done: CompletedProcess[str]) -> list[str]:
    """Return the lines on stderr of a command that refused its input."""
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()


def test_written_claims_hold_for_what_was_measured(run: Run, own: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.toml"
    done = run("--write-claims", path, own)
    assert done.returncode == 0
    assert done.stderr.endswith(
        f"resnext-validate: {path}: 2 claims written; --claims {path} judges by them\n"
    )
    (network,) = tomllib.loads(path.read_text())["network"]
    found = [(each["metric"], each["value"], each["images"]) for each in network["claim"]]
    assert found == [("top1_error", "4.17", 48), ("top5_error", "0.00", 48)]
    assert network["preprocessing"]["scale"] == 36
    assert network["classes"][:2] == ["0_zero", "1_one"]
    assert f'# weights_sha256 = "{convert.load(own).digest()}"' in path.read_text()
    done = run("--claims", path, "--strict", "--json", own)
    printed = json.loads(done.stdout)
    assert (done.returncode, printed["outcome"]) == (0, "reproduced")
    # What stands in comments is in effect without its mark.
    text = path.read_text().replace("# weights_sha256", "weights_sha256")
    path.write_text(text.replace("# tolerance", "tolerance"))
    assert run("--claims", path, "--strict", own).returncode == 0


def test_claims_of_both_pipelines_are_each_judged_under_their_own(
    run: Run, own: Path, tmp_path: Path
) -> None:
    """At a scale at which the pipelines differ in some decisions."""
    path, both = tmp_path / "new.toml", ("--pipeline", "torch7", "--pipeline", "pil")
    assert run("--write-claims", path, *both, "--scale", "40", own).returncode == 0
    claims = tomllib.loads(path.read_text())["network"][0]["claim"]
    assert [each["pipeline"] for each in claims] == ["torch7", "torch7", "pil", "pil"]
    done = run("--claims", path, "--strict", "--json", *both, own)
    results = json.loads(done.stdout)["results"]
    assert [[claim["verdict"] for claim in each["claims"]] for each in results] == [
        ["reproduced", "reproduced"],
        ["reproduced", "reproduced"],
    ]
    assert done.returncode == 0
    done = run("--claims", path, "--strict", "--pipeline", "pil", own)
    assert "is not judged: it was measured with the torch7 pipeline" in done.stdout
    assert done.returncode == 1


def test_written_claims_of_pillows_bicubic_are_judged_under_it(
    run: Run, own: Path, tmp_path: Path
) -> None:
    way, path = tmp_path / "way.toml", tmp_path / "new.toml"
    numbers = "mean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]\n"
    way.write_text(f'scale = 40\ncrop = 32\npipeline = "pil"\ninterpolation = "bicubic"\n{numbers}')
    assert run("--write-claims", path, "--preprocessing", way, own).returncode == 0
    text = path.read_text()
    assert 'pipeline = "pil"  # or "torch7" or "opencv"\n' in text
    assert 'interpolation = "bicubic"  # or "bilinear"\n' in text
    done = run("--claims", path, "--strict", "--json", own)
    (result,) = json.loads(done.stdout)["results"]
    assert (done.returncode, result["pipeline"]) == (0, "pil")
    assert result["preprocessing"]["interpolation"] == "bicubic"
    assert [claim["verdict"] for claim in result["claims"]] == ["reproduced", "reproduced"]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--write-claims", CLAIMS], "a file that is not there yet expected"),
        (["--write-claims", "none/x.toml"], "the folder none expected, found none"),
        (["--write-claims", "x.toml", "--limit", "20"], "found a sample of them (--limit)"),
        (["--write-claims", "x.toml", CHECKPOINT], "found two called resnext_11_8x4d_digits"),
        (["--write-claims", "x.toml", "--ledger", "./x.toml"], "another file than that of --led"),
    ],
    ids=["there", "folder", "sample", "two", "ledger"],
)
def test_claims_that_cannot_be_written_are_refused_before_measuring(
    run: Run, few: Path, tmp_path: Path, words: list[str | Path], part: str
) -> None:
    before = CLAIMS.read_text()
    copy = shutil.copy(CHECKPOINT, tmp_path / CHECKPOINT.name)
    lines = refusal(run(*words, copy, data="val/../val"))
    assert part in lines[-1]
    assert CLAIMS.read_text() == before
    assert not (few / "x.toml").exists()


def test_claims_are_not_written_where_a_report_goes(run: Run, own: Path, tmp_path: Path) -> None:
    words = ("--output", tmp_path / "out", "--write-claims", tmp_path / "out" / "report.json", own)
    assert "report.json" in refusal(run(*words))[-1]


def test_set_without_a_class_makes_no_claims(
    run: Run, few: Path, own: Path, tmp_path: Path
) -> None:
    path = write(tmp_path, row(more=f"classes = {json.dumps(digits())}"))
    for name in digits()[:9]:
        shutil.copytree(few / "val" / name, tmp_path / "val" / name)
    words = ("--claims", path, "--write-claims", tmp_path / "new.toml", own)
    assert "found 9 of 10 classes" in refusal(run(*words, data=tmp_path / "val"))[-1]


def digits() -> list[str]:
    return sorted(folder.name for folder in (DIGITS / "val").iterdir())


def test_names_that_toml_must_escape_are_read_back(tmp_path: Path) -> None:
    report = sample_report(gone=False)
    results = tuple(
        replace(each, run=replace(each.run, network='a "quoted" \\ name'), told=("top1_error",))
        for each in report.results
    )
    long = tuple(f'{name} {"x" * 50} "\\' for name in ("cat", "dog", "crane"))
    images = replace(report.images, classes=long)
    path = write(tmp_path, claims_text(replace(report, results=results, images=images), date="D"))
    (found,) = read_table(path)
    assert (found.name, found.classes) == ('a "quoted" \\ name', long)
    assert [(each.metric, each.value, each.pipeline) for each in found.claims] == [
        ("top1_error", "20.00", "torch7"),
        ("top1_error", "40.00", "pil"),
    ]


def test_every_image_of_a_large_set_shows_in_the_value() -> None:
    report = sample_report(gone=False)
    counts = replace(report.results[0].counts, images=50_000, top1_correct=38_899)
    results = (replace(report.results[0], counts=counts),)
    text = claims_text(replace(report, results=results), date="D")
    assert 'value = "22.202"  # percent, 11101 of 50000 images' in text
    assert "without it 0.051, here 25 images" in text


def test_claims_without_preprocessing_take_the_checkpoints_own(
    run: Run, own: Path, tmp_path: Path
) -> None:
    path = write(tmp_path, row(value="4.17"))
    done = run("--claims", path, "--json", own)
    (result,) = json.loads(done.stdout)["results"]
    assert (done.returncode, done.stderr) == (0, "")
    assert result["preprocessing"] == json.loads(json.dumps(OWN.to_fields()))
    assert [each["verdict"] for each in result["claims"]] == ["reproduced"]
    assert "preprocessing_replaced" not in result


def test_preprocessing_that_nobody_states_is_refused(run: Run, own: Path, tmp_path: Path) -> None:
    path = tmp_path / "digits.safetensors"
    checkpoint = convert.load(own)
    replace(checkpoint, preprocessing=None, origin=None).save(path)
    lines = refusal(run("--claims", write(tmp_path, row()), path))
    assert lines[-1] == (
        f"resnext-validate: {path}: no preprocessing is known for this network; add one to the row "
        "'digits' of the claims, state it with --preprocessing, or store it with resnext-convert "
        "--preprocessing"
    )


def test_preprocessing_that_claims_replace_is_said_first(
    run: Run, own: Path, tmp_path: Path
) -> None:
    other = "[network.preprocessing]\ncrop = 32\nmean = [0.5, 0.5, 0.5]\nstd = [1, 1, 1]"
    path = write(tmp_path, row(more=other))
    done = run("--claims", path, "--output", tmp_path / "report", "--no-canary", own)
    text = (
        "digits is preprocessed as its claims say, not as the checkpoint does: scale none in place "
        "of 36, mean 0.5 0.5 0.5 in place of 0.485 0.456 0.406, std 1 1 1 in place of 0.229 0.224 "
        "0.225."
    )
    assert done.returncode == 1
    assert text in (tmp_path / "report" / "report.md").read_text().splitlines()[0]
    assert text in (tmp_path / "report" / "report.html").read_text()
    printed = json.loads((tmp_path / "report" / "report.json").read_text())
    assert text in printed["summary"]
    assert printed["results"][0]["preprocessing_replaced"]["scale"] == 36


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"value": "5.17", "tolerance": "1.0"}, 0),
        ({"value": "5.17", "tolerance": '"0.99"'}, 1),
        ({"value": "4.2", "tolerance": 0}, 0),
        ({"value": "4.20", "tolerance": 0}, 1),
        ({"value": 4}, 0),
    ],
    ids=["within", "beyond", "rounded", "exact", "whole"],
)
def test_tolerance_of_a_claim_decides(
    run: Run, own: Path, tmp_path: Path, fields: dict[str, object], code: int
) -> None:
    done = run("--claims", write(tmp_path, row(**fields)), own)
    assert done.returncode == code, done.stdout


def test_renamed_folder_is_refused_where_claims_name_the_classes(
    run: Run, few: Path, own: Path, tmp_path: Path
) -> None:
    path = write(tmp_path, row(more=f"classes = {json.dumps(digits())}"))
    shutil.copytree(few / "val", tmp_path / "val")
    (tmp_path / "val" / "0_zero").rename(tmp_path / "val" / "zero")
    lines = refusal(run("--claims", path, own, data=tmp_path / "val"))
    assert lines[-1].endswith("0_zero, 1_one, 2_two and 7 more, found others: zero")
    done = run("--claims", path, "--json", own)
    assert json.loads(done.stdout)["outcome"] == "reproduced"


@pytest.mark.parametrize(
    ("classes", "part"),
    [
        (["0_zero"], "1 of them, found 10"),
        (["zero", *digits()[1:]], "output 0 as 'zero', found '0_zero'"),
    ],
    ids=["number", "name"],
)
def test_classes_of_another_network_are_refused(
    run: Run, own: Path, tmp_path: Path, classes: list[str], part: str
) -> None:
    named = tmp_path / "digits.safetensors"
    replace(convert.load(own), classes=tuple(digits())).save(named)
    path = write(tmp_path, row(more=f"classes = {json.dumps(classes)}"))
    lines = refusal(run("--claims", path, named))
    expected = f"{named}: the classes of the row 'digits' of the claims expected, "
    assert lines[-1] == f"resnext-validate: {expected}{part}"


def test_all_faults_of_a_file_are_told_at_once(run: Run, tmp_path: Path) -> None:
    text = row(more="clases = []", value='"4,17"', images='"many"', crops=5)
    text += row("other", more="preprocessing = {crop = 0, mean = [1], std = [1, 1, 1]}")
    path = write(tmp_path, text.replace('source = "me"', "", 1) + row("other", tolerance="true"))
    lines = refusal(run("--claims", path, CHECKPOINT))
    crop = "crop must be a whole number of pixels from 1 to 9459, found 0"
    mean = "mean must be three numbers, finite and below 1,000,000, found [1]"
    known = "name, preprocessing, claim, classes, spec, bytes, sha256, weights_sha256, protocol, "
    known += "file, url, licence, multiply_adds"
    assert lines == [
        f"resnext-validate: {path}: {text}"
        for text in (
            f"network 1: unknown field 'clases'; the fields are {known}",
            "network 'digits', claim 1: value must be a percentage such as \"22.2\", found '4,17'",
            "network 'digits', claim 1: images must be a whole number, found 'many'",
            "network 'digits', claim 1: source expected, found none",
            "network 'digits', claim 1: crops 1 or 10 expected, found 5",
            f"network 'other': {crop}; {mean}",
            "network 'other', claim 1: tolerance must be a text, found True",
        )
    ]


def test_many_rows_that_apply_to_nothing_are_counted(run: Run, own: Path, tmp_path: Path) -> None:
    others = "".join(row(f"other{number}{'x' * 900}") for number in range(12))
    done = run("--claims", write(tmp_path, row() + others), "--limit", "20", own)
    assert done.returncode == 0
    *named, last = done.stderr.splitlines()
    assert len(named) == 10
    assert max(map(len, named)) < 500
    assert last.endswith("claims.toml: 2 more rows apply to none either")


def test_claims_of_another_way_judge_nothing_and_say_so(
    run: Run, own: Path, tmp_path: Path
) -> None:
    words = ("--claims", write(tmp_path, row()), "--scale", "40", "--json", own)
    done = run(*words)
    printed = json.loads(done.stdout)
    assert done.returncode == 0
    assert printed["summary"] == "Nothing judged: 1 claim was made with scale 36."
    assert run(*words, "--strict").returncode == 1

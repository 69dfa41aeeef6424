"""Which preprocessing a network is measured with, and what that does to its claims."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

import convert
from resnext.checkpoint import Origin
from resnext.preprocessing import Interpolation, Pipeline
from tests.support import warm
from tests.support.golden import ROOT

DIGITS = ROOT / "examples" / "digits"
CHECKPOINT = DIGITS / "resnext_11_8x4d_digits.t7"
OWN = DIGITS / "preprocessing.toml"
FIELDS = "scale, crop, mean, std, white, pipeline, interpolation"


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(few: Path, tmp_path: Path) -> Run:
    """Return a function that measures 48 digits as a user would; warnings are errors in it."""

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        given = ["--data", "val", *words]
        return warm.run("validate.cli", given, cwd=few, output=tmp_path / "out")

    return run


@pytest.fixture
def unknown(tmp_path: Path) -> Path:
    """Return a checkpoint that does not say what its network sees of a picture."""
    path = tmp_path / "mine.safetensors"
    found = convert.load(CHECKPOINT)
    provenance = replace(found.provenance, converted_by="a test")
    replace(found, preprocessing=None, origin=None, provenance=provenance).save(path)
    return path


def test_network_of_unknown_preprocessing_is_measured_with_a_stated_one(
    run: Run, unknown: Path
) -> None:
    done = run("--preprocessing", OWN, "--json", unknown)
    printed = json.loads(done.stdout)
    (result,) = printed["results"]
    assert (done.returncode, done.stderr, printed["notes"]) == (0, "", [])
    assert (result["top1_correct"], result["top5_correct"]) == (46, 48)


def test_stated_preprocessing_that_is_the_claims_own_is_judged_without_a_note(run: Run) -> None:
    words = ["--preprocessing", OWN, "--claims", "claims.toml", CHECKPOINT]
    done = run(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("reproduced") == 2


def test_stated_preprocessing_in_place_of_an_assumed_one_is_that_of_claims_without_one(
    run: Run, few: Path, tmp_path: Path
) -> None:
    text = (few / "claims.toml").read_text()
    before, after = text.index("[network.preprocessing]"), text.index("[[network.claim]]")
    (tmp_path / "claims.toml").write_text(text[:before] + text[after:])
    words = ["--preprocessing", OWN, "--claims", tmp_path / "claims.toml", CHECKPOINT]
    done = run(*words)
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
    run: Run, tmp_path: Path, old: str, new: str, way: str
) -> None:
    text = OWN.read_text()
    assert old in text
    (tmp_path / "p.toml").write_text(text.replace(old, new))
    words = ["--preprocessing", tmp_path / "p.toml", "--claims", "claims.toml", "--limit", "20"]
    done = run(*words, CHECKPOINT)
    assert done.returncode == 0
    assert "as --preprocessing says, in place of scale 36, crop 32, mean 0.485" in done.stderr
    assert f"digits: nothing judged: 2 claims were made with {way}\n" in done.stdout
    strict = run(*words, "--strict", CHECKPOINT)
    assert strict.returncode == 1
    assert "no claim was judged" in strict.stderr


def test_numbers_on_the_scale_of_bytes_are_the_same_normalisation(run: Run, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(
        "scale = 36\ncrop = 32\nwhite = 255\n"
        "mean = [123.675, 116.28, 103.53]\nstd = [58.395, 57.12, 57.375]\n"
    )
    words = ["--preprocessing", tmp_path / "p.toml", "--claims", "claims.toml", CHECKPOINT]
    done = run(*words)
    assert done.returncode == 0
    assert done.stdout.count("reproduced") == 2


def test_scale_and_crop_replace_those_of_a_stated_preprocessing(run: Run) -> None:
    words = ["--preprocessing", OWN, "--scale", "44", "--crop", "40", "--limit", "20", "--json"]
    (result,) = json.loads(run(*words, CHECKPOINT).stdout)["results"]
    found = result["preprocessing"]
    assert (found["scale"], found["crop"], found["mean"]) == (44, 40, [0.485, 0.456, 0.406])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("imagnet", "preprocessing imagnet: imagenet, cifar10, cifar100 or a TOML file expected"),
        (
            "claims.toml",
            "claims.toml: unknown field 'network'; the fields are " + FIELDS,
        ),
        ("val", "preprocessing val: imagenet, cifar10, cifar100 or a TOML file expected"),
        ("", "--preprocessing: a name or a TOML file expected, found no text"),
    ],
    ids=["name", "other table", "folder", "empty"],
)
def test_preprocessing_that_is_none_is_refused(run: Run, name: str, text: str) -> None:
    done = run("--preprocessing", name, CHECKPOINT)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"resnext-validate: {text}\n"


def test_scale_of_no_claim_says_first_that_nothing_was_judged(run: Run) -> None:
    words = ["--scale", "40", "--claims", "claims.toml", "--limit", "20", "--json", CHECKPOINT]
    report = json.loads(run(*words).stdout)
    assert report["summary"] == "Nothing judged: 2 claims were made with scale 36."
    assert report["outcome"] == "measured"


# Each claim under its own protocol

NUMBERS = "mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225]"
RIGHT = 'claim = [{ metric = "top1_accuracy", value = "95.83", images = 48, source = "a page" }]'


def table(tmp_path: Path, rows: dict[str, str], claim: str = RIGHT) -> Path:
    """Write a table of networks, name -> fields of its preprocessing, all with the same claim."""
    path = tmp_path / "table.toml"
    path.write_text(
        "\n".join(
            f'[[network]]\nname = "{name}"\npreprocessing = {{ {fields}, {NUMBERS} }}\n{claim}'
            for name, fields in rows.items()
        )
    )
    return path


def copies(tmp_path: Path, *names: str) -> list[Path]:
    """Return the digits' network under other names, by which it is judged."""
    found = convert.load(CHECKPOINT)
    provenance = replace(found.provenance, published_name=None)
    paths = [tmp_path / f"{name}.safetensors" for name in names]
    for path in paths:
        replace(found, provenance=provenance).save(path)
    return paths


def test_networks_of_different_protocols_are_measured_in_one_pass_each_under_its_own(
    run: Run, tmp_path: Path
) -> None:
    rows = {
        "a.tv_in1k": 'pipeline = "pil", scale = 36, crop = 32',
        "b": 'pipeline = "pil", interpolation = "bicubic", scale = 33, crop = 32',
        "c": "scale = 36, crop = 32",
        "d": 'pipeline = "pil", scale = 36, crop = 32',
    }
    paths = copies(tmp_path, *rows)
    done = run("--claims", table(tmp_path, rows), "--json", *paths)
    printed = json.loads(done.stdout)
    found = [
        (each["network"], each["pipeline"], each["preprocessing"].get("interpolation"))
        for each in printed["results"]
    ]
    assert found == [
        ("a.tv_in1k", "pil", None),
        ("b", "pil", "bicubic"),
        ("c", "torch7", None),
        ("d", "pil", None),
    ]
    assert printed["settings"]["pipelines"] == ["pil", "torch7"]
    a, b, c, d = printed["results"]
    assert all(len(each["claims"]) == 1 for each in (a, b, c, d))
    assert c["top1_correct"] == 46
    assert {key: a[key] for key in ("top1_correct", "top5_correct", "claims")} == {
        key: d[key] for key in ("top1_correct", "top5_correct", "claims")
    }
    assert a["claims"][0]["published_accuracy"] == "95.83"
    assert a["claims"][0]["published"] == "4.17"


def test_pipeline_for_comparison_is_judged_by_no_claim_of_another(run: Run, tmp_path: Path) -> None:
    rows = {"x": 'pipeline = "pil", scale = 36, crop = 32'}
    words = ["--claims", table(tmp_path, rows), *copies(tmp_path, "x"), "--pipeline", "torch7"]
    done = run(*words)
    assert done.returncode == 0
    assert "x: nothing judged: 1 claim was made with the pil pipeline\n" in done.stdout
    both = run(*words, "--pipeline", "pil")
    assert both.returncode == 0
    assert "a page, as accuracy 95.83" in both.stdout
    assert both.stdout.count("reproduced") == 1


def test_interpolation_of_another_kind_leaves_a_claim_unjudged(run: Run, tmp_path: Path) -> None:
    rows = {"x": 'pipeline = "pil", scale = 36, crop = 32'}
    claim = RIGHT.replace("a page", 'a page", interpolation = "bicubic')
    words = ["--claims", table(tmp_path, rows, claim), *copies(tmp_path, "x"), "--limit", "20"]
    done = run(*words, "--pipeline", "pil")
    assert done.returncode == 0
    assert "nothing judged: 1 claim was made with bicubic interpolation\n" in done.stdout


def test_claims_of_one_network_under_several_pipelines_are_each_judged_under_their_own(
    run: Run, tmp_path: Path
) -> None:
    """As `--write-claims` writes them; claims that cannot be judged add no pass."""
    claims = ",\n".join(
        f'{{ metric = "top1_error", value = "{value}", images = 48, source = "{more} }}'
        for value, more in (
            ("4.17", 'as usual"'),
            ("4.17", 'cubic", pipeline = "pil", interpolation = "bicubic", tolerance = "2"'),
            ("4.17", 'linear", pipeline = "pil", tolerance = "2"'),
            ("1.00", 'ten", pipeline = "opencv", crops = 10'),
            ("1.00", 'nobody knows", pipeline = "opencv", protocol = "unknown"'),
        )
    )
    rows = {"x": "scale = 36, crop = 32"}
    given = table(tmp_path, rows, f"claim = [\n{claims}\n]")
    done = run("--claims", given, "--json", *copies(tmp_path, "x"))
    printed = json.loads(done.stdout)
    assert [
        (
            each["pipeline"],
            each["preprocessing"].get("interpolation"),
            [claim["source"] for claim in each["claims"]],
        )
        for each in printed["results"]
    ] == [
        ("torch7", None, ["as usual"]),
        ("pil", "bicubic", ["cubic"]),
        ("pil", None, ["linear"]),
    ]
    assert done.returncode == 0
    pairs = [each["pipelines"] for each in printed["pipelines_compared"]]
    assert pairs == [["torch7", "pil bicubic"], ["torch7", "pil"]]
    assert "Under pil bicubic " in printed["summary"]


def test_scale_and_crop_that_nothing_states_are_noted(run: Run, tmp_path: Path) -> None:
    """Of a graph, which states mean and std alone."""
    (path,) = copies(tmp_path, "graph")
    replace(convert.load(path), origin=Origin.GRAPH).save(path)
    words = [path, "--limit", "20"]
    assert run(*words).stderr == (
        f"resnext-validate: {path}: scale and crop are assumed, as the file's graph states mean "
        "and std alone, crop 32, mean 125.3 123 113.9, std 63 62.1 66.7 (of pixels 0..255); "
        "--preprocessing, or a row named 'graph' in --claims, states another\n"
    )
    assert run(*words, "--preprocessing", "cifar10").stderr == ""


@pytest.mark.parametrize("place", ["row", "claim"])
def test_claim_of_unknown_protocol_is_reported_and_never_judged(
    run: Run, tmp_path: Path, place: str
) -> None:
    rows = {"x": "scale = 36, crop = 32"}
    unknown = 'protocol = "unknown"'
    claim = f"{unknown}\n{RIGHT}" if place == "row" else RIGHT.replace(" }]", f", {unknown} }}]")
    words = ["--claims", table(tmp_path, rows, claim), *copies(tmp_path, "x")]
    done = run(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        "x: top-1 error 4.17 (a page, as accuracy 95.83) is not judged: it was measured with a "
        "protocol that is not known well enough, or cannot be followed here\n"
    ) in done.stdout
    assert "reproduced" not in done.stdout
    strict = run(*words, "--strict")
    assert strict.returncode == 1


@pytest.mark.skipif(find_spec("cv2") is not None, reason="OpenCV is installed")
@pytest.mark.parametrize("way", ["claims", "option"])
def test_pipeline_without_its_library_is_refused_in_one_line(
    run: Run, tmp_path: Path, way: str
) -> None:
    rows = {"x": 'pipeline = "opencv", scale = 36, crop = 32'}
    words: list[str | Path] = ["--pipeline", "opencv"]
    if way == "claims":
        words = ["--claims", table(tmp_path, rows)]
    done = run(*words, *copies(tmp_path, "x"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "resnext-validate: the opencv pipeline takes OpenCV, which cannot"
    )
    assert "extra [opencv]" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(find_spec("cv2") is None, reason="OpenCV is not installed (extra [opencv])")
@pytest.mark.parametrize("workers", ["0", "2"])
def test_opencv_measures_the_digits(run: Run, tmp_path: Path, workers: str) -> None:
    rows = {"x": 'pipeline = "opencv", scale = 36, crop = 32'}
    claim = RIGHT.replace("a page", 'a page", tolerance = "2')
    words = ["--claims", table(tmp_path, rows, claim), "--workers", workers, "--json"]
    done = run(*words, *copies(tmp_path, "x"))
    (result,) = json.loads(done.stdout)["results"]
    assert (done.returncode, result["pipeline"], result["images"]) == (0, "opencv", 48)


def test_checkpoint_keeps_its_pipeline_in_its_header(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    found = convert.load(CHECKPOINT)
    assert found.preprocessing is not None
    way = replace(found.preprocessing, pipeline=Pipeline.PIL, interpolation=Interpolation.BICUBIC)
    provenance = replace(found.provenance, published_name=None)
    replace(found, preprocessing=way, provenance=provenance).save(path)
    assert convert.load(path).preprocessing == way
    (result,) = json.loads(run("--limit", "20", "--json", path).stdout)["results"]
    assert (result["pipeline"], result["preprocessing"]["interpolation"]) == ("pil", "bicubic")

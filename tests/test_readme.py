"""README and docs: their tables, links, snippets, options and names are those of the project."""

import pkgutil
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

import convert
import convert.cli
import evidence.__main__
import predict.cli
import train.cli
import validate.cli
import validate.comparison.cli
import validate.judge_cli
from benchmarks.network_tables import complexity_table
from benchmarks.networks import RESNEXT_50, write_random
from benchmarks.peers import import_timm
from benchmarks.tables import PAGES, fill
from convert.export.formats import EXPORTERS
from resnext.checkpoint import Origin
from resnext.images.imagenet import NAMES, WNIDS
from resnext.pixels.pipelines import Transform
from resnext.preprocessing import IMAGENET, read_preprocessing
from tests import test_walks
from tests.support.golden import DATA, ROOT

DIGITS = ROOT / "examples" / "digits"
README_LINES = 160
WALKS = {f"docs/{page}.md" for page in test_walks.PAGES}
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in (
        "*.md",
        "docs/*.md",
        "benchmarks/*.md",
        "evidence/*.md",
        "examples/*/*.md",
        "tests/data/**/*.md",
    )
    for path in ROOT.glob(pattern)
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
SNIPPET = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
# Options of torchrun, pip and scripts that are shown beside the project's commands.
OTHERS_OPTIONS = {
    "--extra-index-url",
    "--nnodes",
    "--no-python",
    "--nproc-per-node",
    "--rdzv-backend",
    "--rdzv-endpoint",
}


@pytest.mark.parametrize("page", PAGES)
def test_tables_match_the_data(page):
    text = (ROOT / page).read_text()
    assert fill(page, text) == text, "run `python -m benchmarks.tables`"


def test_networks_of_one_x_complexity_are_the_five_of_the_paper():
    _, _, *rows = complexity_table().splitlines()
    assert [tuple(row.strip("| ").split(" | ")[:3]) for row in rows] == [
        ("64", "1", "`resnet_50`"),
        ("40", "2", "`resnext_50_2x40d`"),
        ("24", "4", "`resnext_50_4x24d`"),
        ("14", "8", "`resnext_50_8x14d`"),
        ("4", "32", "`resnext_50_32x4d`"),
    ]


def test_readme_stays_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= README_LINES


@pytest.mark.parametrize("document", DOCUMENTS)
def test_relative_links_lead_to_files_and_headings_that_exist(document):
    path = ROOT / document
    broken = []
    for target in LINK.findall(prose(path)):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        linked = (path.parent / name) if name else path
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            broken.append(target)
    assert broken == []


def prose(path: Path) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize(
    "page", sorted({"README.md", *PAGES, *WALKS, "docs/images.md", "docs/predict.md"})
)
def test_options_that_pages_name_exist(page):
    commands = (
        *(convert.cli.main, validate.cli.main, validate.comparison.cli.main),
        *(validate.judge_cli.main, evidence.__main__.main),
        *(predict.cli.main, train.cli.main),
    )
    known = {
        option
        for command in commands
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    shown = set(OPTION.findall((ROOT / page).read_text()))
    assert shown - known - OTHERS_OPTIONS - {"--help", "--version"} == set()


def test_names_in_the_architecture_page_can_be_imported():
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    names = set(
        re.findall(r"`((?:resnext|convert|validate|predict|train)(?:\.\w+)+)(?:\(\))?`", text)
    )
    assert len(names) > 20
    assert [name for name in sorted(names) if not can_be_imported(name)] == []


def can_be_imported(name: str) -> bool:
    """Tell whether a dotted name is a module, or something that a module or a class has."""
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


# The snippets, each run as it stands on its page.


def snippets() -> Iterator[tuple[str, str]]:
    """Yield (page, code) of every block of Python, but of the pages that test_walks.py follows."""
    for document in DOCUMENTS:
        if document in WALKS:
            continue
        for code in SNIPPET.findall((ROOT / document).read_text()):
            yield document, code


def snippet(page: str, word: str) -> str:
    """Return the one block of Python on a page that has a word."""
    (code,) = [code for document, code in snippets() if document == page and word in code]
    return code


def run(code: str) -> dict[str, object]:
    """Run a block of a page, and return its variables."""
    variables: dict[str, object] = {}
    exec(code, variables)  # noqa: S102 - our own page
    return variables


@pytest.fixture(scope="module")
def resnext_50(tmp_path_factory) -> Path:
    """Return a folder with a ResNeXt-50 of random weights in every format, and a photograph."""
    folder = tmp_path_factory.mktemp("resnext_50")
    path = folder / "resnext_50_32x4d.safetensors"
    write_random(path, RESNEXT_50)
    checkpoint = replace(convert.load(path), classes=NAMES, wnids=WNIDS)
    for name in ("timm", "onnx"):
        EXPORTERS[name].write(checkpoint, EXPORTERS[name].target(path))
    shutil.copy(DATA / "images" / "landscape_420.JPEG", folder / "cat.jpg")
    return folder


def test_every_snippet_is_run():
    assert [page for page, _ in snippets()] == [
        *["README.md"] * 3,  # names, timm and torchvision, ONNX
        "docs/predict.md",
        *["docs/python.md"] * 4,  # names, a picture, ten crops, a network
        "docs/train.md",
    ]


def test_readme_names_five_classes(resnext_50, monkeypatch, capsys):
    monkeypatch.chdir(resnext_50)
    run(snippet("README.md", "predict.pictures"))
    assert re.fullmatch(r"(.+ \d+\.\d%\n){5}", capsys.readouterr().out)


@pytest.mark.peers
@pytest.mark.skipif(find_spec("timm") is None, reason="timm and torchvision are not installed")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_readme_feeds_timm_and_torchvision_from_a_dataset(resnext_50, monkeypatch):
    import_timm()
    monkeypatch.chdir(resnext_50)
    folder = resnext_50 / "imagenet" / "val" / "n01440764"
    folder.mkdir(parents=True)
    for number in range(8):
        shutil.copy("cat.jpg", folder / f"{number}.JPEG")
    found = run(snippet("README.md", "ImageFolder"))
    assert tuple(found["logits"].shape) == (8, 1000)
    exact = Transform(IMAGENET)(Path("cat.jpg").read_bytes())
    assert all((each == exact).all() for each in found["inputs"])


def test_readme_computes_logits_with_onnxruntime(resnext_50, monkeypatch):
    monkeypatch.chdir(resnext_50)
    logits = run(snippet("README.md", "onnxruntime"))["logits"]
    assert (logits.shape, logits.dtype) == ((1, 1000), "float32")


def test_python_page_names_pictures(tmp_path, monkeypatch, capsys):
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "digits").symlink_to(DIGITS)
    digits().save(tmp_path / "digits.safetensors")
    monkeypatch.chdir(tmp_path)
    run(snippet("docs/python.md", "predict.pictures"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "examples/digits/val/3_three/0013.JPEG 3"
    assert len(lines) == 40


def test_python_page_prints_what_it_shows(tmp_path, monkeypatch, capsys):
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "digits").symlink_to(DIGITS)
    digits().save(tmp_path / "digits.safetensors")
    monkeypatch.chdir(tmp_path)

    run(snippet("docs/python.md", "convert.load"))

    printed = capsys.readouterr().out
    assert printed.startswith("3_three 96.1%\n9_nine 3.0%\n")
    assert f"```\n{printed}```" in (ROOT / "docs" / "python.md").read_text()


@pytest.mark.parametrize("word", ["prepare_ten", "ResNeXt-50"])
def test_python_page_states_what_is_so(monkeypatch, word):
    monkeypatch.chdir(ROOT)
    run(snippet("docs/python.md", word))


def digits(**changes):
    """Return the checkpoint of the demo, with its preprocessing."""
    row = read_preprocessing(DIGITS / "preprocessing.toml")
    converted = convert.load(DIGITS / "resnext_11_8x4d_digits.t7")
    return replace(converted, preprocessing=row, origin=Origin.GIVEN, **changes)


@pytest.mark.parametrize("page", ["docs/train.md", "docs/predict.md"])
def test_lines_that_classify_a_folder_name_the_class(tmp_path, monkeypatch, capsys, page):
    for folder in ("new", "runs/digits"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(DIGITS / "val" / "0_zero" / "0072.JPEG", tmp_path / "new")
    names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    digits(classes=names).save(tmp_path / "runs" / "digits" / "best.safetensors")
    monkeypatch.chdir(tmp_path)
    run(snippet(page, "runs/digits"))
    pattern = {
        "docs/train.md": r"new/0072\.JPEG zero 9\d\.\d%( [a-z]+ \d\.\d%){4}\n",
        "docs/predict.md": r"new/0072\.JPEG 0 zero 9\d\.\d% \(1024,\)\n",
    }
    assert re.fullmatch(pattern[page], capsys.readouterr().out)

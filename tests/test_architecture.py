"""Which folder may import which, how large folders and modules are, and one class for a name."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.support.golden import ROOT

PACKAGES = ("resnext", "convert", "validate", "predict", "train")

# A folder -> the folders that its modules may import, beside `resnext` itself, what a network is.
# One more arrow is a decision: docs/ARCHITECTURE.md says why these are there.
ALLOWED = {
    "resnext": set(),
    "resnext/pixels": set(),
    "resnext/distributed": set(),
    "resnext/terminal": {"resnext/distributed"},
    "resnext/download": {"resnext/terminal"},
    "resnext/stores": {"resnext/download", "resnext/terminal"},
    "resnext/pages": {"resnext/terminal"},
    "resnext/model_card": {"resnext/pages", "resnext/terminal"},
    "resnext/images": {"resnext/pixels", "resnext/download", "resnext/terminal"},
    "resnext/images/sources": {
        *("resnext/images", "resnext/pixels", "resnext/download", "resnext/stores"),
        "resnext/terminal",
    },
    "resnext/loader": {"resnext/pixels", "resnext/images", "resnext/terminal"},
    "resnext/inference": {
        "resnext/pixels",
        "resnext/images",
        "resnext/loader",
        "resnext/distributed",
    },
    "convert/source": set(),
    "convert/torch7": {"resnext/terminal", "convert/source"},
    "convert/pytorch": {"convert/source"},
    "convert/graph": {"convert/source"},
    "convert/mxnet": {"convert/source", "convert/graph"},
    "convert/caffe": {"convert/source", "convert/graph"},
    "convert/export": {"resnext/pages", "resnext/terminal", "resnext/model_card"},
    "convert/push": {"convert/export", "resnext/model_card", "resnext/stores"},
    "convert": {"resnext/*", "convert/*"},
    "validate/verdicts": {"resnext/*"},
    "validate/ledger": {"resnext/*", "validate/verdicts"},
    "validate/reports": {"resnext/*", "validate/ledger", "validate/verdicts"},
    "validate/comparison": {
        *("resnext/*", "validate/ledger", "validate/verdicts", "validate/reports"),
    },
    "validate/judging": {"resnext/*", "validate/ledger", "validate/verdicts"},
    "validate": {"resnext/*", "convert", "validate/*"},
    "predict": {"resnext/*", "convert", "predict/*"},
    "train/recipe": {"resnext/*"},
    "train/augmentation": {"resnext/*", "train/recipe"},
    "train/step": {"resnext/*", "train/recipe"},
    "train/input": {"resnext/*", "convert", "train/recipe", "train/augmentation"},
    "train/run": {"resnext/*", "train/input", "train/recipe", "train/augmentation", "train/step"},
    "train/report": {"resnext/*", "train/input", "train/recipe", "train/run"},
    "train": {"resnext/*", "convert", "train/*"},
}

MOST_MODULES = 16  # of a folder, with its `__init__`
MOST_LINES = 300  # of a module


@cache
def modules() -> dict[str, ast.Module]:
    """Return the syntax tree of each module, by its dotted name."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): ast.parse(
            path.read_text()
        )
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }


def folder_of(name: str) -> str:
    """Return the folder that a module lies in, "resnext/images" say."""
    is_package = (ROOT.joinpath(*name.split(".")) / "__init__.py").exists()
    return (name if is_package else name.rpartition(".")[0]).replace(".", "/")


def imports(name: str) -> Iterator[str]:
    """Yield the modules of the project that a module imports, at its top or in a function."""
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield from (each for each in (full, node.module) if each in modules())
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules())


@cache
def arrows() -> dict[str, dict[str, set[str]]]:
    """Return folder -> folder that it imports -> the modules that do."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name in modules():
        if name == "resnext":
            continue  # its public names, which are imported when they are asked for
        for other in imports(name):
            if (here := folder_of(name)) != (there := folder_of(other)):
                found[here][there].add(name)
    return found


def allows(folder: str, other: str) -> bool:
    """Tell whether one folder may import another."""
    rows = ALLOWED[folder]
    return other == "resnext" or other in rows or f"{other.partition('/')[0]}/*" in rows


def test_every_folder_has_its_arrows() -> None:
    assert {folder_of(name) for name in modules()} == set(ALLOWED)


@pytest.mark.parametrize("folder", ALLOWED)
def test_folder_imports_only_what_it_may(folder: str) -> None:
    strangers = {
        other: sorted(names)
        for other, names in arrows()[folder].items()
        if not allows(folder, other)
    }
    assert strangers == {}


def test_no_circle_of_folders() -> None:
    try:
        TopologicalSorter({here: set(found) for here, found in arrows().items()}).prepare()
    except CycleError as error:
        pytest.fail(f"folders import each other in a circle: {error.args[1]}")


def test_no_circle_of_modules() -> None:
    """Not even by a late import; what a package hands out it imports from its own modules."""
    graph = {
        name: {each for each in imports(name) if not f"{name}.".startswith(f"{each}.")}
        for name in modules()
        if name != "resnext"
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other in a circle: {error.args[1]}")


def test_verbs_meet_convert_only_at_its_door() -> None:
    behind = {
        (name, other)
        for name in modules()
        if name.split(".")[0] not in ("convert", "resnext")
        for other in imports(name)
        if other.startswith("convert.")
    }
    assert behind == set()


@pytest.mark.parametrize("folder", ALLOWED)
def test_folder_has_few_modules(folder: str) -> None:
    names = [name for name in modules() if folder_of(name) == folder]
    assert len(names) <= MOST_MODULES, names


def test_no_module_is_long() -> None:
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    counts = {path.relative_to(ROOT).as_posix(): path.read_text().count("\n") for path in paths}
    assert {path: count for path, count in counts.items() if count > MOST_LINES} == {}


def test_each_class_name_stands_for_one_thing() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for name, tree in modules().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(name)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_tests_lie_where_the_modules_lie() -> None:
    folders = {
        path.parent.relative_to(ROOT / "tests").as_posix()
        for path in (ROOT / "tests").rglob("test_*.py")
    }
    assert folders <= {".", "benchmarks", *ALLOWED}

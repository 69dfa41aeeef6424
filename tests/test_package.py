"""What an installation gets: all that the packages import and read."""

import subprocess
import sys
import tarfile
from pathlib import Path

from tests.support.golden import ROOT

ROOT = ROOT
PACKAGES = ("resnext", "convert", "validate", "predict", "train")
KINDS = {".py", ".html", ".css", ".js", ".toml", ".csv", ".npy", ".typed"}


def files(folder: Path) -> set[str]:
    """Return the packages' files below a folder, as far as they are not compiled."""
    return {
        path.relative_to(folder).as_posix()
        for package in PACKAGES
        for path in (folder / package).rglob("*")
        if path.suffix in KINDS
    }


def build(*command: str | Path) -> None:
    """Run commands of setuptools on this project."""
    done = subprocess.run(
        [sys.executable, "-c", "from setuptools import setup; setup()", "-q", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_installation_has_every_file_of_the_packages(tmp_path: Path) -> None:
    build("egg_info", "--egg-base", tmp_path, "build_py", "--build-lib", tmp_path)
    assert files(tmp_path) == files(ROOT)


def test_source_distribution_has_what_a_build_needs_and_no_tests(tmp_path: Path) -> None:
    build("egg_info", "--egg-base", tmp_path, "sdist", "--dist-dir", tmp_path)
    [path] = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as file:
        held = {name.partition("/")[2] for name in file.getnames()}
    assert files(ROOT) <= held
    needed = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "resnext_commands.py"}
    assert needed | {"resnext/pixels/_bicubic.c"} <= held
    folders = {name.partition("/")[0] for name in held if "/" in name}
    assert folders - {"resnext.egg-info"} == set(PACKAGES)

"""The action for other repositories' workflows: its steps run here as they stand."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.golden import ROOT
from tests.support.hub_server import Hub
from tests.support.image_forms import digits

DIGITS = ROOT / "examples" / "digits"
CHECKPOINT = DIGITS / "resnext_11_8x4d_digits.t7"


def action() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
    return loaded


def run_step(name: str, folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run a step's script with the inputs in its environment, as a runner does."""
    read = action()
    [step] = [step for step in read["runs"]["steps"] if step["name"] == name]
    values = {key: each.get("default", "") for key, each in read["inputs"].items()} | inputs
    expressions = {f"${{{{ inputs.{key} }}}}": value for key, value in values.items()}
    expressions["${{ github.action_path }}"] = str(ROOT)
    env = {key: expressions[text] for key, text in step["env"].items()}
    env |= {"RUNNER_TEMP": str(folder), "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    script = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    return subprocess.run(
        script, env=os.environ | env, cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return a folder in which the action's environment is the one of the tests."""
    (tmp_path / "resnext").mkdir()
    (tmp_path / "resnext" / "bin").symlink_to(Path(sys.executable).parent)
    return tmp_path


@pytest.mark.parametrize(
    ("published", "code", "verdict"),
    [("4.17", 0, "Reproduced"), ("2.50", 1, "Not reproduced")],
    ids=["holds", "does not hold"],
)
def test_claim_decides_the_step_and_the_summary_says_it(
    few: Path, installed: Path, published: str, code: int, verdict: str
) -> None:
    text = (few / "claims.toml").read_text()
    (installed / "claims.toml").write_text(text.replace("4.17", published))
    done = run_step(
        "Measure",
        installed,
        checkpoints=f"\n{CHECKPOINT}\n",
        data=str(few / "val"),
        claims="claims.toml",
        arguments="--workers 0 --batch-size 24",
    )
    assert done.returncode == code, done.stderr
    assert run_step("Summary", installed).returncode == 0
    assert verdict in (installed / "summary.md").read_text().splitlines()[0]


def test_value_with_spaces_and_signs_is_one_argument(installed: Path) -> None:
    done = run_step("Measure", installed, checkpoints="a $(touch x).t7", data="b; touch y")
    assert done.returncode == 2
    assert sorted(path.name for path in installed.iterdir()) == ["resnext", "resnext-report"]
    assert run_step("Summary", installed).returncode == 0  # also where there is no report


def test_checkpoint_and_images_may_be_addresses_of_the_hub(installed: Path, hub: Hub) -> None:
    hub.add("me/net", {"net.t7": CHECKPOINT.read_bytes()})
    pictures = {f"val/{name}/{file}": data for name, file, data, _ in digits()}
    hub.add("me/digits", pictures, kind="dataset")
    done = run_step(
        "Measure",
        installed,
        checkpoints="hf://me/net",
        data="hf://datasets/me/digits/val",
        strict="false",
        arguments=f"--workers 0 --cache {installed / 'cache'}",
    )
    assert done.returncode == 0, done.stderr
    assert "326/360" in done.stdout


@pytest.mark.slow
def test_environment_is_installed_with_the_versions_that_were_tested(tmp_path: Path) -> None:
    done = run_step("Install", tmp_path, python=sys.executable)
    assert done.returncode == 0, done.stderr
    command = [tmp_path / "resnext" / "bin" / "resnext-validate", "--version"]
    assert subprocess.run(command, capture_output=True, check=True).stdout
    # What `data` may be: Parquet files, and addresses of the Hub.
    python = tmp_path / "resnext" / "bin" / "python"
    subprocess.run([python, "-c", "import fsspec, huggingface_hub, pyarrow"], check=True)

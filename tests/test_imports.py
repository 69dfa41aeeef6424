"""What an import costs: torch only where a network is built or run."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECKPOINT = Path(__file__).parents[1] / "examples" / "digits" / "resnext_11_8x4d_digits.t7"


@pytest.mark.parametrize(
    "code",
    [
        "import resnext",
        "import convert",
        "import convert.loading",
        "import convert.graph",
        "import resnext.checkpoint",
        "import resnext.data.sources, resnext.data.alignment",
        "import resnext.published; resnext.published.published()",
        "from resnext import Checkpoint, Spec, Preprocessing, Provenance, ResnextError",
        "import resnext.distributed as d; d.Job().device_name('cuda')",
        "import resnext.layout as l; l.layout(l.Spec(blocks=(3, 4, 6, 3))).parameters()",
    ],
)
def test_import_leaves_torch_alone(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('torch' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("validate", ["--data", "nowhere", str(CHECKPOINT)]),
        ("validate", ["--data", "nowhere", "nowhere.safetensors"]),
        ("train", ["--data", "nowhere", "--init", str(CHECKPOINT)]),
    ],
    ids=["images", "checkpoint", "images to train on"],
)
def test_mistyped_path_does_not_wait_for_torch(command: str, words: list[str]) -> None:
    code = (
        f"import sys; from {command}.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "False\n"), done.stderr
    assert "nowhere: " in done.stderr or "nowhere.safetensors: " in done.stderr


def test_every_public_name_can_be_imported() -> None:
    import resnext

    assert {name for name in resnext.__all__ if getattr(resnext, name).__name__ != name} == set()


def test_name_that_does_not_exist_is_an_attribute_error() -> None:
    import resnext

    with pytest.raises(AttributeError, match="module 'resnext' has no attribute 'ResNet'"):
        resnext.ResNet  # noqa: B018

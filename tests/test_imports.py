"""What an import costs: torch only where a network is built or run."""

import pydoc
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.golden import ROOT

CHECKPOINT = ROOT / "examples" / "digits" / "resnext_11_8x4d_digits.t7"


@pytest.mark.parametrize(
    "code",
    [
        "import resnext",
        "import convert",
        "import convert.loading",
        "import predict, predict.request, predict.outputs",
        "import convert.conversion",
        "import convert.torch7.mapping",
        "import resnext.checkpoint",
        "import resnext.images.sources.opening, resnext.images.alignment",
        "import resnext.published; resnext.published.published()",
        "from resnext import Checkpoint, Spec, Preprocessing, Provenance, ResnextError",
        "import resnext, convert; print(end='' * len(dir(resnext) + [convert.__version__]))",
        "import resnext.distributed.job as d; d.Job().device_name('cuda')",
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
        ("predict", [str(CHECKPOINT), "nowhere"]),
        ("predict", ["nowhere.safetensors", str(CHECKPOINT)]),
        ("train", ["--data", "nowhere", "--init", str(CHECKPOINT)]),
    ],
    ids=["images", "checkpoint", "pictures", "checkpoint of pictures", "images to train on"],
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


@pytest.mark.parametrize("option", ["--info", "--no-verify"])
def test_conversion_without_a_proof_leaves_torch_alone(tmp_path: Path, option: str) -> None:
    words = [option] if option == "--info" else [option, "--output", str(tmp_path)]
    code = (
        "import sys; from convert.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(CHECKPOINT), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("False\n")


def test_every_public_name_can_be_imported() -> None:
    import resnext

    assert {name for name in resnext.__all__ if getattr(resnext, name).__name__ != name} == set()


def test_public_names_are_listed() -> None:
    import convert
    import resnext

    assert {"prepare", "Checkpoint", "Stem", "__version__"} <= set(dir(resnext))
    assert {"load", "ConvertError", "__version__"} <= set(dir(convert))
    assert "prepare(data" in pydoc.plain(pydoc.render_doc(resnext))
    assert "class ConvertError" in pydoc.plain(pydoc.render_doc(convert))


def test_version_is_that_of_the_distribution() -> None:
    import convert
    import resnext

    assert (resnext.__version__, convert.__version__) == (version("resnext"),) * 2


def test_name_that_does_not_exist_is_an_attribute_error() -> None:
    import resnext

    with pytest.raises(AttributeError, match="module 'resnext' has no attribute 'ResNet'"):
        resnext.ResNet  # noqa: B018


def test_name_that_convert_does_not_have_is_an_attribute_error() -> None:
    import convert

    with pytest.raises(AttributeError, match="module 'convert' has no attribute 'dump'"):
        convert.dump  # noqa: B018

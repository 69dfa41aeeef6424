"""What an import costs: torch only where a network is built or run."""

import subprocess
import sys

import pytest


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


def test_every_public_name_can_be_imported() -> None:
    import resnext

    assert {name for name in resnext.__all__ if getattr(resnext, name).__name__ != name} == set()


def test_name_that_does_not_exist_is_an_attribute_error() -> None:
    import resnext

    with pytest.raises(AttributeError, match="module 'resnext' has no attribute 'ResNet'"):
        resnext.ResNet  # noqa: B018

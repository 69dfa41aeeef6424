"""ResNeXt as it was released in 2017: networks, checkpoints on disk, and their input.

torch is imported only when a network is built.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resnext.checkpoint import Checkpoint, Provenance
    from resnext.errors import ResnextError
    from resnext.model import ResNeXt
    from resnext.pixels.pipelines import Transform, prepare, prepare_ten
    from resnext.preprocessing import Preprocessing
    from resnext.spec import Block, Norm, Shortcut, Spec, Stem

    __version__: str

__all__ = [
    "Block",
    "Checkpoint",
    "Norm",
    "Preprocessing",
    "Provenance",
    "ResNeXt",
    "ResnextError",
    "Shortcut",
    "Spec",
    "Stem",
    "StemPool",
    "Transform",
    "prepare",
    "prepare_ten",
]

_HOMES = {
    "Block": "resnext.spec",
    "Checkpoint": "resnext.checkpoint",
    "Norm": "resnext.spec",
    "Preprocessing": "resnext.preprocessing",
    "Provenance": "resnext.checkpoint",
    "ResNeXt": "resnext.model",
    "ResnextError": "resnext.errors",
    "Shortcut": "resnext.spec",
    "Spec": "resnext.spec",
    "Stem": "resnext.spec",
    "StemPool": "resnext.spec",
    "Transform": "resnext.pixels.pipelines",
    "prepare": "resnext.pixels.pipelines",
    "prepare_ten": "resnext.pixels.pipelines",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for: `--help` must not wait for torch."""
    if name == "__version__":
        from importlib.metadata import version

        return version("resnext")
    if name not in _HOMES:
        raise AttributeError(f"module 'resnext' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names too, most of which are not imported yet: `help` shows these names."""
    return sorted({*globals(), *__all__, "__version__"})

"""A checkpoint in other formats: one row a format."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from convert.export.errors import MissingExtraError, OutputError
from convert.export.onnx import write_onnx
from convert.export.pth import write_pth
from convert.export.timm import FILES, WEIGHTS, write_timm
from convert.export.timm_card import reason_to_keep
from resnext.checkpoint import SUFFIX, Checkpoint
from resnext.model_card.readme import README


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """One format.

    Attributes:
        name: as `--to` takes it.
        suffix: of the file or folder, with its dot.
        write: writes a checkpoint to a path, whole or not at all, replacing what is there.
        files: names of the files that the folder must have; empty if the format is a single file.
        beside: names of the other files that are written into the folder.
        keeps: returns why a folder that is there is not replaced, or None.
        usage: lines of code that load it, with "{0}" for its path; none where that is well known.
        packages: needed beyond the project's dependencies; each has one name for pip and import.
    """

    name: str
    suffix: str
    write: Callable[[Checkpoint, Path], None]
    files: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    keeps: Callable[[Path], str | None] = lambda _folder: None
    usage: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()

    def usage_of(self, path: Path) -> tuple[str, ...]:
        """Return the lines of code that load an output."""
        return tuple(line.format(path) for line in self.usage)

    def target(self, source: Path, folder: Path | None = None) -> Path:
        """Return the default output of a source: beside it, or in `folder`."""
        return (folder or source.parent) / f"{source.stem}{self.suffix}"

    def wrote(self, folder: Path) -> bool:
        """Tell whether a folder is an output of this format, and not one to put outputs in."""
        return bool(self.files) and all((folder / name).is_file() for name in self.files)

    def require(self) -> None:
        """Check, without importing them, that the packages of the format are installed.

        Raises:
            MissingExtraError: one is not.
        """
        for package in self.packages:
            if find_spec(package) is None:
                raise MissingExtraError(self.name, package, self.packages)

    def require_room(self, path: Path, *, replace: bool) -> None:
        """Check that the output may be written to `path`.

        A folder is replaced only if all it holds is what this format writes: nobody's other files
        are deleted.

        Raises:
            OutputError: something is in the way, or there is no folder to write in.
        """
        if not path.parent.is_dir():
            raise OutputError(f"{path.parent}: an existing folder expected for the output")
        if path.is_symlink():
            raise OutputError(f"{path} is a link; --output names the file itself")
        if not path.exists():
            return
        if not (path.is_file() or path.is_dir()):
            raise OutputError(f"{path} is no regular file; --output names another")
        if not replace:
            raise OutputError(f"{path} exists; --force overwrites it, --output names another")
        if path.is_dir() != bool(self.files):
            kinds = ("a file", "a folder") if self.files else ("a folder", "a file")
            raise OutputError(f"{path} is {kinds[0]}, --to {self.name} writes {kinds[1]}")
        held = {item.name for item in path.iterdir()} if self.files else set()
        others = sorted(held.difference(self.files, self.beside))
        if others:
            raise OutputError(
                f"{path} also holds {others[0]}, so it is not replaced; --output names another"
            )
        if held and (reason := self.keeps(path)):
            raise OutputError(f"{reason}, so {path} is not replaced; --output names another")


_ROWS: Final = (
    Exporter(name="safetensors", suffix=SUFFIX, write=Checkpoint.save),
    Exporter(name="pth", suffix=".pth", write=write_pth),
    Exporter(
        name="timm",
        suffix=".timm",
        write=write_timm,
        files=FILES,
        beside=(README,),
        keeps=reason_to_keep,
        usage=(
            # timm's own transform would feed it other pixels than it was trained with.
            f'resnext.Transform(resnext.Checkpoint.load("{{0}}/{WEIGHTS}").preprocessing)',
            # Without the last argument timm silently takes random weights.
            'timm.create_model("local-dir:{0}", pretrained=True)',
        ),
    ),
    Exporter(
        name="onnx",
        suffix=".onnx",
        write=write_onnx,
        packages=("onnx", "onnxruntime"),
    ),
)
EXPORTERS: Final[dict[str, Exporter]] = {row.name: row for row in _ROWS}

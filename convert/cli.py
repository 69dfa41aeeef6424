"""resnext-convert: original Lua checkpoints to verified PyTorch checkpoints."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from resnext.errors import ResnextError
from resnext.shell import BAD_INPUT, Command, error_line, exit_on_error, say

# `--help` must not wait for numpy or torch: whatever needs them is imported where it is used.
if TYPE_CHECKING:
    from convert.report import Conversion
    from convert.sources import Source
    from resnext.checkpoint import Checkpoint
    from resnext.preprocessing import Preprocessing

PROG: Final = "resnext-convert"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The command line, but for its sources.

    Attributes:
        output: file or folder to write; None is beside the source.
        format: a name of `convert.export.EXPORTERS`.
        preprocessing: to store in place of the published or assumed one.
        cache: folder of downloads; None is the user's.
    """

    output: Path | None
    format: str
    verify: bool
    force: bool
    preprocessing: "Preprocessing | None"
    cache: Path | None


@click.command(PROG, cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="File to write, or an existing folder. Default: beside the source.",
)
@click.option(
    "--to",
    "format_",
    type=click.Choice(["safetensors", "pth", "timm", "onnx"]),
    default="safetensors",
    show_default=True,
    help="Format: ours, a plain state dict, a folder for timm, or ONNX.",
)
@click.option(
    "--verify/--no-verify",
    default=True,
    show_default=True,
    help="Prove that the converted network answers what the original's modules answer.",
)
@click.option("--force", is_flag=True, help="Overwrite an existing output.")
@click.option(
    "--preprocessing",
    metavar="NAME|FILE",
    help="Store this preprocessing: imagenet, cifar10, cifar100, or a TOML file with crop, mean, "
    "std and, where they apply, scale and white.",
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of downloads. Default: the user's cache folder.",
)
@click.option("--info", is_flag=True, help="Describe the sources and convert nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@click.version_option(package_name="resnext", prog_name=PROG)
def main(
    *,
    sources: tuple[str, ...],
    output: Path | None,
    format_: str,
    verify: bool,
    force: bool,
    preprocessing: str | None,
    cache: Path | None,
    info: bool,
    as_json: bool,
) -> None:
    """Convert original ResNeXt and ResNet checkpoints (.t7, Lua Torch7) to PyTorch.

    SOURCE is a file, or the name of a published network, which is downloaded: resnext_50_32x4d,
    resnet_101 ... Each becomes a .safetensors file that torchvision and timm load by name, with
    the architecture, the preprocessing and the provenance in its header.

    The exit code is 0 if every source was converted, and 2 if one was not; the others are
    converted all the same.
    """
    with exit_on_error(PROG):
        config = Config(
            output=output,
            format=format_,
            verify=verify,
            force=force,
            preprocessing=_preprocessing(preprocessing),
            cache=cache,
        )
        _check_output(config, sources)

        def work(text: str) -> tuple[dict[str, object], list[str]]:
            return _info(text, config) if info else _convert(text, config)

        results, failures = _each(sources, work, as_json=as_json)
        if as_json:
            click.echo(json.dumps({"results": results}, indent=2))
        elif len(sources) > 1:
            done = "described" if info else "converted"
            click.echo(f"{len(sources) - failures} of {len(sources)} {done}")
    sys.exit(BAD_INPUT if failures else 0)


def _each(
    sources: tuple[str, ...],
    work: Callable[[str], tuple[dict[str, object], list[str]]],
    *,
    as_json: bool,
) -> tuple[list[dict[str, object]], int]:
    """Work on every source, whatever happens to the others; return results and failures."""
    results: list[dict[str, object]] = []
    failures = 0
    for text in sources:
        try:
            fields, lines = work(text)
        except BrokenPipeError:
            raise
        except (OSError, ResnextError) as error:
            failures += 1
            fields, lines = {"source": text, "error": error_line(error)}, []
            say(PROG, error_line(error))
        results.append(fields)
        if not as_json:
            for line in lines:
                click.echo(line)
    return results, failures


def _check_output(config: Config, sources: tuple[str, ...]) -> None:
    """Check that every source gets an output of its own.

    Raises:
        OutputError: it would not.
    """
    from convert.errors import OutputError

    if config.output is None or config.output.is_dir():
        stems = [Path(text).stem for text in sources] if config.output else list(sources)
        if twice := [stem for stem in stems if stems.count(stem) > 1]:
            raise OutputError(f"two sources would become {twice[0]}; convert them one by one")
    elif len(sources) > 1:
        raise OutputError(f"{config.output}: an existing folder expected for several sources")


def _preprocessing(name: str | None) -> "Preprocessing | None":
    """Return the row that `--preprocessing` names: one of ours, or a TOML file."""
    if name is None:
        return None
    from resnext.preprocessing import PREPROCESSINGS, read_preprocessing

    return PREPROCESSINGS[name] if name in PREPROCESSINGS else read_preprocessing(Path(name))


def _source(text: str, config: Config) -> "Source":
    """Return a source, whose file is there."""
    from convert.sources import find_source
    from resnext.download import cache_folder, download

    source = find_source(text, cache=lambda: cache_folder(config.cache))
    if source.row and source.row.url:
        from resnext.download.bar import download_bar

        with download_bar(source.path.name) as progress:
            download(source.row.url, source.path, size=source.row.bytes, progress=progress)
    return source


def _info(text: str, config: Config) -> tuple[dict[str, object], list[str]]:
    from convert.describe import describe
    from convert.report import description_fields, description_lines

    description = describe(_source(text, config).path)
    return description_fields(description), list(description_lines(description))


def _convert(text: str, config: Config) -> tuple[dict[str, object], list[str]]:
    from convert.report import conversion_fields, conversion_lines

    conversion = _conversion(_source(text, config), config)
    return conversion_fields(conversion), list(conversion_lines(conversion))


def _conversion(source: "Source", config: Config) -> "Conversion":
    """Convert one file."""
    from convert.digest import start_sha256

    sha256 = start_sha256(source.path)  # first: while it runs, the rest is imported too

    from convert.export import EXPORTERS
    from convert.loading import load_original, naming
    from convert.report import Conversion

    exporter = EXPORTERS[config.format]
    exporter.require()
    target = _target(source, config)
    exporter.require_room(target, replace=config.force)
    original = load_original(source.path, sha256=sha256)

    def final() -> "Checkpoint":
        return _stored(original.checkpoint(), config)

    proof = None
    if config.verify:
        from convert.proof import prove

        with naming(source.path):
            proof = prove(original.tree, final())
    if config.format == "safetensors":
        draft = _stored(original.checkpoint(sha256="0" * 64), config)
        draft.save(target, final=final)
    else:
        exporter.write(final(), target)
    return Conversion(source=source.path, target=target, checkpoint=final(), proof=proof)


def _stored(checkpoint: "Checkpoint", config: Config) -> "Checkpoint":
    """Return the checkpoint with the preprocessing that the user gave."""
    from resnext.checkpoint import Origin

    if config.preprocessing is None:
        return checkpoint
    return replace(checkpoint, preprocessing=config.preprocessing, origin=Origin.GIVEN)


def _target(source: "Source", config: Config) -> Path:
    from convert.export import EXPORTERS

    exporter = EXPORTERS[config.format]
    if config.output is None:
        return exporter.target(source.output)
    if config.output.is_dir():
        return exporter.target(source.output, config.output)
    return config.output


if __name__ == "__main__":
    main()

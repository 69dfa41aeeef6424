"""resnext-convert: checkpoints of Torch7 and PyTorch to verified checkpoints."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from convert.options import ConversionConfig, check_output
from convert.pushing import Pushing
from resnext.errors import ResnextError
from resnext.terminal.command import BAD_INPUT, Command, NamedPath, error_line, say
from resnext.terminal.text import printable

# `--help` must not wait for numpy or torch: whatever needs them is imported where it is used.
if TYPE_CHECKING:
    from resnext.preprocessing import Preprocessing
    from resnext.published import Row

PROG: Final = "resnext-convert"

# Parameter -> option, of the options that only a conversion uses.
WRITING: Final = {
    "output": "--output",
    "format_": "--to",
    "force": "--force",
    "preprocessing": "--preprocessing",
    "as_name": "--as",
    "push": "--push",
}


class OutputPath(NamedPath):
    """A path, and whether it is spelt as a folder, with a slash at its end."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, and whether it is spelt as a folder."""
        return super().convert(value, param, ctx), str(value).endswith(os.sep)


@click.command(PROG, cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "-o",
    "--output",
    type=OutputPath(),
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
    "std and, where they apply, scale and white (255 if mean and std are of bytes, 0..255).",
)
@click.option(
    "--as",
    "as_name",
    metavar="NAME",
    help="State that the file is this published network in another form; its claims apply then.",
)
@click.option(
    "--at",
    metavar="PLACE",
    help="Take the network at this place, of a file with several: state.model, state_dict_ema ...",
)
@click.option(
    "--cache",
    type=NamedPath(file_okay=False),
    metavar="DIR",
    help="Folder of downloads. Default: the user's cache folder.",
)
@click.option(
    "--push",
    metavar="OWNER/NAME",
    help="Upload the folder of --to timm to the Hugging Face Hub, after a question; or SOURCE, if "
    "it is such a folder.",
)
@click.option("--public", is_flag=True, help="With --push: everybody sees it.  [default: private]")
@click.option("--yes", is_flag=True, help="With --push: do not ask.")
@click.option("--info", is_flag=True, help="Describe the sources and convert nothing.")
@click.option("--modules", is_flag=True, help="With --info: the tree of modules, or the tensors.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@click.version_option(package_name="resnext", prog_name=PROG)
def main(
    *,
    sources: tuple[str, ...],
    output: tuple[Path, bool] | None,
    format_: str,
    verify: bool,
    force: bool,
    preprocessing: str | None,
    as_name: str | None,
    at: str | None,
    cache: Path | None,
    push: str | None,
    public: bool,
    yes: bool,
    info: bool,
    modules: bool,
    as_json: bool,
) -> int:
    """Convert ResNeXt and ResNet checkpoints to PyTorch, and prove it.

    SOURCE is a file of Lua Torch7 (.t7), PyTorch (.pth, .pt, .bin, .safetensors ...), MXNet
    (X-0000.params beside X-symbol.json) or Caffe (X.caffemodel beside X.prototxt), a folder of the
    Hugging Face hub, an address there (hf://OWNER/MODEL) or in a store (s3://...), or the name of a
    published network, which is downloaded: resnext_50_32x4d, resnet_101 ... Each becomes a
    .safetensors file that torchvision and timm load by name, with the architecture, the
    preprocessing and the provenance in its header.

    The exit code is 0 if every source was converted, and 2 if one was not; the others are
    converted all the same.
    """
    if info:
        _check_info(click.get_current_context())
    elif modules:
        raise click.UsageError("--modules without --info, which prints them; give both")
    path, is_folder = output or (None, False)
    config = ConversionConfig(
        output=path,
        is_folder=is_folder,
        format=format_,
        verify=verify,
        force=force,
        preprocessing=_preprocessing(preprocessing),
        at=at,
        stated=_stated(as_name, sources),
    )
    pushing = None
    if push is not None:
        pushing = Pushing.begun(push, sources, config, public=public, yes=yes)
    elif public or yes:
        raise click.UsageError(f"{'--public' if public else '--yes'} without --push; give both")
    if not info and not (pushing and pushing.folder):
        check_output(config, sources)

    def work(text: str) -> tuple[dict[str, object], list[str]]:
        if info:
            return _describe(text, cache, at=at, modules=modules)
        if pushing and pushing.folder:
            return {"source": text, "output": text}, []
        return _convert(text, cache, config)

    results, failures = _each(sources, work, as_json=as_json)
    if pushing and not failures:
        (pushed,), failures = _each((str(results[0]["output"]),), pushing.finished, as_json=as_json)
        results = [{**results[0], **pushed, "source": results[0]["source"]}]
    if as_json:
        click.echo(json.dumps({"results": results}, indent=2))
    elif len(sources) > 1:
        done = "described" if info else "converted"
        click.echo(f"{len(sources) - failures} of {len(sources)} {done}")
    return BAD_INPUT if failures else 0


def _describe(
    text: str, cache: Path | None, *, at: str | None, modules: bool
) -> tuple[dict[str, object], list[str]]:
    from convert.conversion import describe_source
    from convert.location import find_location

    return describe_source(find_location(text, cache=cache), at=at, modules=modules)


def _convert(
    text: str, cache: Path | None, config: ConversionConfig
) -> tuple[dict[str, object], list[str]]:
    from convert.location import find_location, start_sha256

    source = find_location(text, cache=cache)
    # Computed while NumPy and all else are imported: of a large file it takes the longest.
    sha256 = None if source.is_remote else start_sha256(source.path)

    from convert.conversion import convert_source

    return convert_source(source, config, sha256=sha256)


def _each(
    sources: tuple[str, ...],
    work: Callable[[str], tuple[dict[str, object], list[str]]],
    *,
    as_json: bool,
) -> tuple[list[dict[str, object]], int]:
    """Work on every source, even if others fail; return the results and the number of failures."""
    results: list[dict[str, object]] = []
    failures = 0
    for text in sources:
        try:
            fields, lines = work(text)
        except BrokenPipeError:
            raise
        except (OSError, ResnextError, MemoryError) as error:
            failures += 1
            fields, lines = {"source": text, "error": error_line(error)}, []
            say(PROG, error_line(error))
        results.append(fields)
        if not as_json:
            for line in lines:
                click.echo(printable(line))
    return results, failures


def _check_info(context: click.Context) -> None:
    """Refuse options that `--info` would ignore silently."""
    for name, option in WRITING.items():
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"{option} with --info, which writes nothing; give one of both")


def _stated(name: str | None, sources: tuple[str, ...]) -> "Row | None":
    """Return the row of the published network that `--as` names."""
    if name is None:
        return None
    if len(sources) > 1:
        raise click.UsageError("--as states what one file is; convert the sources one by one")
    from convert.location import named_row

    return named_row(name)


def _preprocessing(name: str | None) -> "Preprocessing | None":
    """Return the row that `--preprocessing` names: one of ours, or a TOML file."""
    if name is None:
        return None
    from resnext.preprocessing import named_preprocessing

    return named_preprocessing(name)


if __name__ == "__main__":
    main()

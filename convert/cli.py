"""resnext-convert: original Lua checkpoints to verified PyTorch checkpoints."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from resnext.shell import Command, exit_on_error

if TYPE_CHECKING:
    from convert.report import Conversion
    from resnext.preprocessing import Preprocessing


@click.command(
    "resnext-convert", cls=Command, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.argument(
    "sources", nargs=-1, required=True, metavar="SOURCE...", type=click.Path(path_type=Path)
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="File to write, or a folder for several. Default: beside the source, as .safetensors.",
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
@click.option("--info", is_flag=True, help="Describe the sources and convert nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@click.version_option(package_name="resnext", prog_name="resnext-convert")
def main(
    sources: tuple[Path, ...],
    output: Path | None,
    verify: bool,
    force: bool,
    preprocessing: str | None,
    info: bool,
    as_json: bool,
) -> None:
    """Convert original ResNeXt and ResNet checkpoints (.t7, Lua Torch7) to PyTorch.

    Each SOURCE becomes a .safetensors file that torchvision and timm load by name, with the
    architecture, the preprocessing and the provenance in its header.
    """
    results: list[dict[str, object]] = []
    with exit_on_error("resnext-convert"):
        if info:
            from convert.describe import describe
            from convert.report import description_fields, description_lines

            for source in sources:
                description = describe(source)
                results.append(description_fields(description))
                _print(description_lines(description), as_json)
        else:
            from convert.report import conversion_fields, conversion_lines

            row = _preprocessing(preprocessing)
            targets = _targets(sources, output, force=force)
            for source, target in zip(sources, targets, strict=True):
                conversion = _convert(source, target, row, verify=verify)
                results.append(conversion_fields(conversion))
                _print(conversion_lines(conversion), as_json)
        if as_json:
            click.echo(json.dumps({"results": results}, indent=2))


def _print(lines: Iterable[str], as_json: bool) -> None:
    """Print a result for people, unless stdout belongs to JSON."""
    if not as_json:
        for line in lines:
            click.echo(line)


def _targets(sources: tuple[Path, ...], output: Path | None, *, force: bool) -> list[Path]:
    """Return the file to write for each source.

    Raises:
        OutputError: one is in the way, or two are the same.
    """
    from convert.errors import OutputError

    if output is None:
        targets = [source.with_suffix(".safetensors") for source in sources]
    elif output.is_dir():
        targets = [output / f"{source.stem}.safetensors" for source in sources]
    elif len(sources) == 1:
        targets = [output]
    else:
        raise OutputError(f"--output {output}: an existing folder expected for several sources")
    for target in targets:
        if targets.count(target) > 1:
            raise OutputError(f"two sources would become {target}; convert them one by one")
        if target.exists() and not force:
            raise OutputError(f"{target} exists; --force overwrites it, --output names another")
    return targets


def _preprocessing(name: str | None) -> "Preprocessing | None":
    """Return the row that `--preprocessing` names: one of ours, or a TOML file."""
    if name is None:
        return None
    import tomllib

    from resnext.errors import PreprocessingError
    from resnext.preprocessing import PREPROCESSINGS, Preprocessing

    if name in PREPROCESSINGS:
        return PREPROCESSINGS[name]
    if not Path(name).exists():
        known = ", ".join(PREPROCESSINGS)
        raise PreprocessingError(f"--preprocessing: {known} or a TOML file expected, found {name}")
    try:
        fields = tomllib.loads(Path(name).read_bytes().decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PreprocessingError(f"{name}: not a TOML file: {error}") from error
    return Preprocessing.from_fields(fields, name)


def _convert(
    source: Path, target: Path, row: "Preprocessing | None", *, verify: bool
) -> "Conversion":
    """Convert one file."""
    from convert.load import load_original, naming
    from convert.report import Conversion
    from resnext.checkpoint import Origin

    original = load_original(source)
    checkpoint = original.checkpoint
    if row is not None:
        checkpoint = replace(checkpoint, preprocessing=row, origin=Origin.GIVEN)
    proof = None
    if verify:
        from convert.proof import prove

        with naming(source):
            proof = prove(original.tree, checkpoint)
    checkpoint.save(target)
    return Conversion(source=source, target=target, checkpoint=checkpoint, proof=proof)


if __name__ == "__main__":
    main()

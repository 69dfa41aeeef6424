"""One source to its output, or to its description: what the command does with each."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from convert.errors import SourceError
from convert.export.errors import OutputError
from convert.location import fetch_file, find_location
from resnext.download.bar import download_bar

# Imported where they are used: the checksum of a large file starts before numpy is imported.
if TYPE_CHECKING:
    from concurrent.futures import Future

    from convert.export.formats import Exporter
    from convert.location import Location
    from convert.report import Conversion
    from resnext.checkpoint import Checkpoint
    from resnext.preprocessing import Preprocessing

# What a shell opens for a command: beside it stand devices.
STREAM: Final = re.compile(r"/dev/(stdin|fd/\d+)|/proc/\w+/fd/\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The command line, but for its sources.

    Attributes:
        output: file or folder to write; None is beside the source.
        is_folder: the output was spelt as a folder, with a slash at its end.
        format: a name of `convert.export.formats.EXPORTERS`.
        preprocessing: to store in place of the published or assumed one.
        cache: folder of downloads; None is the user's.
    """

    output: Path | None
    is_folder: bool
    format: str
    verify: bool
    force: bool
    preprocessing: "Preprocessing | None"
    cache: Path | None


def check_output(config: Config, sources: tuple[str, ...]) -> None:
    """Check that every source gets an output of its own, and no folder becomes a file.

    Raises:
        OutputError: it would not, or would.
    """
    if config.output is None or config.output.is_dir():
        outputs = [(config.output or Path(text).parent) / Path(text).stem for text in sources]
        if twice := [output for output in outputs if outputs.count(output) > 1]:
            raise OutputError(
                f"two sources would become {twice[0]} in the new format; convert them one by one"
            )
        return
    if len(sources) > 1:
        raise OutputError(f"{config.output}: an existing folder expected for several sources")
    if config.is_folder:
        from convert.export.formats import EXPORTERS

        if not EXPORTERS[config.format].files:
            raise OutputError(f"{config.output}/: an existing folder expected, found none")


def describe_source(text: str, config: Config) -> tuple[dict[str, object], list[str]]:
    """Describe one source: as fields for JSON, and as lines."""
    from convert.describe import describe_file
    from convert.report import description_fields, description_lines

    description = describe_file(fetch_file(find_location(text, cache=config.cache), download_bar))
    return description_fields(description), list(description_lines(description))


def convert_source(text: str, config: Config) -> tuple[dict[str, object], list[str]]:
    """Convert one source, and say what was done: as fields for JSON, and as lines."""
    from convert.digest import start_sha256

    source = find_location(text, cache=config.cache)
    # A file that is there, first: while its checksum is computed, the rest is imported too.
    sha256 = None if source.row else start_sha256(source.path)

    from convert.export.formats import EXPORTERS
    from convert.loading import is_safetensors, naming
    from convert.report import conversion_fields, conversion_lines

    exporter = EXPORTERS[config.format]
    exporter.require()
    target = _target(source, exporter, config.output)
    if source.row:
        exporter.require_room(target, replace=config.force)  # not only after the download
    path = fetch_file(source, download_bar)
    with naming(path):
        if is_safetensors(path):
            conversion = _export(path, target, exporter, config)
        else:
            conversion = _convert(path, target, exporter, config, sha256 or start_sha256(path))
    return conversion_fields(conversion), list(conversion_lines(conversion))


def _export(path: Path, target: Path, exporter: "Exporter", config: Config) -> "Conversion":
    """Write a converted checkpoint in another format, or with another preprocessing."""
    from convert.loading import load_converted
    from convert.report import Conversion

    # First: what is wrong with the file matters more than where its output goes.
    checkpoint = _stored(load_converted(path), config)
    if exporter.name == "safetensors" and config.preprocessing is None:
        raise SourceError(
            "converted already; --info describes it, --to writes other formats, --preprocessing "
            "stores another preprocessing"
        )
    exporter.require_room(target, replace=config.force)
    exporter.write(checkpoint, target)
    return Conversion(
        source=path,
        target=target,
        checkpoint=checkpoint,
        proof=None,
        original=False,
        usage=exporter.usage.format(target),
    )


def _convert(
    path: Path, target: Path, exporter: "Exporter", config: Config, sha256: "Future[str]"
) -> "Conversion":
    """Convert an original file."""
    from convert.loading import load_original
    from convert.report import Conversion

    if target.exists() and target.samefile(path):
        raise OutputError(f"{target} is the source itself; --output names another file")
    exporter.require_room(target, replace=config.force)
    original = load_original(path, sha256=sha256)

    proof = None
    if config.verify:
        from convert.proof import prove

        proof = prove(original.tree, original.checkpoint())

    def stored(sha256: str | None = None) -> "Checkpoint":
        checkpoint = _stored(original.checkpoint(sha256=sha256), config)
        provenance = replace(checkpoint.provenance, proof=proof.difference if proof else None)
        return replace(checkpoint, provenance=provenance)

    exporter.require_room(target, replace=config.force)  # the proof took its time
    if exporter.name == "safetensors":
        stored("0" * 64).save(target, final=stored)
    else:
        exporter.write(stored(), target)
    usage = exporter.usage.format(target)
    return Conversion(source=path, target=target, checkpoint=stored(), proof=proof, usage=usage)


def _stored(checkpoint: "Checkpoint", config: Config) -> "Checkpoint":
    """Return the checkpoint with the preprocessing that the user gave."""
    from resnext.checkpoint import Origin

    if config.preprocessing is None:
        return checkpoint
    return replace(checkpoint, preprocessing=config.preprocessing, origin=Origin.GIVEN)


def _target(source: "Location", exporter: "Exporter", output: Path | None) -> Path:
    """Return the file or folder to write.

    Raises:
        OutputError: its name belongs to another format, or a stream was given none.
    """
    from convert.export.formats import EXPORTERS

    if output is None:
        if STREAM.fullmatch(str(source.path)):
            raise OutputError(f"{source.path} has no folder to write in; --output names the file")
        return exporter.target(source.output)
    if output.is_dir():
        return exporter.target(source.output, output)
    for other in EXPORTERS.values():
        if output.suffix == other.suffix and other is not exporter:
            raise OutputError(f"{output} is a name for --to {other.name}, not {exporter.name}")
    return output

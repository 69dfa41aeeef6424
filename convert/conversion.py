"""One source to its output, or to its description: what the command does with each.

Only the proof needs torch, which is imported for it alone.
"""

import re
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import fields, replace
from pathlib import Path
from typing import Final

from convert.description import describe_file
from convert.errors import SourceError
from convert.export.errors import OutputError
from convert.export.formats import EXPORTERS, Exporter
from convert.loading import (
    is_converted,
    load_converted,
    load_original,
    naming,
    published_preprocessing,
    with_imagenet,
)
from convert.location import Location, fetch_file, start_sha256
from convert.options import ConversionConfig
from convert.summary import (
    Conversion,
    conversion_fields,
    conversion_lines,
    description_fields,
    description_lines,
)
from resnext.checkpoint import Checkpoint, Origin
from resnext.download.bar import download_bar
from resnext.header import ProofFacts
from resnext.published import Row
from resnext.spec import Spec

# Paths that a shell opens for a command; beside them stand devices, and no output can.
STREAM: Final = re.compile(r"/dev/(stdin|fd/\d+)|/proc/\w+/fd/\d+")


def describe_source(
    source: Location, *, at: str | None = None, modules: bool = False
) -> tuple[dict[str, object], list[str]]:
    """Describe one source: as fields for JSON, and as lines; with its modules if asked for."""
    description = describe_file(fetch_file(source, download_bar), at=at)
    fields = description_fields(description, modules=modules)
    return fields, list(description_lines(description, modules=modules))


def convert_source(
    source: Location, config: ConversionConfig, *, sha256: Future[str] | None
) -> tuple[dict[str, object], list[str]]:
    """Convert one source, and say what was done: as fields for JSON, and as lines.

    Args:
        source: what to convert; a published network is downloaded first.
        config: the options.
        sha256: of the source's file, if it is being computed already.
    """
    exporter = EXPORTERS[config.format]
    exporter.require()
    target = _target(source, exporter, config.output)
    if source.is_remote:
        exporter.require_room(target, replace=config.force)  # not only after the download
    path = fetch_file(source, download_bar)
    with naming(path):
        if is_converted(path):
            conversion = _export(path, target, exporter, config)
        else:
            conversion = _convert(path, target, exporter, config, sha256 or start_sha256(path))
    return conversion_fields(conversion), list(conversion_lines(conversion))


def _export(path: Path, target: Path, exporter: Exporter, config: ConversionConfig) -> Conversion:
    """Write a converted checkpoint in another format, or with another preprocessing."""
    # Before any check of the output: a fault of the file matters more.
    checkpoint = load_converted(path, at=config.at)
    if exporter.name == "safetensors" and config.preprocessing is None and config.stated is None:
        raise SourceError(
            "converted already; --info describes it, --to writes other formats, --preprocessing "
            "stores another preprocessing"
        )
    _check_stated(config.stated, checkpoint.spec, trained=checkpoint.training is not None)
    checkpoint = _stored(checkpoint, config)
    exporter.require_room(target, replace=config.force)
    exporter.write(checkpoint, target)
    return Conversion(
        source=path,
        target=target,
        checkpoint=checkpoint,
        proof=None,
        original=False,
        usage=exporter.usage_of(target),
    )


def _convert(
    path: Path, target: Path, exporter: Exporter, config: ConversionConfig, sha256: Future[str]
) -> Conversion:
    """Convert an original file."""
    # Before any check of the output: a fault of the file matters more.
    original = load_original(path, sha256=sha256, at=config.at)
    if target.exists() and target.samefile(path):
        raise OutputError(f"{target} is the source itself; --output names another file")
    _check_stated(config.stated, original.network.spec, trained=False)
    exporter.require_room(target, replace=config.force)

    proof = None
    if config.verify:
        from convert.proof import prove

        proof = prove(original.source.run, original.checkpoint(), side=original.source.side)

    def stored(sha256: str | None = None) -> Checkpoint:
        checkpoint = _stored(original.checkpoint(sha256=sha256), config)
        if proof is None:
            return checkpoint
        facts = ProofFacts(
            tensors=len(checkpoint.tensors),
            computed=len(original.network.computed),
            pictures=proof.pictures,
            limit=proof.tolerance,
        )
        provenance = replace(checkpoint.provenance, proof=proof.difference, proof_facts=facts)
        return replace(checkpoint, provenance=provenance)

    exporter.require_room(target, replace=config.force)  # again: the proof took its time
    if exporter.name == "safetensors":
        stored("0" * 64).save(target, final=stored)
    else:
        exporter.write(stored(), target)
    return Conversion(
        source=path,
        target=target,
        checkpoint=stored(),
        proof=proof,
        usage=exporter.usage_of(target),
        place=original.source.place,
        note=original.source.note,
        stated="with --as" if config.stated else "in the file",
    )


def _check_stated(row: Row | None, spec: Spec, *, trained: bool) -> None:
    """Check that a network may be the published one that the user says it is.

    Raises:
        SourceError: it has another architecture, or was trained here.
    """
    if row is None:
        return
    if trained:
        raise SourceError(
            f"--as {row.name}: the weights as published expected, found ones trained from a "
            "checkpoint or from random weights; leave --as out"
        )
    assert row.spec is not None, "a row that is stated has a spec"
    if row.spec != spec:
        differences = ", ".join(_differences(row.spec, spec))
        raise SourceError(f"--as {row.name}: its architecture expected, found {differences}")


def _differences(expected: Spec, found: Spec) -> Iterator[str]:
    """Yield the attributes that differ, those at their default too."""
    for name in (field.name for field in fields(Spec)):
        values = (getattr(each, name) for each in (found, expected))
        ours, theirs = (list(each) if isinstance(each, tuple) else each for each in values)
        if ours != theirs:
            yield f"{name} {ours} in place of {theirs}"


def _stored(checkpoint: Checkpoint, config: ConversionConfig) -> Checkpoint:
    """Return the checkpoint with the published name and the preprocessing that the user gave."""
    row, provenance = config.stated, checkpoint.provenance
    if row is not None and provenance.published_name != row.name:
        preprocessing, origin = checkpoint.preprocessing, checkpoint.origin
        if row.preprocessing:
            preprocessing = published_preprocessing(row.preprocessing, preprocessing, origin)
            origin = Origin.PUBLISHED
        checkpoint = replace(
            checkpoint,
            preprocessing=preprocessing,
            origin=origin,
            provenance=replace(
                provenance,
                published_name=row.name,
                licence=row.licence or provenance.licence,
                stated=True,
            ),
        )
        checkpoint = with_imagenet(checkpoint)
    if config.preprocessing is None:
        return checkpoint
    return replace(checkpoint, preprocessing=config.preprocessing, origin=Origin.GIVEN)


def _target(source: Location, exporter: Exporter, output: Path | None) -> Path:
    """Return the file or folder to write.

    Raises:
        OutputError: its name belongs to another format, or a stream was given none.
    """
    if output is None:
        if STREAM.fullmatch(str(source.path)):
            raise OutputError(f"{source.path} has no folder to write in; --output names the file")
        return exporter.target(source.output)
    if output.is_dir() and not exporter.wrote(output):
        return exporter.target(source.output, output)
    for other in EXPORTERS.values():
        if output.suffix == other.suffix and other is not exporter:
            raise OutputError(f"{output} is a name for --to {other.name}, not {exporter.name}")
    return output

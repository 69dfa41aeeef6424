"""The networks to be measured: from the names on a command line to ways to measure them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import convert
from resnext.checkpoint import Checkpoint
from resnext.errors import CheckpointError, PreprocessingError
from resnext.pixels.pipelines import Pipeline
from resnext.preprocessing import Preprocessing
from resnext.published import Row, published
from validate.checkpoints import find
from validate.protocols import Protocol, choose

if TYPE_CHECKING:
    import torch

    from resnext.images.remote import Bar
    from validate.evaluate import Candidate
    from validate.options import Config


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entrant:
    """A checkpoint and how it is measured.

    Attributes:
        file: as it was given.
        checkpoint: its weights.
        protocol: its name, claims, and the preprocessing that goes with them.
        preprocessing: what the images go through.
    """

    file: str
    checkpoint: Checkpoint
    protocol: Protocol
    preprocessing: Preprocessing


def enter(config: "Config", own: Sequence[Row], *, bar: "Bar") -> tuple[Entrant, ...]:
    """Return the checkpoints that the command line names.

    Args:
        config: names them, and may replace scale and crop.
        own: the user's table of claims.
        bar: shows the download of a published network.

    Raises:
        ResnextError: a file that is no checkpoint, one whose preprocessing is not known, or
            networks of different classes, which no image set has labels for.
    """
    names = find(config.checkpoints or (".",))
    locations = [convert.find(name, cache=config.cache) for name in names]  # before any download
    entrants = tuple(
        _enter(name, convert.fetch(location, bar), config=config, own=own)
        for name, location in zip(names, locations, strict=True)
    )
    first = entrants[0]
    for each in entrants[1:]:
        if _classes(each) != _classes(first):
            raise CheckpointError(
                f"{each.file}: the same {first.checkpoint.spec.classes} classes as {first.file} "
                f"expected, found {each.checkpoint.spec.classes}"
                f"{' others' if _classes(each)[0] == _classes(first)[0] else ''}; "
                "measure them one by one"
            )
    return entrants


def candidates(
    entrants: Sequence[Entrant], config: "Config", device: "torch.device"
) -> tuple["Candidate", ...]:
    """Return every way to measure every checkpoint, pipelines beside each other."""
    from resnext.inference.predictor import Precision, Predictor
    from validate.evaluate import Candidate
    from validate.verdicts.results import Run

    found = []
    on_device = may_scale(config, device)
    for each in entrants:
        network = each.checkpoint.build()
        digest = each.checkpoint.digest()
        predictor = Predictor(
            network,
            device=device,
            precision=Precision(config.precision),
            compiled=config.compiled,
        )
        reference = None
        if config.compare_precision:
            reference = Predictor(network, device=device, precision=Precision.FP32)
        for pipeline in config.pipelines:
            run = Run(
                checkpoint=each.file,
                network=each.protocol.name,
                weights_sha256=digest,
                preprocessing=each.preprocessing,
                pipeline=pipeline,
                crops=config.crops,
                precision=config.precision,
                compiled=config.compiled,
            )
            found.append(
                Candidate(
                    run=run,
                    predictor=predictor,
                    reference=reference,
                    on_device=on_device,
                )
            )
    return tuple(found)


def may_scale(config: "Config", device: "torch.device") -> bool:
    """Tell whether a device scales in place of the processes that read, in some of the ways."""
    from resnext.inference.scaling import takes_over

    return wants_to_scale(config) and takes_over(device)


def wants_to_scale(config: "Config") -> bool:
    """Tell whether some of the ways are what a GPU may scale for: the original's single crop."""
    return Pipeline.TORCH7 in config.pipelines and config.crops == 1


def _enter(name: str, path: Path, *, config: "Config", own: Sequence[Row]) -> Entrant:
    checkpoint = convert.load(path)
    protocol = choose(checkpoint, Path(name), own=own, published=published())
    wanted = protocol.weights_sha256
    if wanted is not None and (found := checkpoint.digest()) != wanted:
        raise CheckpointError(
            f"{name}: weights of sha256 {wanted[:12]}... expected, as the row {protocol.name!r} of "
            f"the claims says, found {found[:12]}...: the claims are about another network"
        )
    usual = protocol.preprocessing
    try:
        preprocessing = replace(
            usual, scale=config.scale or usual.scale, crop=config.crop or usual.crop
        )
    except PreprocessingError as error:
        asked = (("--scale", config.scale), ("--crop", config.crop))
        flags = " and ".join(flag for flag, side in asked if side is not None)
        raise PreprocessingError(f"{name} with {flags}: {error}; give both") from error
    return Entrant(file=name, checkpoint=checkpoint, protocol=protocol, preprocessing=preprocessing)


def _classes(entrant: Entrant) -> tuple[int, tuple[str, ...] | None]:
    return entrant.checkpoint.spec.classes, entrant.checkpoint.classes

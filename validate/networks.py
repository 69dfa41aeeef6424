"""Networks named on the command line: loaded, with the claims that they are judged by."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import convert
from resnext.checkpoint import Checkpoint
from resnext.errors import CheckpointError
from resnext.fields import shown
from resnext.images.names import normal
from resnext.pixels.pipelines import check_installed
from resnext.preprocessing import Pipeline, Preprocessing
from resnext.published import UNKNOWN, Claim, Row, published
from validate.checkpoints import find
from validate.protocols import Protocol, choose

if TYPE_CHECKING:
    from resnext.download import Bar
    from validate.options import MeasurementConfig


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedNetwork:
    """A checkpoint, and how it is measured.

    Attributes:
        file: as it was given.
        checkpoint: its weights.
        protocol: its name, claims, and the preprocessing that goes with them.
        preprocessings: what the images go through: one for each pipeline of the claims, or that is
            compared.
    """

    file: str
    checkpoint: Checkpoint
    protocol: Protocol
    preprocessings: tuple[Preprocessing, ...]

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Return the names of its outputs in their order; None if they are not known."""
        return self.protocol.classes or self.checkpoint.matched_names


def load_networks(
    config: "MeasurementConfig", own: Sequence[Row], *, bar: "Bar"
) -> tuple[LoadedNetwork, ...]:
    """Return the networks that the command line names.

    Args:
        config: names them, and may replace their preprocessing, or scale and crop.
        own: the user's table of claims.
        bar: shows the download of a published network.

    Raises:
        ResnextError: a file that is no checkpoint, one whose preprocessing is not known, or
            networks of different classes, which no image set has labels for.
    """
    names = find(config.checkpoints or (".",))
    locations = [convert.find(name, cache=config.cache) for name in names]  # before any download
    networks = tuple(
        _load(
            location.address or name,  # of a store: with the revision that was found
            convert.fetch(location, bar),
            named=location.output if location.address else Path(name),
            config=config,
            own=own,
        )
        for name, location in zip(names, locations, strict=True)
    )
    first = networks[0]
    for each in networks[1:]:
        if _classes(each) != _classes(first):
            raise CheckpointError(
                f"{each.file}: the same {first.checkpoint.spec.classes} classes as {first.file} "
                f"expected, found {each.checkpoint.spec.classes}"
                f"{' others' if _classes(each)[0] == _classes(first)[0] else ''}; "
                "measure them one by one"
            )
    return networks


def _load(
    name: str, path: Path, *, named: Path, config: "MeasurementConfig", own: Sequence[Row]
) -> LoadedNetwork:
    checkpoint = convert.load(path)
    protocol = choose(
        checkpoint, named, own=own, published=published(), stated=config.preprocessing
    )
    wanted = protocol.weights_sha256
    if wanted is not None and (found := checkpoint.digest()) != wanted:
        raise CheckpointError(
            f"{name}: weights of sha256 {wanted[:12]}... expected, as the row {protocol.name!r} of "
            f"the claims says, found {found[:12]}...: the claims are about another network"
        )
    _check_classes(name, checkpoint, protocol)
    preprocessing = (config.preprocessing or protocol.preprocessing).with_sides(
        scale=config.scale, crop=config.crop, where=name
    )
    ways = tuple(preprocessing.with_pipeline(each) for each in config.pipelines)
    if not ways:
        ways = claimed_ways(protocol.claims, preprocessing, config)
    for way in ways:
        check_installed(way)
    return LoadedNetwork(file=name, checkpoint=checkpoint, protocol=protocol, preprocessings=ways)


def claimed_ways(
    claims: Sequence[Claim], usual: Preprocessing, config: "MeasurementConfig"
) -> tuple[Preprocessing, ...]:
    """Return the preprocessings under whose pipelines a network's claims can be judged.

    Of one network there may be claims of several pipelines, as `--write-claims` writes them. Those
    of other crops, or a preprocessing that the user states, take options of their own.

    Args:
        claims: of the network.
        usual: its preprocessing, which is returned where no claim can be judged.
        config: the options.
    """
    if config.preprocessing is not None:
        return (usual,)
    found = dict.fromkeys(
        claim.under(usual)
        for claim in claims
        if claim.protocol != UNKNOWN and claim.crops == config.crops
    )
    return tuple(sorted(found, key=lambda each: each != usual)) or (usual,)


def wants_to_scale(networks: Sequence[LoadedNetwork], config: "MeasurementConfig") -> bool:
    """Tell whether some run is of the kind that a GPU can scale for: `torch7`, single crop."""
    ways = (way for network in networks for way in network.preprocessings)
    return config.crops == 1 and any(way.pipeline is Pipeline.TORCH7 for way in ways)


def _classes(network: LoadedNetwork) -> tuple[int, tuple[str, ...] | None]:
    return network.checkpoint.spec.classes, network.classes


def _check_classes(name: str, checkpoint: Checkpoint, protocol: Protocol) -> None:
    """Check that the classes of a row of claims are those of the network."""
    claimed, own = protocol.classes, checkpoint.wnids or checkpoint.classes
    if claimed is None:
        return
    wanted = f"the classes of the row {protocol.name!r} of the claims expected"
    if len(claimed) != checkpoint.spec.classes:
        raise CheckpointError(
            f"{name}: {wanted}, {len(claimed)} of them, found {checkpoint.spec.classes}"
        )
    for place, (one, other) in enumerate(zip(claimed, own or claimed, strict=True)):
        if normal(one) != normal(other):
            raise CheckpointError(
                f"{name}: {wanted}, output {place} as {shown(one)}, found {shown(other)}"
            )

"""What a command line asks to measure, checked as far as no torch is needed.

Importing torch takes seconds: a mistyped path is thus refused at once. `validate.measurement` goes
on from here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from resnext.errors import DataError
from resnext.fields import shown
from resnext.images.alignment import aligned
from resnext.images.image_set import ImageSet
from resnext.images.sources.opening import open_images
from resnext.published import Row, read_table
from resnext.terminal.watcher import Watcher
from validate.ledger.packing import check_packing
from validate.networks import LoadedNetwork, load_networks
from validate.options import MeasurementConfig
from validate.trained_images import TrainedImages, choose_part
from validate.verdicts.protocols import unused

# Rows of claims that are named where they apply to nothing.
MOST_ROWS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasurementRequest:
    """A measurement that was asked for.

    Attributes:
        config: the options.
        own: rows of the user's table of claims.
        missing: names of those rows that make claims and apply to no network.
        networks: loaded, at least one; all have the same classes.
        images: labelled with the classes of the networks.
        notes: what the user was told about the input.
        trained: which of the images were trained on, as far as files of trainings say it.
    """

    config: MeasurementConfig
    own: tuple[Row, ...]
    missing: tuple[str, ...]
    networks: tuple[LoadedNetwork, ...]
    images: ImageSet
    notes: tuple[str, ...]
    trained: tuple[TrainedImages, ...] = ()


def checked_request(config: MeasurementConfig, watcher: Watcher) -> MeasurementRequest:
    """Load the networks, find the images and check that they belong together.

    Args:
        config: what is measured.
        watcher: shows downloads, and is told what is worth knowing about the input.

    Raises:
        ResnextError: input that cannot be measured.
        OSError: a file that cannot be opened.
    """
    if config.ledger is not None:
        check_packing(config.ledger)
    own = read_table(config.claims) if config.claims else ()
    networks = load_networks(config, own, bar=watcher.bar)
    checkpoint = networks[0].checkpoint
    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(text)
        watcher.note(text)

    found = open_images(
        config.data,
        labels=config.labels,
        split="val" if config.split is None else "train",  # which is what a training divides
        cache=config.cache,
        progress=watcher.bar,
        stream=config.stream,
        late=config.split is None,
        note=note,
    )
    found, trained = choose_part(config, networks, found)
    images = aligned(found, classes=checkpoint.spec.classes, names=networks[0].classes)
    with_claims = [row for row in own if row.claims]
    for text in (*_notes(config, images, networks, own), *_trained_notes(config, trained)):
        note(text)
    return MeasurementRequest(
        config=config,
        own=own,
        missing=unused(with_claims, [network.protocol for network in networks]),
        networks=networks,
        images=images,
        notes=tuple(notes),
        trained=trained,
    )


def _trained_notes(config: MeasurementConfig, trained: Sequence[TrainedImages]) -> Iterator[str]:
    for each in trained:
        whole = each.among(np.arange(len(each.which)))
        if whole.trained:
            way = "" if config.split else f"; --split {each.source} measures the others alone"
            yield f"{whole.text}{way}"


def _notes(
    config: MeasurementConfig,
    images: ImageSet,
    networks: Sequence[LoadedNetwork],
    own: Sequence[Row],
) -> Iterator[str]:
    protocols = [network.protocol for network in networks]
    if not config.checkpoints:
        files = ", ".join(network.file for network in networks)
        yield f"no checkpoint given, so those of this folder: {files}"
    yield from images.notes
    yield from (protocol.note for protocol in protocols if protocol.note)
    for network in networks:
        name = network.protocol.name
        for doubt in network.protocol.doubts:
            yield f"{network.file}: {shown(name)}: no verdict: {doubt}"
    stated = config.preprocessing
    for network in networks:
        usual = network.protocol.preprocessing
        if stated is not None and stated != usual:
            yield (
                f"{network.file}: measured with {stated.describe()}, as --preprocessing says, in "
                f"place of {usual.describe()}"
            )
    known = ", ".join(dict.fromkeys(protocol.name for protocol in protocols))
    names = unused(own, protocols)
    if own and len(names) == len(own):
        raise DataError(f"{config.claims}: none of its rows applies; the checkpoints are {known}")
    for name in names[:MOST_ROWS]:
        row = f"{config.claims}: the row {shown(name)}"
        yield f"{row} applies to no checkpoint given; these are {known}"
    if len(names) > MOST_ROWS:
        yield f"{config.claims}: {len(names) - MOST_ROWS} more rows apply to none either"

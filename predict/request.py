"""What is asked, checked as far as no torch is needed: importing that takes seconds."""

from collections.abc import Container, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import convert
from predict.errors import PredictionError
from predict.options import PredictionConfig
from predict.thumbnails import KeepingPreparation, ThumbnailFolder
from resnext.checkpoint import Checkpoint, Origin
from resnext.distributed.job import Job
from resnext.errors import PreprocessingError
from resnext.fields import shown
from resnext.images.image_set import PictureSet
from resnext.images.imagenet import titles
from resnext.images.sources.pictures import open_pictures
from resnext.inference.plan import Plan, make_plan
from resnext.layout import layout
from resnext.loader.batches import Reading
from resnext.loader.early_reading import reading_begun
from resnext.machine import DeviceKind, expected_device
from resnext.pixels.pipelines import check_installed
from resnext.preprocessing import Pipeline, Preprocessing
from resnext.spec import Spec
from resnext.terminal.watcher import Watcher


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PredictionRequest:
    """A network, pictures, and what is asked about them.

    Attributes:
        config: the options.
        name: of the checkpoint, for messages.
        checkpoint: its weights.
        file: of the checkpoint; None for one in memory.
        preprocessing: what the pictures go through.
        classes: the name of each label; the label as text where the names are not known.
        pictures: one or more.
        width: number of features of a picture; 0 where none are asked for.
        thumbnails: takes a small picture of each; or None.
    """

    config: PredictionConfig
    name: str
    checkpoint: Checkpoint
    file: Path | None
    preprocessing: Preprocessing
    classes: tuple[str, ...]
    pictures: PictureSet
    width: int
    thumbnails: ThumbnailFolder | None = None

    @property
    def top(self) -> int:
        """Return how many classes a picture is answered with, at most."""
        return min(self.config.top, len(self.classes))

    @property
    def scales(self) -> bool:
        """Tell whether a device that can would scale the pictures."""
        return self.preprocessing.pipeline is Pipeline.TORCH7 and self.config.crops == 1

    def plan_on(self, device: DeviceKind) -> Plan:
        """Return the batches of all pictures, in their order."""
        size = self.config.batch_size_on(device)
        return make_plan(len(self.pictures), limit=None, seed=0, batch_size=size)

    def preparation(self, *, on_device: bool) -> KeepingPreparation:
        """Return what pictures go through where they are read."""
        return KeepingPreparation(self.preprocessing, self.config.crops, on_device, self.thumbnails)


def checked_request(
    network: Checkpoint | Path | str,
    pictures: Sequence[str],
    config: PredictionConfig,
    watcher: Watcher,
    *,
    literal: Container[int] = (),
) -> PredictionRequest:
    """Load the network, find the pictures and check that what is asked can be answered.

    Args:
        network: a checkpoint, its file, or the name of a published network.
        pictures: see `resnext.images.sources.pictures.open_pictures`.
        config: the options.
        watcher: shows downloads, and is told what is worth knowing about the input.
        literal: places in `pictures` of paths that are no patterns.

    Raises:
        ResnextError: input that cannot be used.
        OSError: a file that cannot be opened.
    """
    if isinstance(network, Checkpoint):
        name, file, checkpoint = network.name, None, network
    else:
        name = str(network)
        file = convert.fetch(convert.find(name, cache=config.cache), watcher.bar)
        checkpoint = convert.load(file)
    width = _width(checkpoint.spec, config.layer) if config.features else 0
    preprocessing = _preprocessing(name, checkpoint, config, watcher)
    found = open_pictures(
        pictures,
        literal=literal,
        cache=config.cache,
        progress=watcher.bar,
        stream=config.stream,
    )
    for text in found.notes:
        watcher.note(text)
    labels = tuple(map(str, range(checkpoint.spec.classes)))
    return PredictionRequest(
        config=config,
        name=name,
        checkpoint=checkpoint,
        file=file,
        preprocessing=preprocessing,
        classes=titles(checkpoint.wnids or checkpoint.classes) or labels,
        pictures=found,
        width=width,
    )


def prediction_begun(
    request: PredictionRequest, job: Job
) -> AbstractContextManager[Reading | None]:
    """Return a reading of the pictures that begins before torch is there; see `reading_begun`.

    Args:
        request: what is asked about which pictures.
        job: the processes that share them.

    Raises:
        DataError: there are too many files or processes; raised when the context is entered.
    """
    device = expected_device(request.config.device)
    return reading_begun(
        request.pictures,
        request.plan_on(device).dealt(rank=job.rank, size=job.size),
        [request.preparation(on_device=device.type == "cuda" and request.scales)],
        device=device,
        workers=request.config.workers_on(device, processes=job.local_size),
    )


def _width(spec: Spec, layer: str | None) -> int:
    """Return the number of features of a layer.

    Raises:
        PredictionError: there is no such layer.
    """
    rows = layout(spec)
    if layer is None:
        return rows.classifier.inputs
    if layer not in spec.stage_names:
        raise PredictionError(
            f"layer: one of {', '.join(spec.stage_names)} expected, found {shown(layer)}; without "
            "one the features are the inputs of the classifier"
        )
    return rows.stages[spec.stage_names.index(layer)][-1].outputs


def _preprocessing(
    name: str, checkpoint: Checkpoint, config: PredictionConfig, watcher: Watcher
) -> Preprocessing:
    """Return what pictures go through: what the options say, or else what the checkpoint says."""
    own, stated = checkpoint.preprocessing, config.preprocessing
    usual = stated or own
    if usual is None:
        raise PreprocessingError(
            f"{name}: no preprocessing is known for this network; state it with --preprocessing "
            "(in Python: preprocessing=), or store it with resnext-convert --preprocessing"
        )
    if stated is None and checkpoint.origin is Origin.ASSUMED:
        watcher.note(
            f"{name}: preprocessing assumed from the network's shape, {usual.describe()}; "
            "--preprocessing states another"
        )
    elif stated is not None and own not in (None, stated) and checkpoint.origin != Origin.ASSUMED:
        watcher.note(f"{name}: pictures go through {stated.describe()}, in place of its own")
    row = usual.with_sides(scale=config.scale, crop=config.crop, where=name)
    if config.pipeline is not None:
        row = row.with_pipeline(Pipeline(config.pipeline))
    check_installed(row)
    return row

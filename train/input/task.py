"""Everything that a training needs: its recipe, images and initial network."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from resnext.distributed.job import Job
from resnext.download import Bar
from resnext.images.alignment import aligned
from resnext.images.image_set import ImageSet
from resnext.pixels.pipelines import check_installed
from train.input.class_weights import balanced_weights, named_weights, read_weights
from train.input.command_line import CommandLine
from train.input.first_network import FirstNetwork, from_checkpoint, from_scratch
from train.input.images import count_classes, digest, in_turn
from train.input.options import TrainingConfig
from train.input.picture_fit import fitted_preprocessing
from train.input.split import Images
from train.recipe.batching import fitted, steps_of_epoch
from train.recipe.recipe import Recipe

# The entry of a task's identity that may differ when its run is resumed.
PROCESSES: Final = "processes"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """A training that can start.

    Attributes:
        config: the options.
        recipe: how the network is trained.
        images: with the labels of the network.
        first_network: the network before the first step.
        weights: factor of the loss of each class, or None.
        identity: what a saved state must agree with to be one of this run, ready for JSON.
    """

    config: TrainingConfig
    recipe: Recipe
    images: Images
    first_network: FirstNetwork
    weights: tuple[float, ...] | None
    identity: Mapping[str, Any]

    @property
    def command_line(self) -> CommandLine:
        """Return the options with which the run goes on, and so with the scale that it has."""
        given, scale = self.config.command_line, self.first_network.preprocessing.scale
        return given.stating("--scale", scale or 0) if given.words else given

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the classes, which are their numbers where no names are known."""
        spec = self.first_network.checkpoint.spec
        return self.first_network.classes or tuple(str(label) for label in range(spec.classes))


def prepare(
    config: TrainingConfig,
    recipe: Recipe,
    images: Images,
    *,
    job: Job,
    bar: Bar,
    is_resumed: bool = False,
) -> Task:
    """Build the first network, and fit images, recipe and preprocessing to each other.

    Args:
        config: the options.
        recipe: as it was chosen.
        images: as they were found.
        job: the processes that share the training; one on each machine downloads for the others.
        bar: shows a download.
        is_resumed: the run has a state, and so keeps its preprocessing.

    Raises:
        ResnextError: a network that cannot be read or built, images that do not fit it, or class
            weights that do not fit the images.
        OSError: a file that cannot be opened.
    """
    first = in_turn(job, lambda: _first_network(config, recipe, images.train, bar))
    if not is_resumed:
        first = _fitted_to_pictures(first, config, recipe, images, job)
    images, recipe = _fitted(recipe, _aligned(images, first))
    weights, recipe = _class_weights(config, recipe, images.train, first)
    return Task(
        config=config,
        recipe=recipe,
        images=images,
        first_network=first,
        weights=weights,
        identity={
            "number of training images": len(images.train),
            "number of validation images": len(images.val),
            "recipe": recipe.to_fields(),
            "steps of an epoch": steps_of_epoch(len(images.train), recipe, processes=job.size),
            PROCESSES: job.size,
            "network": first.checkpoint.spec.to_fields(),
            "preprocessing": first.preprocessing.to_fields(),
            "seed": config.seed,
            "first weights": first.checkpoint.digest(),
            "classes": first.classes,
            "training images": digest(images.train),
            "validation images": digest(images.val),
        },
    )


def _first_network(
    config: TrainingConfig, recipe: Recipe, images: ImageSet, bar: Bar
) -> FirstNetwork:
    count, names = count_classes(images), images.classes
    if config.init is None:
        first = from_scratch(config, recipe, classes=count, names=names)
    else:
        first = from_checkpoint(config, classes=count, names=names, bar=bar)
    # Validation needs it, which comes after an epoch of steps.
    check_installed(first.preprocessing)
    return first


def _aligned(images: Images, first: FirstNetwork) -> Images:
    """Return the images with the labels of the network, and the notes of that."""
    count = count_classes(images.train)
    train, val = (
        aligned(each, classes=count, names=first.classes) for each in (images.train, images.val)
    )
    known = {*images.train.notes, *images.val.notes}
    more = [text for text in dict.fromkeys((*train.notes, *val.notes)) if text not in known]
    return replace(images, train=train, val=val, notes=(*images.notes, *more))


def _fitted_to_pictures(
    first: FirstNetwork, config: TrainingConfig, recipe: Recipe, images: Images, job: Job
) -> FirstNetwork:
    """Return the network with a preprocessing that fits the pictures, and the note of that."""
    usual = first.preprocessing
    scale, note = usual.scale, None
    if job.leads:
        fits, note = fitted_preprocessing(
            usual,
            recipe.augmentation,
            images,
            scale_stated=config.scale is not None,
            crop_stated=config.crop is not None,
        )
        scale = fits.scale
    scale, note = job.tell((scale, note))
    return replace(
        first,
        checkpoint=replace(first.checkpoint, preprocessing=replace(usual, scale=scale)),
        notes=(*first.notes, *([note] if note else [])),
    )


def _fitted(recipe: Recipe, images: Images) -> tuple[Images, Recipe]:
    """Limit the batch size to the number of images, with a note among theirs if that changes it."""
    count = len(images.train)
    fits = fitted(recipe, count)
    if fits.batch_size == recipe.batch_size:
        return images, recipe
    rate = ", and the learning rate is that of such a step" if recipe.lr_batch_size else ""
    note = (
        f"a batch of {recipe.batch_size} is more than the {count} images to train on: each step "
        f"takes all {count}{rate}"
    )
    return replace(images, notes=(*images.notes, note)), fits


def _class_weights(
    config: TrainingConfig, recipe: Recipe, images: ImageSet, first: FirstNetwork
) -> tuple[tuple[float, ...] | None, Recipe]:
    """Return the factor of each class, and the recipe that gives them by class name."""
    if config.class_weights is None:
        return None, recipe
    count = first.checkpoint.spec.classes
    names = first.classes or tuple(map(str, range(count)))
    if config.class_weights == "balanced":
        weights = tuple(balanced_weights(images, count).tolist())
    else:
        weights = tuple(named_weights(read_weights(Path(config.class_weights)), names))
    stated = tuple(zip(names, weights, strict=True))
    return weights, replace(recipe, class_weights=stated)

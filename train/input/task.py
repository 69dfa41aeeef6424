"""Everything that a training needs, checked before it starts: a command line to a task.

torch is imported where the first network is built: a mistyped path must not wait for it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnext.images.alignment import aligned
from resnext.images.image_set import ImageSet
from resnext.images.remote import Bar
from resnext.preprocessing import PREPROCESSINGS
from train.input.class_weights import balanced_weights, named_weights, read_weights
from train.input.conflicts import check_options, check_output, check_place
from train.input.first_network import Beginning, begin_anew, begin_with, check_network
from train.input.images import count_classes, digest, find_images
from train.input.options import Config
from train.input.split import Images, check_classes
from train.recipe.batching import fitted, steps_of_epoch
from train.recipe.recipe import CIFAR_2017, FINETUNE, IMAGENET_2017, RECIPES, Recipe, changed
from train.run.state import PROCESSES

if TYPE_CHECKING:
    from resnext.distributed.job import Job


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """A training that can start.

    Attributes:
        config: as it was asked for.
        recipe: how the network is trained.
        images: with the labels of the network.
        beginning: the network.
        weights: factor of the loss of each class, or None.
        identity: what makes a state one of this run, ready for JSON.
    """

    config: Config
    recipe: Recipe
    images: Images
    beginning: Beginning
    weights: tuple[float, ...] | None
    identity: Mapping[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """Return what the classes are called: numbers where nobody said."""
        spec = self.beginning.checkpoint.spec
        return self.beginning.classes or tuple(str(label) for label in range(spec.classes))


def prepare(config: Config, job: "Job", bar: Bar) -> Task:
    """Read and check everything that the command line names.

    Args:
        config: as it was asked for.
        job: the processes that share the training; one of each machine downloads for the others.
        bar: shows a download.

    Raises:
        ResnextError: input that nothing can be learnt from, or options that contradict it.
        OSError: a file that cannot be opened.
    """
    check_options(config)
    check_output(config)
    recipe = chosen_recipe(config)
    check_network(config, recipe)
    images, beginning = _in_turn(job, lambda: _find(config, recipe, bar))
    check_place(config.output, images)
    images, recipe = _fitted(recipe, images)
    weights, recipe = _class_weights(config, recipe, images.train, beginning)
    preprocessing = beginning.checkpoint.preprocessing
    assert preprocessing is not None
    return Task(
        config=config,
        recipe=recipe,
        images=images,
        beginning=beginning,
        weights=weights,
        identity={
            "number of training images": len(images.train),
            "number of validation images": len(images.val),
            "recipe": recipe.to_fields(),
            "steps of an epoch": steps_of_epoch(len(images.train), recipe, processes=job.size),
            PROCESSES: job.size,
            "network": beginning.checkpoint.spec.to_fields(),
            "preprocessing": preprocessing.to_fields(),
            "seed": config.seed,
            "first weights": beginning.checkpoint.digest(),
            "classes": beginning.classes,
            "training images": digest(images.train),
            "validation images": digest(images.val),
        },
    )


def chosen_recipe(config: Config) -> Recipe:
    """Return the recipe that was asked for, or the one that suits what is trained.

    Raises:
        RecipeError: its values contradict each other.
    """
    if config.recipe is not None:
        row = RECIPES[config.recipe]
    elif config.init is not None:
        row = FINETUNE
    else:
        row = CIFAR_2017 if config.data in PREPROCESSINGS else IMAGENET_2017
    return changed(row, config.changes)


def _find(config: Config, recipe: Recipe, bar: Bar) -> tuple[Images, Beginning]:
    images = find_images(config, bar)
    count = count_classes(images.train)
    check_classes(images.train, count)
    names = images.train.classes
    if config.init is None:
        beginning = begin_anew(config, recipe, classes=count, names=names)
    else:
        beginning = begin_with(config, classes=count, names=names, bar=bar)
    train, val = (
        aligned(each, classes=count, names=beginning.classes) for each in (images.train, images.val)
    )
    more = [text for text in val.notes if text not in images.val.notes]
    return replace(images, train=train, val=val, notes=(*images.notes, *more)), beginning


def _fitted(recipe: Recipe, images: Images) -> tuple[Images, Recipe]:
    """Return the recipe for so many images, and the images with a note where that is another."""
    count = len(images.train)
    fits = fitted(recipe, count)
    if fits.batch_size == recipe.batch_size:
        return images, recipe
    rate = ", and the learning rate is that of such a step" if recipe.rate_batch else ""
    note = (
        f"a batch of {recipe.batch_size} is more than the {count} images to train on: each step "
        f"takes all {count}{rate}"
    )
    return replace(images, notes=(*images.notes, note)), fits


def _class_weights(
    config: Config, recipe: Recipe, images: ImageSet, beginning: Beginning
) -> tuple[tuple[float, ...] | None, Recipe]:
    """Return the factor of each class, and the recipe that states them by name."""
    if config.class_weights is None:
        return None, recipe
    count = beginning.checkpoint.spec.classes
    names = beginning.classes or tuple(map(str, range(count)))
    if config.class_weights == "balanced":
        weights = tuple(balanced_weights(images, count).tolist())
    else:
        weights = tuple(named_weights(read_weights(Path(config.class_weights)), names))
    stated = tuple(zip(names, weights, strict=True))
    return weights, replace(recipe, class_weights=stated)


def _in_turn(job: "Job", find: Callable[[], tuple[Images, Beginning]]) -> tuple[Images, Beginning]:
    """Let one process of each machine fetch what has to be fetched, and the others find it.

    Downloads keep out of each other's way by themselves, but where a file system has no locks each
    process would bring all of it.
    """
    wait = job.long_wait()
    found = find() if job.local_rank == 0 else None
    wait()
    return found or find()

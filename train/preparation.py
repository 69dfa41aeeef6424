"""Everything that a training needs, checked before it starts: a command line to a task.

torch is imported where the first network is built: a mistyped path must not wait for it.
"""

import hashlib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from resnext.data.image_set import ImageSet
from resnext.data.remote import Bar
from resnext.data.sources import open_images
from resnext.errors import DataError
from resnext.preprocessing import PREPROCESSINGS
from train.beginning import Beginning, begin_anew, begin_with
from train.errors import RecipeError, StateError
from train.files import STATE
from train.options import Config
from train.recipe import CIFAR_2017, FINETUNE, IMAGENET_2017, RECIPES, Recipe, changed
from train.split import Images, check_classes, class_name, is_same, renamed, split

if TYPE_CHECKING:
    from resnext.distributed import Job

# Of each class, where the images bring no validation set of their own and nobody says how many.
USUAL_FRACTION: Final = 0.2


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
    _check_options(config)
    recipe = chosen_recipe(config)
    images, beginning = _in_turn(job, lambda: _find(config, recipe, bar))
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
            "recipe": recipe.to_fields(),
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


def find_images(config: Config, bar: Bar) -> Images:
    """Find the images to train on and those to validate with, each with its own labels.

    Raises:
        DataError: there are none, or one class has too few to be split.
    """

    def opened(data: str, which: str) -> ImageSet:
        return open_images(data, split=which, cache=config.cache, progress=bar)

    train = opened(config.data, "train")
    if config.val_data is not None:
        val = opened(config.val_data, "val")
        return Images(train=train, val=val, notes=_notes(train, val))
    fraction = config.val_fraction
    if fraction is None:
        try:
            val = opened(config.data, "val")
        except DataError as error:
            raise DataError(
                f"{error}; or give other images with --val-data, or a part of these with "
                "--val-fraction"
            ) from error
        if not is_same(train, val):
            return Images(train=train, val=val, notes=_notes(train, val))
        fraction = USUAL_FRACTION
    check_classes(train, _count(train))
    parts = split(train, fraction, seed=config.seed)
    note = (
        f"{train.root}: {fraction:.0%} of each class, drawn from seed {config.seed}, are kept to "
        f"validate with: {len(parts.val)} of {len(train)}"
    )
    return replace(parts, notes=(*train.notes, note))


def digest(images: ImageSet) -> str:
    """Return the sha256 of names and labels, which a repaired file leaves as they are."""
    total = hashlib.sha256("\0".join(images.ids).encode("utf-8", "surrogateescape"))
    total.update(np.ascontiguousarray(images.labels, "<i8").data)
    return total.hexdigest()


def _find(config: Config, recipe: Recipe, bar: Bar) -> tuple[Images, Beginning]:
    images = find_images(config, bar)
    count = _count(images.train)
    check_classes(images.train, count)
    names = images.train.classes
    if config.init is None:
        beginning = begin_anew(config, recipe, classes=count, names=names)
    else:
        beginning = begin_with(config, classes=count, names=names, bar=bar)
    train, val = (renamed(each, beginning.classes) for each in (images.train, images.val))
    if len(val) and int(val.labels.max()) >= count:
        raise DataError(
            f"{val.root}: labels below {count} expected, as in the training images, found "
            f"{class_name(val, int(val.labels.max()))}"
        )
    return replace(images, train=train, val=val), beginning


def _count(images: ImageSet) -> int:
    return len(images.classes) if images.classes else int(images.labels.max(initial=-1)) + 1


def _notes(train: ImageSet, val: ImageSet) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*train.notes, *val.notes)))


def _class_weights(
    config: Config, recipe: Recipe, images: ImageSet, beginning: Beginning
) -> tuple[tuple[float, ...] | None, Recipe]:
    """Return the factor of each class, and the recipe that states them by name."""
    from train.loss import balanced_weights, named_weights

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


def read_weights(path: Path) -> tuple[tuple[str, float], ...]:
    """Read factors of classes from a TOML file of `"class name" = number` lines.

    Raises:
        RecipeError: not TOML, or a factor that is no number above 0.
        OSError: the file cannot be opened.
    """
    try:
        rows = tomllib.loads(path.read_bytes().decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecipeError(f"{path}: not a TOML file: {error}") from error
    for name, value in rows.items():
        if type(value) not in (int, float) or not 0 < value < float("inf"):
            raise RecipeError(f"{path}: {name!r}: a number above 0 expected, found {value!r}")
    return tuple((name, float(value)) for name, value in rows.items())


def _check_options(config: Config) -> None:
    if config.compiled and config.saves_memory:
        raise RecipeError(
            "--compile or --save-memory expected, found both: a compiled network decides by itself "
            "what it computes twice"
        )
    state = config.output / STATE
    if state.exists() and not (config.resume or config.force):
        raise StateError(
            f"{state}: there is a run already; --resume goes on with it, --force starts anew, "
            "another --output keeps it"
        )


def _in_turn(job: "Job", find: Callable[[], tuple[Images, Beginning]]) -> tuple[Images, Beginning]:
    """Let one process of each machine fetch what has to be fetched, and the others find it."""
    found = find() if job.local_rank == 0 else None
    job.any(flag=False)
    return found or find()

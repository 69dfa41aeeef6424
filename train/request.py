"""What a command line asks for, checked as far as no torch is needed: that takes seconds to import.

A mistyped path or a contradiction of options is thus refused at once; `train.training` goes on from
here.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resnext.download import Bar
from train.input.images import count_classes, find_images, in_turn
from train.input.option_checks import check_network, check_options
from train.input.options import TrainingConfig, chosen_recipe
from train.input.split import Images, check_classes
from train.recipe.recipe import Recipe
from train.run.folder import check_output, check_outside_of_images

if TYPE_CHECKING:
    from resnext.distributed.job import Job


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Request:
    """A training that was asked for.

    Attributes:
        config: the options.
        recipe: how the network is to be trained.
        images: found, each set with its own labels.
    """

    config: TrainingConfig
    recipe: Recipe
    images: Images


def checked_request(config: TrainingConfig, job: "Job", bar: Bar) -> Request:
    """Check the options, choose the recipe and find the images.

    Args:
        config: the options.
        job: the processes that share the training; one on each machine downloads for the others.
        bar: shows a download.

    Raises:
        ResnextError: options or images that cannot be used, or results that would be overwritten.
        OSError: a file that cannot be opened.
    """
    check_options(config)
    check_output(config)
    recipe = chosen_recipe(config)
    check_network(config, recipe)
    images = in_turn(job, lambda: find_images(config, bar))
    check_classes(images.train, count_classes(images.train))
    check_outside_of_images(config.output, images)
    return Request(config=config, recipe=recipe, images=images)

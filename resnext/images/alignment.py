"""Map the classes of an image set to the classes of a network."""

import re
from collections import Counter
from dataclasses import replace
from typing import Final

import numpy as np

from resnext.errors import DataError
from resnext.images import imagenet
from resnext.images.image_set import ImageSet
from resnext.images.late import LateImageSet
from resnext.images.names import brief, few, normal

NUMBER: Final = re.compile(r"\d{1,9}", re.ASCII)
NUMERAL: Final = re.compile(r"[+-]?\d{1,9}(\.\d*)?", re.ASCII)
SHOWN: Final = 3  # classes whose outputs a note names


def aligned(images: ImageSet, *, classes: int, names: tuple[str, ...] | None) -> ImageSet:
    """Return an image set with the labels that its classes have in a network.

    If the network knows the names of its classes, classes are matched by name. The original's
    networks know none. For these, classes named by wnids are matched by the wnids of ILSVRC2012 if
    the network has 1000 classes; classes named by numbers (any of 1000, or all from 0 up) have
    these numbers as labels; all others must be as many as the network has, in the same order.

    A number that labels an image is the name of a class if the network names its classes by
    numbers, and else the place of a class.

    Args:
        images: with labels in its own order of classes.
        classes: number of classes of the network.
        names: of these classes, or None.

    Raises:
        DataError: the classes do not match those of the network.
    """
    if images.classes is None:
        if isinstance(images, LateImageSet):
            if not any(NUMBER.fullmatch(name) for name in names or ()):
                return images.below(classes)
            images = images.listed()
        by_name = _by_number_as_name(images, names) if names is not None else None
        return by_name or _by_number(images, classes)
    if names is not None:
        return images if images.classes == names else _by_name(images, names)
    if classes == len(imagenet.WNIDS):
        strangers = sorted(set(images.classes) - set(imagenet.WNIDS))
        if not strangers:
            return _by_name(images, imagenet.WNIDS)
        if len(strangers) < len(images.classes):
            raise DataError(
                f"{images.root}: classes named by the wnids of ILSVRC2012 expected, as "
                f"{few(sorted(set(images.classes) - set(strangers)))}, found {few(strangers)}; "
                "move the others away"
            )
        if _are_numbers(images.classes):
            return _by_numeric_names(images, classes)
    if len(images.classes) != classes:
        raise DataError(
            f"{images.root}: {classes} classes expected, as the network has, found "
            f"{len(images.classes)} ({few(images.classes)}); give the images it was trained for"
        )
    if _are_all_labels(images.classes):
        return _by_numeric_names(images, classes)
    return _with_order_noted(images)


def in_order_of_labels(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of classes in the order that their labels have in a network without names.

    Args:
        names: of all classes, as an image set orders them. If they are the numbers from 0 up, they
            are ordered as numbers; otherwise the order stays.
    """
    return tuple(sorted(names, key=int)) if _are_all_labels(names) else names


def are_names_of_others(names: tuple[str, ...]) -> bool:
    """Tell whether all names of a network's classes are numbers, and not those of their places.

    A number that labels an image is then taken as a name; see `aligned`.
    """
    return _are_numbers(names) and any(int(name) != place for place, name in enumerate(names))


def _are_numbers(names: tuple[str, ...]) -> bool:
    return all(NUMBER.fullmatch(name) for name in names)


def _are_all_labels(names: tuple[str, ...]) -> bool:
    return _are_numbers(names) and sorted(map(int, names)) == list(range(len(names)))


def _by_number(images: ImageSet, classes: int) -> ImageSet:
    highest = int(images.labels.max(initial=-1))
    if highest >= classes:
        image = images.ids[int(images.labels.argmax())]
        raise DataError(
            f"{images.root}: labels from 0 to {classes - 1} expected, as the network has {classes} "
            f"classes, found {highest} ({brief(image)}); do the labels count from 1, or is it "
            "another set?"
        )
    return images


def _by_number_as_name(images: ImageSet, names: tuple[str, ...]) -> ImageSet | None:
    """Return a set whose labels are numbers with the labels of the classes of these names.

    Returns:
        None if the number of an image is the place of its class, whether it is a name or not.

    Raises:
        DataError: some numbers could be names or places, and are not all names.
    """
    numbered = [(int(name), label) for label, name in enumerate(names) if NUMBER.fullmatch(name)]
    places = dict(numbered)
    used = [int(number) for number in np.unique(images.labels)]
    if all(number == place for number, place in numbered):
        return None
    if len(numbered) < len(names) and all(places.get(each, each) == each for each in used):
        return None
    strangers = [str(number) for number in used if number not in places]
    if strangers or len(places) < len(numbered):
        fault = (
            f"{few(strangers)}, no such name" if strangers else "several names of the same number"
        )
        raise DataError(
            f"{images.root}: labels that are names of the network's classes expected, as these are "
            f"numbers ({few(names)}), found {fault}; a number could also be the place of a class, "
            "counted from 0: label the images by class folders, or by names"
        )
    labels = np.array([places[number] for number in used], np.int64)
    example = next((each for each in used if places[each] != each), used[0])
    note = (
        f"{images.root}: the numbers that label the images are taken as the names of the network's "
        f"classes ({few(names)}), not as their places: {example} is output {places[example]}"
    )
    return replace(
        images,
        labels=labels[np.searchsorted(used, images.labels)],
        classes=names,
        notes=(*images.notes, note),
    )


def _with_order_noted(images: ImageSet) -> ImageSet:
    """Return the set with a note if its classes are numbers whose order is that of texts."""
    names = images.classes or ()
    if not all(NUMERAL.fullmatch(name) for name in names):
        return images
    first = ", ".join(
        f"{brief(name)} is output {label}" for label, name in enumerate(names[:SHOWN])
    )
    note = (
        f"{images.root}: classes named by numbers, but not by those from 0 to {len(names) - 1}, "
        "meet a network without names; they are taken in the order of their names as texts: "
        f"{first}"
    )
    return replace(images, notes=(*images.notes, note))


def _by_numeric_names(images: ImageSet, classes: int) -> ImageSet:
    """Return the set with the names of its classes, which are numbers, as labels.

    Image sets order names as texts, "10" before "2".
    """
    assert images.classes is not None
    numbers = [int(name) for name in images.classes]
    outside = [name for name in images.classes if int(name) >= classes]
    if outside or len(set(numbers)) < len(numbers):
        fault = outside or ["two of the same number"]
        raise DataError(
            f"{images.root}: classes named by numbers from 0 to {classes - 1} expected, as the "
            f"network has {classes}, found {few(fault)}"
        )
    note = f"{images.root}: the names of its {len(numbers)} classes are taken as the labels"
    labels = np.array(numbers, np.int64)[images.labels]
    names = tuple(str(number) for number in range(classes))
    return replace(images, labels=labels, classes=names, notes=(*images.notes, note))


def _by_name(images: ImageSet, names: tuple[str, ...]) -> ImageSet:
    """Return the set with labels by name, and a note of the network's classes that it lacks."""
    for owner in (images.classes or (), names):
        if twice := sorted(name for name, times in Counter(owner).items() if times > 1):
            raise DataError(
                f"{images.root}: names that tell the {len(names)} classes of the network apart "
                f"expected, found several classes called {few(twice)}"
            )
    found = images.renamed(names)
    there = set(map(normal, images.classes or ()))
    missing = [name for name in names if normal(name) not in there]
    if not missing:
        return found
    note = (
        f"{images.root}: {len(there)} of the {len(names)} classes of the network; missing are "
        f"{few(missing)}"
    )
    return replace(found, notes=(*found.notes, note))

"""The mapping of an image set's classes to those of a network."""

import numpy as np
import pytest

from resnext.errors import DataError
from resnext.images.alignment import aligned
from resnext.images.image_set import ImageSet
from resnext.images.imagenet import WNIDS


class Nothing:
    """A reader for tests that do not read images."""

    def read(self, position: int) -> bytes:
        raise NotImplementedError

    def stamp(self) -> str:
        return "nothing"


def images(classes: tuple[str, ...] | None, *labels: int) -> ImageSet:
    found = labels or range(len(classes or ()))
    return ImageSet(
        root="set",
        ids=tuple(f"{number}.jpg" for number in range(len(found))),
        labels=np.array(found, np.int64),
        classes=classes,
        reader=Nothing(),
        notes=("a note from before",),
    )


def test_names_of_the_network_decide() -> None:
    found = aligned(images(("a", "b", "c"), 0, 1, 2, 2), classes=3, names=("c", "a", "b"))
    assert found.labels.tolist() == [1, 2, 0, 0]
    assert found.classes == ("c", "a", "b")
    assert found.notes == ("a note from before",)


def test_classes_that_an_image_set_lacks_are_said() -> None:
    found = aligned(images(("b", "z")), classes=6, names=("z", "y", "b", "w", "v", "u"))
    assert found.labels.tolist() == [2, 0]
    assert found.notes[1:] == (
        "set: 2 of the 6 classes of the network; missing are y, w, v and 1 more",
    )


def test_names_in_the_order_of_the_network_may_repeat() -> None:
    names = ("crane", "cat", "crane")
    assert aligned(images(names), classes=3, names=names).labels.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("classes", "names", "message"),
    [
        (("a", "x", "y"), ("a", "b", "c"), "a, b, c, found others: x, y"),
        (("crane", "cat", "crane"), ("cat", "crane", "dog"), "found several classes called crane"),
        (("cat", "crane"), ("crane", "cat", "crane"), "found several classes called crane"),
    ],
    ids=["unknown", "twice in the set", "twice in the network"],
)
def test_names_that_do_not_tell_are_refused(
    classes: tuple[str, ...], names: tuple[str, ...], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        aligned(images(classes), classes=len(names), names=names)


def test_all_wnids_are_the_classes_of_the_original() -> None:
    found = aligned(images(WNIDS), classes=1000, names=None)
    assert found.labels.tolist() == list(range(1000))
    assert found.notes == ("a note from before",)


def test_some_wnids_get_their_places_in_the_thousand() -> None:
    found = aligned(images(("n01443537", "n15075141"), 0, 1, 1), classes=1000, names=None)
    assert found.labels.tolist() == [1, 999, 999]
    assert found.classes == WNIDS
    assert found.notes[1] == (
        "set: 2 of the 1000 classes of the network; missing are n01440764, n01484850, n01491361 "
        "and 995 more"
    )


def test_folder_that_is_no_wnid_among_wnids_is_named() -> None:
    message = "wnids of ILSVRC2012 expected, as n01440764, found n00000001, sorted; move the others"
    with pytest.raises(DataError, match=message):
        aligned(images(("n00000001", "n01440764", "sorted")), classes=1000, names=None)


def test_thousand_others_with_some_of_the_wnids_are_refused() -> None:
    names = (*WNIDS[:-1], "n99999999")
    with pytest.raises(DataError, match="found n99999999; move the others away"):
        aligned(images(names), classes=1000, names=None)


def test_numbers_are_taken_by_number_not_as_texts() -> None:
    names = tuple(sorted(str(number) for number in range(1000)))
    assert names[:4] == ("0", "1", "10", "100")
    found = aligned(images(names), classes=1000, names=None)
    assert found.labels.tolist() == [int(name) for name in names]
    assert found.classes == tuple(str(number) for number in range(1000))
    assert found.notes[1:] == ("set: the names of its 1000 classes are taken as the labels",)


def test_all_numbers_of_a_smaller_network_are_taken_by_number() -> None:
    names = ("0", "1", "10", "11", "2", "3", "4", "5", "6", "7", "8", "9")
    found = aligned(images(names), classes=12, names=None)
    assert found.labels.tolist() == [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9]
    assert found.classes == ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11")
    assert found.notes[1:] == ("set: the names of its 12 classes are taken as the labels",)


def test_numbers_that_leave_one_out_count_by_their_order() -> None:
    found = aligned(images(("1", "10", "2")), classes=3, names=None)
    assert (found.labels.tolist(), found.classes) == ([0, 1, 2], ("1", "10", "2"))


def test_some_numbers_with_zeros_in_front_are_numbers() -> None:
    assert aligned(images(("007", "042")), classes=1000, names=None).labels.tolist() == [7, 42]


@pytest.mark.parametrize(
    ("names", "found"),
    [(("1", "1000"), "1000"), (("1", "01"), "two of the same number")],
    ids=["from one", "twice"],
)
def test_numbers_that_are_no_labels_are_refused(names: tuple[str, ...], found: str) -> None:
    with pytest.raises(DataError, match=f"numbers from 0 to 999 .* has 1000, found {found}$"):
        aligned(images(names), classes=1000, names=None)


def test_other_names_count_by_their_order() -> None:
    found = aligned(images(("0_zero", "1_one")), classes=2, names=None)
    assert (found.labels.tolist(), found.classes) == ([0, 1], ("0_zero", "1_one"))


def test_thousand_other_names_count_by_their_order() -> None:
    names = tuple(f"class {number:04d}" for number in range(1000))
    assert aligned(images(names), classes=1000, names=None).labels.tolist() == list(range(1000))


@pytest.mark.parametrize("names", [("cat", "dog"), ("1", "2"), ("n01440764",)])
def test_other_number_of_classes_is_refused(names: tuple[str, ...]) -> None:
    message = f"set: 10 classes expected, as the network has, found {len(names)} \\({names[0]}"
    with pytest.raises(DataError, match=message):
        aligned(images(names), classes=10, names=None)


@pytest.mark.parametrize("names", [None, tuple("abc")], ids=["nameless", "named"])
def test_labels_without_names_are_the_networks(names: tuple[str, ...] | None) -> None:
    found = aligned(images(None, 2, 0, 1), classes=3, names=names)
    assert (found.labels.tolist(), found.classes) == ([2, 0, 1], None)


def test_label_beyond_the_classes_names_its_image() -> None:
    message = r"set: labels from 0 to 2 expected, as the network has 3 classes, found 3 \(1\.jpg\)"
    with pytest.raises(DataError, match=message):
        aligned(images(None, 2, 3, 1), classes=3, names=None)


NUMBERED = ("0", "1", "10", "2", "3")  # the order of class folders


def test_number_is_the_name_of_a_class_where_names_are_numbers() -> None:
    found = aligned(images(None, 2, 10, 0, 2), classes=5, names=NUMBERED)
    assert (found.labels.tolist(), found.classes) == ([3, 2, 0, 3], NUMBERED)
    assert found.notes[-1] == (
        "set: the numbers that label the images are taken as the names of the network's classes "
        "(0, 1, 10 and 2 more), not as their places: 2 is output 3"
    )


@pytest.mark.parametrize(
    "names",
    [("0", "1", "2"), ("00", "01", "02"), ("cat", "1", "dog"), ("cat", "2", "dog")],
    ids=["places", "padded places", "one is its place", "one is not used"],
)
def test_number_is_a_place_where_no_name_says_otherwise(names: tuple[str, ...]) -> None:
    assert aligned(images(None, 1, 0), classes=3, names=names).labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("labels", "names", "found"),
    [
        ((0, 1), ("1", "2", "3"), "found 0, no such name; a number could also be the place of a"),
        ((2, 0), ("cat", "2", "dog"), "found 0, no such name"),
        ((1,), ("0", "1", "01"), "found several names of the same number"),
    ],
    ids=["counted from 0", "names and numbers", "padded and not"],
)
def test_number_that_could_be_a_name_or_a_place_is_refused(
    labels: tuple[int, ...], names: tuple[str, ...], found: str
) -> None:
    with pytest.raises(DataError, match=found):
        aligned(images(None, *labels), classes=3, names=names)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("1", "10", "2"), "1 is output 0, 10 is output 1, 2 is output 2"),
        (("0.0", "10.0", "2.0"), "0.0 is output 0, 10.0 is output 1, 2.0 is output 2"),
    ],
    ids=["from 1", "floats"],
)
def test_numbers_that_are_no_labels_are_said_where_the_network_has_no_names(
    names: tuple[str, ...], said: str
) -> None:
    found = aligned(images(names), classes=3, names=None)
    assert found.labels.tolist() == [0, 1, 2]
    assert found.notes[-1].endswith(f"in the order of their names as texts: {said}")


COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize("names", [(COMPOSED, "bar"), (DECOMPOSED, "bar")])
def test_names_match_whatever_the_form_of_their_accents(names: tuple[str, ...]) -> None:
    for classes in (("bar", COMPOSED), ("bar", DECOMPOSED)):
        found = aligned(images(classes, 0, 1), classes=2, names=names)
        assert (found.labels.tolist(), found.notes[1:]) == ([1, 0], ())


def test_names_that_differ_in_accents_only_keep_apart_where_the_network_does() -> None:
    names = (COMPOSED, DECOMPOSED)
    found = aligned(images((DECOMPOSED, COMPOSED), 0, 1), classes=2, names=names)
    assert found.labels.tolist() == [1, 0]
    with pytest.raises(DataError, match="found two whose names differ in the form of their acc"):
        aligned(images((DECOMPOSED, COMPOSED), 0, 1), classes=2, names=(COMPOSED, "bar"))


def test_names_that_look_the_same_are_shown_with_their_difference() -> None:
    with pytest.raises(DataError, match=r"found others: cat ; 'cat ' is not 'cat'"):
        aligned(images(("bar", "cat "), 0, 1), classes=2, names=("bar", "cat"))

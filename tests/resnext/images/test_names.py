import pickle
import sys

import pytest

from resnext.images.names import Names, class_list, few

TEXTS = ("a/1.jpg", "", "é", "b\udcff.png", "日本")


def test_names_are_those_that_were_given() -> None:
    names = Names(TEXTS)
    assert (len(names), tuple(names), names[-1]) == (5, TEXTS, "日本")
    assert names[1:4] == ("", "é", "b\udcff.png")
    assert names == TEXTS
    assert names == list(TEXTS)
    assert names != TEXTS[:4]
    assert names.index("é") == 2


def test_no_names_are_no_names() -> None:
    assert (len(Names([])), tuple(Names([]))) == (0, ())


@pytest.mark.parametrize("place", [5, -6])
def test_place_that_is_none_is_an_index_error(place: int) -> None:
    with pytest.raises(IndexError):
        Names(TEXTS)[place]


def test_names_survive_the_way_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(Names(TEXTS))) == TEXTS  # noqa: S301


def test_names_take_their_letters_and_a_number_each() -> None:
    names = Names(f"n01440764/ILSVRC2012_val_{number:08d}.JPEG" for number in range(100_000))
    held = sum(sys.getsizeof(part) for part in (names._text, names._ends))
    assert held < 100_000 * (38 + 8) + 1000


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["a"], "a"),
        (["a", "b", "c"], "a, b, c"),
        (["a", "b", "c", "d", "e"], "a, b, c and 2 more"),
    ],
)
def test_first_few_are_named(names: list[str], text: str) -> None:
    assert few(names) == text


def test_classes_of_a_network_are_named_up_to_ten() -> None:
    assert class_list(["circle", "square", "star shape", "x"]) == "circle, square, star shape, x"
    assert class_list([str(n) for n in range(12)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"

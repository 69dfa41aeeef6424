"""Predictions on a terminal."""

from rich.cells import cell_len

from predict.prediction import Answer, Prediction
from predict.screen import picture_text


def answer(name: str, probability: float) -> Answer:
    return Answer(label=0, name=name, probability=probability)


def test_bars_are_as_long_as_the_share() -> None:
    top = (answer("cat", 1.0), answer("dog", 0.5), answer("cow", 0.01), answer("owl", 0.0))
    text = picture_text(Prediction(image="a.jpg", top=top), width=80)
    assert text.splitlines() == [
        "a.jpg",
        "  100.00%  ████████████████████  cat",
        "   50.00%  ██████████            dog",
        "    1.00%  ▎                     cow",
        "    0.00%                        owl",
    ]
    plain = picture_text(Prediction(image="a.jpg", top=top), width=80, blocks=False)
    assert plain.isascii()
    assert plain.splitlines()[2] == "   50.00%  ##########            dog"


def test_long_names_fit_the_terminal() -> None:
    names = ("x" * 300, "猫" * 100)
    top = tuple(answer(name, 0.5) for name in names)
    for width in (40, 57, 80, 200):
        lines = picture_text(Prediction(image="a.jpg", top=top), width=width).splitlines()[1:]
        assert [cell_len(line) <= width for line in lines] == [True, True]
        assert [line.endswith("...") for line in lines] == [True, True]


def test_control_characters_are_escaped() -> None:
    top = (answer("\x1b[31mred\n", 0.5),)
    text = picture_text(Prediction(image="a\nb\x1b.jpg", top=top), width=80)
    assert text.splitlines()[0] == "a\\nb\\x1b.jpg"
    assert "\x1b" not in text
    assert text.count("\n") == 2
    lost = picture_text(Prediction(image="a.jpg", error="no\x07 picture"), width=80)
    assert lost == "a.jpg\n  cannot be read: no\\x07 picture\n"


def test_picture_below_the_threshold_is_said() -> None:
    text = picture_text(Prediction(image="a.jpg"), width=80, threshold=0.9)
    assert text == "a.jpg\n  no class of at least 90%\n"

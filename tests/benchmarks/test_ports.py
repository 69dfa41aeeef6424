"""What other pixels do to a network: the counts, the pairing, and a run from end to end."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.digit_pictures import draw_digits
from benchmarks.ports import SETS, Plan, answers, compared, differences, main, prepared, shifted
from resnext.pixels.decoding import decode
from resnext.preprocessing import IMAGENET, Pipeline

LABELS = np.array([0, 1, 2, 0])


def logits(*decisions: str) -> np.ndarray:
    """Return logits (repeats, N, 3) that decide as the digits of a text say."""
    return np.stack([np.eye(3, dtype=np.float32)[[int(each) for each in row]] for row in decisions])


def test_decisions_are_paired_picture_by_picture() -> None:
    # First repeat: one lost, one gained, one wrong otherwise. Second one: two lost.
    found = compared(logits("0021", "0120"), logits("2121", "0012"), LABELS)
    counts = {name: found[name] for name in ("decisions", "wrong", "changed", "lost", "gained")}
    assert counts == {"decisions": 8, "wrong": 5, "changed": 5, "lost": 4, "gained": 1}
    assert found["wrong_each"] == [2, 3]


def test_difference_and_tests_are_of_literal_counts() -> None:
    # 8 pictures; the first repeat loses 6 and gains none, the second one changes nothing.
    labels = np.zeros(8, np.int64)
    found = compared(logits("0" * 8, "0" * 8), logits("1" * 6 + "00", "0" * 8), labels)
    assert found["points"][0] == 37.5
    assert found["mcnemar"] == [0.031, 1.0]  # 2 / 2**6
    low, high = found["points"][1:]
    assert 12.5 <= low < 37.5 < high <= 50


def test_same_logits_change_nothing() -> None:
    found = compared(logits("0120"), logits("0120"), LABELS)
    assert (found["changed"], found["logits"], found["points"]) == (0, 0.0, [0.0, 0.0, 0.0])


@pytest.mark.parametrize("name", SETS)
def test_margins_around_the_shorter_side_are_even(name: str) -> None:
    assert (SETS[name].scale - SETS[name].crop) % 2 == 0
    assert SETS[name].scale / SETS[name].crop == pytest.approx(256 / 224, rel=0.02)


def test_no_network_answers_for_pictures_that_trained_it(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[set[int]] = []

    class Counting(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            # A picture's only number is its own: it must not be among those kept.
            assert not kept[-1] & {int(each) for each in x[:, 0, 0, 0]}
            return torch.zeros(len(x), 10)

    def fitted(*arguments: np.ndarray) -> object:
        kept.append(set(arguments[2].tolist()))
        return Counting()

    monkeypatch.setattr("benchmarks.ports.fitted", fitted)
    numbers = np.broadcast_to(np.arange(9, dtype=np.float32)[:, None, None, None], (9, 3, 2, 2))
    found = answers({Pipeline.PIL: numbers}, np.zeros(9, np.int64), Pipeline.PIL, 1, Plan())
    assert found[Pipeline.PIL].shape == (9, 10)
    assert sorted(kept[0] | kept[1]) == list(range(9))
    assert kept[0] & kept[1] == set()


def test_shifted_pictures_keep_their_size_and_move_by_an_eighth_at_most() -> None:
    picture = torch.zeros(50, 3, 16, 16)
    picture[:, :, 8, 8] = 1
    moved = shifted(picture, torch.Generator().manual_seed(0))
    assert moved.shape == picture.shape
    places = moved[:, 0].nonzero()
    assert len(places) == 50
    assert set(places[:, 1].tolist()) == {6, 7, 8, 9, 10}


def test_pictures_are_the_same_each_time_and_larger_than_the_crop() -> None:
    files, labels = draw_digits(64, share=0.5, count=10)
    again, _ = draw_digits(64, share=0.5, count=10)
    assert files == again
    assert (len(files), labels.shape) == (20, (20,))
    for data in files:
        sides = decode(data).shape[:2]
        assert min(sides) >= 64 * 1.3 - 1
        assert max(sides) <= 64 * 2.1 * 1.5 + 1


def test_difference_of_pixels_is_in_grey_levels() -> None:
    files, _ = draw_digits(64, count=2)
    row = replace(IMAGENET, scale=72, crop=64)
    own, other = (prepared(files, row.with_pipeline(name)) for name in ("torch7", "pil"))
    std = np.array([0.229, 0.224, 0.225])[:, None, None]
    expected = 255 * np.abs((own.astype(np.float64) - other) * std).mean()
    assert differences(files, row)["pil"] == pytest.approx(expected, abs=0.01)


def test_run_writes_each_pair_of_pipelines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    threads = torch.get_num_threads()
    try:
        main(Plan(sets=("32",), repeats=2, epochs=1, count=20), path=tmp_path / "x.json")
    finally:
        torch.set_num_threads(threads)
    facts = json.loads((tmp_path / "x.json").read_text())
    row = facts["sets"]["32"]
    assert (row["pictures"], row["epochs"], facts["networks"]) == (40, 1, 4)
    assert set(row["trained"]) == {"torch7", "pil"}
    for trained, ways in row["trained"].items():
        assert {"torch7", "pil"} <= set(ways)
        assert ways[trained]["changed"] == 0
        assert all(each["decisions"] == 80 for each in ways.values())
    assert '"32"' in capsys.readouterr().out

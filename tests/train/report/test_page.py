"""The page of a run: what it shows, and that nothing in it is more than text."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from resnext.checkpoint import Checkpoint, Origin, Provenance
from resnext.images.image_set import ImageSet
from resnext.layout import layout
from resnext.preprocessing import CIFAR10
from resnext.spec import Spec, Stem
from train.input.first_network import FirstNetwork
from train.input.options import TrainingConfig
from train.input.split import Images
from train.input.task import Task
from train.recipe.recipe import FINETUNE
from train.report.confusion import class_rows, confusion, worst_pairs
from train.report.curves import Curve, epoch_marks, plot, round_marks
from train.report.page import render, settings, short_names
from train.run.messages import closing_lines, epoch_line
from train.run.progress import Best, Progress

HOSTILE = '<script>alert("x")</script>'


def task(names: tuple[str, ...], output: Path = Path("out")) -> Task:
    spec = Spec(
        blocks=(1, 1, 1), stem=Stem.CIFAR, planes=8, stem_width=8, base_width=8, classes=len(names)
    )
    tensors = {
        name: np.zeros(shape, np.int64 if name.endswith("tracked") else np.float32)
        for name, shape in layout(spec).tensors().items()
    }
    provenance = Provenance(
        source_file="a.t7", source_sha256="0" * 64, source_bytes=1, converted_by="x", licence="L1"
    )
    checkpoint = Checkpoint(
        spec=spec,
        tensors=tensors,
        preprocessing=CIFAR10,
        origin=Origin.TRAINED,
        provenance=provenance,
        classes=names,
    )
    labels = np.repeat(np.arange(len(names)), 4)
    images = ImageSet(
        root=f"/data/{HOSTILE}",
        ids=tuple(map(str, range(len(labels)))),
        labels=labels,
        classes=names,
        reader=None,
    )
    return Task(
        config=TrainingConfig(data="data", output=output, command=f"resnext-train {HOSTILE}"),
        recipe=replace(FINETUNE, epochs=3),
        images=Images(train=images, val=images),
        first_network=FirstNetwork(checkpoint=checkpoint, classes=names, source={"file": HOSTILE}),
        weights=None,
        identity={},
    )


def history(count: int, *, average: bool = True) -> Progress:
    progress = Progress(seconds=75.0)
    for epoch in range(1, count + 1):
        scored = {"images": 12, "top1_correct": 6 + epoch, "top5_correct": 12, "loss": 1.0 / epoch}
        row = {
            "epoch": epoch,
            "rate": 0.01,
            "train": {"images": 12, "loss": 0.5, "wrong": 3, "gradient_norm": 1.0},
            "seconds": 25.0,
            "images_per_second": 48.0,
            "weights": scored,
            "best": True,
        }
        if average:
            row["average"] = {**scored, "top1_correct": 5 + epoch}
        best = Best(epoch=epoch, weights="weights", wrong=6 - epoch, loss=1.0 / epoch)
        progress = progress.ended(row, best)
    return progress


class Page(HTMLParser):
    """Collects the tags and the text of a page, and checks that tags are closed in order."""

    VOID = frozenset({"meta", "br", "path"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [str(value) for name, value in attributes if name in ("href", "src")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        del attributes
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_page_is_well_formed_and_needs_nothing_else() -> None:
    names = ("ant", HOSTILE, "cat")
    text = render(task(names), history(3), np.zeros(12, np.int32), {"python": "3"})
    page = Page(text)
    assert "script" not in page.tags
    assert page.addresses == []
    assert re.findall(r"https?:|url\(|@import", text) == []
    assert sum(HOSTILE in data for data in page.texts) >= 4
    assert page.tags.count("svg") == 3 + 7  # plots, and a sample of each line in the legends


def test_page_tells_the_result_first() -> None:
    text = render(task(("ant", "bee", "cat")), history(3), np.zeros(12, np.int32), {})
    heading = re.search(r"<h1>(.*?)</h1>", text, re.DOTALL)
    assert heading is not None
    assert heading[1] == "resnet_11: 3 of 12 validation images wrong (25.00 %) after epoch 3"


def test_settings_are_those_that_were_used() -> None:
    used = dict(settings(task(("ant", "bee")), history(1)))
    assert (used["stem"], used["learning rate"], used["batch size"]) == ("cifar", "0.02", "32")


def test_page_of_one_epoch_without_an_average_is_whole() -> None:
    page = Page(render(task(("ant", "bee")), history(1, average=False), np.zeros(8, np.int32), {}))
    assert not any("average" in data for data in page.texts if "ema" not in data)


def test_page_of_many_classes_lists_confusions_instead_of_a_matrix() -> None:
    names = tuple(f"class {number}" for number in range(300))
    decisions = np.roll(np.repeat(np.arange(300), 4), 1).astype(np.int32)
    text = render(task(names), history(3), decisions, {})
    Page(text)
    assert '<table class="matrix"' not in text
    assert "The most frequent confusions" in text
    assert "100 more classes fared better" in text
    assert len(text) < 100_000


def test_long_names_of_classes_can_be_told_apart_in_the_matrix() -> None:
    assert short_names(["ant", "a" * 21]) == ["ant", "a" * 10 + "…" + "a" * 10]
    names = ["species 1 of the family of bees", "species 2 of the family of bees"]
    assert short_names(names)[0] == "species 1 …ly of bees"
    alike = [f"{'x' * 25}{number}{'y' * 25}" for number in range(2)]
    assert short_names(alike) == alike
    text = render(task(tuple(names)), history(1), np.zeros(8, np.int32), {})
    assert f'title="{names[1]}"><span>species 2 …ly of bees</span>' in text


def test_single_epoch_can_be_seen() -> None:
    found = plot("Error", [Curve(name="x", values=[5.0], style="first")])
    assert found.lines[0].path == "M500.0 166.7h0"
    one, two = (
        render(task(("ant", "bee")), history(epochs), np.zeros(8, np.int32), {})
        for epochs in (1, 2)
    )
    assert (one.count('class="dot"'), two.count('class="dot"')) == (7, 0)


def test_confusion_counts_labels_by_decisions() -> None:
    labels, decisions = np.array([0, 0, 1, 1, 1, 2]), np.array([0, 1, 1, 2, 2, 2], np.int32)
    counts = confusion(labels, decisions, 3)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 2], [0, 0, 1]]
    rows = class_rows(counts, "abc")
    assert [(row.name, row.wrong, row.images, row.taken) for row in rows] == [
        ("b", 2, 3, "c"),
        ("a", 1, 2, "b"),
        ("c", 0, 1, ""),
    ]
    pairs = worst_pairs(counts, "abc", 5)
    assert [(pair.true, pair.decided, pair.count) for pair in pairs] == [
        ("b", "c", 2),
        ("a", "b", 1),
    ]


@pytest.mark.parametrize(
    ("highest", "expected"),
    [
        (0.0, [0, 1]),
        (9.4, [0, 2.5, 5, 7.5, 10]),
        (20.3, [0, 10, 20, 30]),
        (0.6, [0, 0.2, 0.4, 0.6]),
        (100.0, [0, 25, 50, 75, 100]),
    ],
)
def test_marks_are_round_and_reach_the_highest_value(highest: float, expected: list[float]) -> None:
    assert round_marks(highest) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("epochs", "expected"), [(1, [1]), (2, [1, 2]), (12, [1, 5, 12]), (300, [1, 100, 200, 300])]
)
def test_epochs_are_labelled_from_the_first_to_the_last(epochs: int, expected: list[int]) -> None:
    assert epoch_marks(epochs) == expected


def test_curve_starts_and_ends_at_the_borders_of_its_square() -> None:
    found = plot("Error", [Curve(name="x", values=[10.0, 5.0, 0.0], style="first")], best=2)
    assert found.lines[0].path == "M0.0 0.0L500.0 500.0L1000.0 1000.0"
    assert found.best == 0.5
    gap = plot("Loss", [Curve(name="x", values=[4.0, float("nan"), 0.0], style="first")])
    assert gap.lines[0].path == "M0.0 0.0L1000.0 1000.0"


def test_lines_say_what_an_epoch_and_a_run_brought() -> None:
    progress = history(3)
    assert epoch_line(progress.history[1], replace(FINETUNE, epochs=3)) == (
        "epoch 2/3  loss 0.5000  error 25.00 %  validation 33.33 % (4/12)  average 41.67 % (5/12)"
        "  48 images/s  25 s left  best"
    )
    assert closing_lines(task(("a", "b", "c")), progress) == [
        "best  epoch 3: 25.00 % (3/12)  out/best.safetensors",
        "last  epoch 3: 25.00 % (3/12)  out/last.safetensors",
        "1 min in all; curves and confusion matrix: out/training.html",
    ]


def test_run_that_ended_early_says_so() -> None:
    progress = history(2)
    progress = progress.ended({**progress.history[-1], "epoch": 3}, None)
    early = replace(task(("a", "b", "c")), recipe=replace(FINETUNE, epochs=9, patience=1))
    assert closing_lines(early, progress)[0] == (
        "stopped after epoch 3: no better validation for 1 epoch"
    )

"""The page of a run: what it shows, and that nothing in it is more than text."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from resnext.checkpoint import Checkpoint, Origin, Provenance
from resnext.images.image_set import ImageSet
from resnext.layout import layout
from resnext.preprocessing import CIFAR10
from resnext.spec import Spec, Stem
from tests.support.browser import look
from tests.support.page import Page
from train.input.first_network import FirstNetwork
from train.input.options import TrainingConfig
from train.input.split import Images
from train.input.task import Task
from train.recipe.recipe import FINETUNE
from train.report.page import render, settings
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
        first_network=FirstNetwork(checkpoint=checkpoint, source={"file": HOSTILE}),
        weights=None,
        identity={},
    )


def history(count: int, *, average: bool = True) -> Progress:
    progress = Progress(seconds=75.0)
    for epoch in range(1, count + 1):
        scored = {"images": 12, "top1_correct": 6 + epoch, "top5_correct": 12, "loss": 1.0 / epoch}
        row = {
            "epoch": epoch,
            "lr": 0.01,
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


def test_page_is_well_formed_and_needs_nothing_else() -> None:
    names = ("ant", HOSTILE, "cat")
    text = render(task(names), history(3), np.zeros(12, np.int32), {"python": "3"})
    page = Page(text)
    assert page.all("script") == []
    places = [tag[key] for _, tag in page.tags for key in ("src", "href") if key in tag]
    assert places == ["data:,"]
    assert re.findall(r"https?:|url\(|@import", text) == []
    assert sum(HOSTILE in data for data in page.texts) >= 4
    assert len(page.all("svg")) == 3 + 7  # plots, and a sample of each line in the legends


def test_page_allows_no_script() -> None:
    page = Page(render(task(("ant", "bee")), history(1), np.zeros(8, np.int32), {}))
    (policy,) = (meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert policy == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )


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
    names = ["species 1 of the family of bees", "species 2 of the family of bees"]
    text = render(task(tuple(names)), history(1), np.zeros(8, np.int32), {})
    assert f'title="{names[1]}"><span>species 2 …ly of bees</span>' in text


def test_single_epoch_can_be_seen() -> None:
    one, two = (
        render(task(("ant", "bee")), history(epochs), np.zeros(8, np.int32), {})
        for epochs in (1, 2)
    )
    assert (one.count('class="dot"'), two.count('class="dot"')) == (7, 0)


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


@pytest.mark.slow
@pytest.mark.parametrize("classes", [10, 300])
def test_page_fits_every_width_in_a_browser(tmp_path: Path, classes: int) -> None:
    names = tuple(f"a rather long name of class number {n}" for n in range(classes))
    decisions = np.roll(np.repeat(np.arange(classes), 4), 1).astype(np.int32)
    seen = look(tmp_path, render(task(names), history(5), decisions, {"python": "3.11"}))
    assert [found["overflow"] for found in seen.values()] == [0, 0, 0]

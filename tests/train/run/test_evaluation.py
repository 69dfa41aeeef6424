from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import convert
from resnext.distributed.job import Job
from resnext.images.sources.folders import class_folders
from resnext.inference.pending import PendingValues
from resnext.inference.predictor import Predictor
from resnext.loader.batch import Batch
from resnext.preprocessing import Preprocessing
from tests.support.golden import ROOT
from train.run.evaluation import Score, evaluate
from train.run.resources import Resources

DIGITS = ROOT / "examples" / "digits"
SCALED = Preprocessing(scale=36, crop=32, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


@pytest.mark.parametrize("ahead", [0, 1, 40])
def test_digits_are_counted_as_torch7_did_however_many_batches_are_ahead(
    monkeypatch: pytest.MonkeyPatch, few: Path, ahead: int
) -> None:
    started: list[int] = []
    waiting: list[int] = []
    handed_back: list[int] = []
    start, wait, hand_back = Predictor.start, PendingValues.wait, Batch.hand_back

    def begin(self: Predictor, inputs: torch.Tensor) -> PendingValues:
        started.append(len(inputs))
        return start(self, inputs)

    def finish(self: PendingValues) -> np.ndarray:
        waiting.append(len(started))
        return wait(self)

    def end(self: Batch) -> None:
        handed_back.append(len(waiting))
        hand_back(self)

    monkeypatch.setattr(Predictor, "start", begin)
    monkeypatch.setattr(PendingValues, "wait", finish)
    monkeypatch.setattr(Batch, "hand_back", end)
    fixed = property(lambda _: ahead, lambda *_: None)
    monkeypatch.setattr(Predictor, "ahead", fixed, raising=False)
    loaded = convert.load(DIGITS / "resnext_11_8x4d_digits.t7")
    checkpoint = replace(loaded, preprocessing=SCALED)
    seen: list[int] = []
    score = evaluate(
        checkpoint,
        class_folders(few / "val"),
        Resources(job=Job(), device=torch.device("cpu"), workers=0),
        pause=lambda images, _: seen.append(images),
    )
    assert isinstance(score, Score)
    assert (score.wrong, score.counts.top5_correct, score.counts.images) == (2, 48, 48)
    assert seen == [16] * 3
    assert waiting == [min(number + ahead, 3) for number in range(1, 4)]
    assert handed_back == [1, 2, 3]

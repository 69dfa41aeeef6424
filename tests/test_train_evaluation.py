from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import convert
from resnext.data.folders import class_folders
from resnext.distributed import Job
from resnext.inference import Answer, Predictor
from resnext.preprocessing import Preprocessing
from train import evaluation
from train.evaluation import Score, evaluate

DIGITS = Path(__file__).parents[1] / "examples" / "digits"
SCALED = Preprocessing(scale=36, crop=32, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


@pytest.mark.parametrize("ahead", [0, 1, 40])
def test_digits_are_counted_as_torch7_did_however_many_batches_are_ahead(
    monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    waiting: list[int] = []

    class Ahead(Predictor):
        def __init__(self, *facts: Any, **others: Any) -> None:
            super().__init__(*facts, **others)
            self.ahead = ahead
            self.started = 0

        def start(self, inputs: Any) -> Answer:
            self.started += 1
            answer = super().start(inputs)

            class Late(Answer):
                def wait(answer) -> np.ndarray:  # noqa: N805
                    waiting.append(self.started)
                    return super().wait()

            return Late(logits=answer.logits)

    monkeypatch.setattr(evaluation, "Predictor", Ahead)
    loaded = convert.load(DIGITS / "resnext_11_8x4d_digits.t7")
    checkpoint = replace(loaded, preprocessing=SCALED)
    seen: list[int] = []
    score = evaluate(
        checkpoint,
        class_folders(DIGITS / "val"),
        device=torch.device("cpu"),
        workers=0,
        job=Job(),
        pause=seen.append,
    )
    assert isinstance(score, Score)
    assert (score.wrong, score.counts.top5_correct, score.counts.images) == (15, 359, 360)
    assert seen == [16] * 22 + [8]
    assert waiting == [min(number + ahead, 23) for number in range(1, 24)]

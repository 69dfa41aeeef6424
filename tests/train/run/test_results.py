"""What `metrics.jsonl` says of an epoch."""

import pytest

from train.run.results import metrics_of

SCORE = {"images": 21, "top1_correct": 14, "top5_correct": 19, "loss": 0.75}
ROW = {
    "epoch": 3,
    "lr": 0.02,
    "train": {"images": 48, "loss": 1.5, "wrong": 20, "gradient_norm": 2.5},
    "seconds": 1.25,
    "images_per_second": 40.0,
    "weights": SCORE,
    "best": True,
}


def test_both_halves_of_an_epoch_have_the_same_names() -> None:
    assert metrics_of(ROW, classes=6) == {
        "epoch": 3,
        "lr": 0.02,
        "train_images": 48,
        "train_loss": 1.5,
        "train_wrong": 20,
        "train_error": 41.6667,
        "val_images": 21,
        "val_loss": 0.75,
        "val_wrong": 7,
        "val_top5_wrong": 2,
        "val_error": 33.3333,
        "grad_norm": 2.5,
        "seconds": 1.25,
        "images_per_second": 40.0,
        "best": True,
    }


@pytest.mark.parametrize(("classes", "said"), [(5, False), (6, True)])
def test_top_five_is_left_out_where_it_says_nothing(classes: int, said: bool) -> None:
    found = metrics_of({**ROW, "average": {**SCORE, "top1_correct": 20}}, classes=classes)
    assert ("val_top5_wrong" in found, "ema_val_top5_wrong" in found) == (said, said)
    assert (found["ema_val_wrong"], found["ema_val_error"]) == (1, 4.7619)

"""Options of other tools are answered with the names that this command has for them."""

import re

import pytest

from train.cli import main
from train.other_names import OTHER_NAMES


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (
            ("--learning-rate", "0.1"),
            "No such option: --learning-rate (resnext-train calls it --lr)",
        ),
        (("--wd=0.1",), "--wd (resnext-train calls it --weight-decay)"),
        (("--data-path", "x"), "--data-path (resnext-train calls it --data)"),
        (("-b", "32"), "-b (resnext-train calls it --batch-size)"),
        (("-LR", "0.1"), "-LR (resnext-train calls it --lr)"),
        (("--jitter", "0.4"), "--jitter (resnext-train calls it --color-jitter)"),
        (("--model", "resnet50"), "--model (the network is that of --init CHECKPOINT, or a new"),
        (("--num-classes", "7"), "--num-classes (the classes are counted from the images)"),
        (
            ("--opt", "adamw", "--aa", "ra"),
            "--opt (resnext-train calls it --optimizer), --aa (resnext-train calls it --auto",
        ),
        (("--nonsense",), "No such option"),
        (("--crop-kind", "sized"), "'--crop-kind': 'sized' is RandomResizedCrop here"),
        (("--crop-kind", "padded"), "'padded' is RandomCrop with --padding here"),
        (("--auto-augment", "ta_wide"), "'ta_wide' is trivial here"),
        (("--schedule", "CosineAnnealingLR"), "'CosineAnnealingLR' is cosine here"),
        (("--precision", "bfloat16"), "'bfloat16' is bf16 here"),
        (("--optimizer", "rmsprop"), "'rmsprop' is not one of 'sgd', 'adamw'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_other_name_is_answered_in_one_line(
    words: tuple[str, ...], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--data", "data", "--init", "x.t7", *words])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("resnext-train: ")
    assert part in line


def test_answers_name_options_that_there_are() -> None:
    known = {name for option in main.params for name in (*option.opts, *option.secondary_opts)}
    assert known & set(OTHER_NAMES) == set()
    elsewhere = {"--nproc-per-node", "--no-python", "--crops"}  # of torchrun and resnext-validate
    named = {word for text in OTHER_NAMES.values() for word in re.findall(r"--[a-z-]+", text)}
    assert named - known == elsewhere

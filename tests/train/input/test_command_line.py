"""The options that a state holds, in another folder than that of the command."""

from pathlib import Path

import pytest

from train.input.command_line import CommandLine


def test_paths_lead_from_the_folder_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    for folder in (there / "data", here / "both", there / "both"):
        folder.mkdir(parents=True)
    monkeypatch.chdir(here)
    words = (
        *("--data=data", "--val-data=both", "--init=resnet_50", "--preprocessing=cifar10"),
        *("--epochs=3", "--compile", "--freeze=data", "--class-weights=balanced"),
        "--cache=kept",
    )
    (there / "cifar10").mkdir()
    assert CommandLine(words=words, folder=str(there)).found_here() == (
        *(f"--data={there}/data", f"--val-data={there}/both", "--init=resnet_50"),
        *("--preprocessing=cifar10", *words[4:-1], f"--cache={there}/kept"),
    )


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("shards-{000..003}.tar", "/there/shards-{000..003}.tar"),
        ("part*.parquet", "/there/part*.parquet"),
        ("/else/*.tar", "/else/*.tar"),
        ("https://host/a-{0..9}.tar", "https://host/a-{0..9}.tar"),
        ("cifar10", "cifar10"),
    ],
)
def test_patterns_lead_there_and_addresses_and_names_stay(value: str, found: str) -> None:
    line = CommandLine(words=(f"--data={value}",), folder="/there")
    assert line.found_here() == (f"--data={found}",)


def test_option_is_stated_once() -> None:
    line = CommandLine(words=("--scale=9", "--crop=8"), folder="/there")
    assert line.stating("--scale", 0).words == ("--crop=8", "--scale=0")
    assert CommandLine.from_fields({"words": ["--crop=8"], "folder": "/there"}) == CommandLine(
        words=("--crop=8",), folder="/there"
    )

"""A measurement as the command makes it, while what it reads changes on the disk."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from resnext.distributed.job import Job
from resnext.pixels.pipelines import Pipeline
from resnext.terminal.watcher import Watcher
from tests.support.golden import ROOT
from validate.measurement import measure
from validate.options import MeasurementConfig
from validate.reports import to_json, write_reports
from validate.request import checked_request

DIGITS = ROOT / "examples" / "digits"


def first_of_each(folder: Path) -> Path:
    """Copy the first picture of each digit into a folder."""
    for each in (DIGITS / "val").iterdir():
        (folder / each.name).mkdir(parents=True)
        shutil.copy(min(each.iterdir()), folder / each.name)
    return folder


def test_class_folder_that_is_replaced_meanwhile_costs_no_report(tmp_path: Path) -> None:
    data = first_of_each(tmp_path / "val")

    @contextmanager
    def replaced(_text: str, _images: int, _done: int) -> Iterator[Callable[..., None]]:
        yield lambda *_: None
        shutil.rmtree(data / "3_three")
        (data / "3_three").touch()

    config = MeasurementConfig(
        data=str(data),
        checkpoints=(str(DIGITS / "resnext_11_8x4d_digits.t7"),),
        claims=DIGITS / "claims.toml",
        pipelines=(Pipeline.TORCH7,),
        ledger=tmp_path / "ledger",
        workers=0,
    )
    watcher = Watcher(progress=replaced)
    report = measure(checked_request(config, watcher), Job(), watcher)
    assert report is not None
    write_reports(report, tmp_path / "out")
    images = to_json(report)["images"]
    identity = json.loads((tmp_path / "ledger").read_text().splitlines()[0])
    assert isinstance(images, dict)
    assert (images["measured"], images["sha256"]) == (10, identity["data"]["sha256"])

"""A measurement as the command makes it, while what it reads changes on the disk."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from resnext.checkpoint import Checkpoint, Origin, Provenance
from resnext.distributed.job import Job
from resnext.images.imagenet import NAMES, WNIDS
from resnext.model import ResNeXt
from resnext.preprocessing import CIFAR10, Pipeline
from resnext.spec import Spec, Stem
from resnext.terminal.watcher import Watcher
from tests.support.golden import ROOT
from validate.measurement import measure
from validate.options import MeasurementConfig
from validate.reports import to_json, write_reports
from validate.request import checked_request
from validate.verdicts.results import Report

DIGITS = ROOT / "examples" / "digits"


def first_of_each(folder: Path) -> Path:
    """Copy the first picture of each digit into a folder."""
    for each in (DIGITS / "val").iterdir():
        (folder / each.name).mkdir(parents=True)
        shutil.copy(min(each.iterdir()), folder / each.name)
    return folder


def network_of_imagenet(path: Path) -> Path:
    """Write a small network of 1000 classes that are ImageNet's, as a published one's header says.

    Its classifier is drawn, as a network that answers one class for all would prove little.
    """
    spec = Spec(blocks=(1, 1, 1), stem=Stem.CIFAR, planes=4, base_width=4, stem_width=4)
    network = ResNeXt(spec, generator=torch.Generator().manual_seed(0))
    Checkpoint(
        spec=spec,
        tensors={name: tensor.numpy() for name, tensor in network.state_dict().items()},
        preprocessing=CIFAR10,
        origin=Origin.GIVEN,
        provenance=Provenance(
            source_file="x.t7", source_sha256="0" * 64, source_bytes=1, converted_by="resnext 0"
        ),
        classes=NAMES,
        wnids=WNIDS,
    ).save(path)
    return path


def measured(data: Path, checkpoint: Path, labels: Path | None = None) -> Report:
    config = MeasurementConfig(
        data=str(data),
        checkpoints=(str(checkpoint),),
        labels=labels,
        pipelines=(Pipeline.TORCH7,),
        workers=0,
    )
    report = measure(checked_request(config, Watcher()), Job(), Watcher())
    assert report is not None
    return report


def test_classes_of_imagenet_are_matched_by_wnid_or_number_and_shown_by_name(
    tmp_path: Path,
) -> None:
    checkpoint = network_of_imagenet(tmp_path / "x.safetensors")
    pictures = sorted((DIGITS / "val" / "3_three").iterdir())
    # The two cranes, a bird and a machine, which only their wnids tell apart.
    for wnid, chosen in (("n02012849", pictures[:2]), ("n03126707", pictures[2:4])):
        (tmp_path / "folders" / wnid).mkdir(parents=True)
        for picture in chosen:
            shutil.copy(picture, tmp_path / "folders" / wnid / picture.name)
    (tmp_path / "flat").mkdir()
    rows = ["file,label"]
    for label, picture in zip((134, 134, 517, 517), pictures, strict=False):
        shutil.copy(picture, tmp_path / "flat" / picture.name)
        rows.append(f"{picture.name},{label}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    by_wnid = measured(tmp_path / "folders", checkpoint)
    by_number = measured(tmp_path / "flat", checkpoint, tmp_path / "labels.csv")
    for report in (by_wnid, by_number):
        assert report.images.labels.tolist() == [134, 134, 517, 517]
        assert report.classes is not None
        assert report.classes[134] == "crane (n02012849)"
        assert report.classes[517] == "crane (n03126707)"
        assert len(report.classes) == 1000


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

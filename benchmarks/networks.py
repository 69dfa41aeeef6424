"""Networks that are measured, of random weights: nothing here depends on what they decide."""

from importlib.metadata import version
from pathlib import Path

import torch

from resnext.checkpoint import Checkpoint, Provenance
from resnext.header import Origin
from resnext.model import ResNeXt
from resnext.preprocessing import IMAGENET, Preprocessing
from resnext.spec import Spec

RESNEXT_50 = Spec(blocks=(3, 4, 6, 3), cardinality=32, base_width=4)


def write_random(path: Path, spec: Spec, preprocessing: Preprocessing = IMAGENET) -> None:
    """Write a checkpoint of weights as they are drawn for a training, under its own name."""
    save(ResNeXt(spec, generator=torch.Generator().manual_seed(0)), path, preprocessing)


def save(network: ResNeXt, path: Path, preprocessing: Preprocessing) -> None:
    """Write a network that has no original as a checkpoint under the name of its file."""
    Checkpoint(
        spec=network.spec,
        tensors={name: tensor.numpy() for name, tensor in network.state_dict().items()},
        preprocessing=preprocessing,
        origin=Origin.GIVEN,
        provenance=Provenance(
            source_file=f"{path.stem}.t7",
            source_sha256="0" * 64,
            source_bytes=0,
            converted_by=f"resnext {version('resnext')}",
        ),
    ).save(path)

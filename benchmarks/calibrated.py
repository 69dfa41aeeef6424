"""A network whose random weights decide as trained ones do: from picture to picture otherwise."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.networks import save
from benchmarks.pictures import draw_pictures
from benchmarks.runs import command_line
from resnext.model import ResNeXt
from resnext.pixels.pipelines import prepare
from resnext.preprocessing import IMAGENET, Preprocessing
from resnext.spec import Spec

DIRECTIONS = 16
BATCH = 20  # pictures that a batch norm sees at once while it is calibrated


def write_calibrated(path: Path, spec: Spec, *, seed: int = 0) -> None:
    """Write a checkpoint of random weights, calibrated on forty pictures, under its own name.

    The batch norms hold the statistics of what really passes through them, and the classifier sees
    what sets pictures apart: each class is a random direction among the `DIRECTIONS` in which the
    features of the forty differ most. Otherwise one class would win on each picture. Random
    features still differ less from picture to picture than trained ones, so decisions are closer,
    and a rounding changes more of them.

    Args:
        path: a `.safetensors` file.
        spec: of the network, which sees ImageNet's usual pictures.
        seed: of weights and pictures.
    """
    batches = _batches(draw_pictures(seed=seed), IMAGENET)
    network = ResNeXt(spec, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        _draw_norms(network, seed=seed)
        _calibrate(network, batches)
        _draw_classifier(network, batches, seed=seed)
    save(network, path, IMAGENET)


def _batches(pictures: Sequence[bytes], preprocessing: Preprocessing) -> list[Tensor]:
    inputs = torch.stack([torch.from_numpy(prepare(data, preprocessing)) for data in pictures])
    return list(torch.split(inputs, BATCH))


def _draw_norms(network: ResNeXt, *, seed: int) -> None:
    """Let no batch norm be an identity."""
    generator = torch.Generator().manual_seed(seed + 1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.uniform_(0.5, 1.5, generator=generator)
            module.bias.normal_(0, 0.1, generator=generator)


def _calibrate(network: ResNeXt, batches: Sequence[Tensor]) -> None:
    """Let each batch norm learn the mean and variance of its inputs."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean over all batches
    network.train()
    for batch in batches:
        network(batch)
    network.eval()


def _draw_classifier(network: ResNeXt, batches: Sequence[Tensor], *, seed: int) -> None:
    """Let each class look in a direction of its own; the logits of one deviate by about 1."""
    generator = torch.Generator().manual_seed(seed + 2)
    classifier, seen = network.fc, []
    hook = classifier.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for batch in batches:
        network(batch)
    hook.remove()
    features = torch.cat(seen)  # (pictures, features)
    common = features.mean(0)
    _, sizes, directions = torch.linalg.svd(features - common, full_matrices=False)
    draw = torch.randn(classifier.out_features, DIRECTIONS, generator=generator)
    # By half: the first direction, that of contrast, is many times the second.
    weight = draw @ (directions[:DIRECTIONS] / sizes[:DIRECTIONS, None].sqrt())
    weight /= ((features - common) @ weight.T).std()
    classifier.weight.copy_(weight)
    classifier.bias.copy_(-weight @ common)


if __name__ == "__main__":
    parser = command_line()
    parser.add_argument("spec", type=json.loads, help="The spec in JSON.", metavar="SPEC")
    parser.add_argument("path", type=Path, help="The .safetensors file.", metavar="FILE")
    given = parser.parse_args()
    write_calibrated(given.path, Spec.from_fields(given.spec, "the command"))

"""Pictures to names and features: what does a network see?

for prediction in predict.pictures("resnext_50_32x4d", "photographs"):
    print(prediction.image, prediction.top[0].name)
"""

from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

# `import predict` must be cheap: whatever needs numpy or torch is imported where it is used.
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from predict.prediction import Answer, Prediction
    from resnext.checkpoint import Checkpoint
    from resnext.preprocessing import Preprocessing
    from resnext.terminal.watcher import Watcher

__all__ = ["Answer", "Prediction", "pictures"]


def pictures(
    checkpoint: "Checkpoint | Path | str",
    paths: "Iterable[Path | str] | Path | str",
    *,
    top: int = 5,
    threshold: float = 0.0,
    features: bool = False,
    layer: str | None = None,
    crops: int = 1,
    pipeline: str | None = None,
    preprocessing: "Preprocessing | Path | str | None" = None,
    scale: int | None = None,
    crop: int | None = None,
    precision: str = "fp32",
    compiled: bool = False,
    device: str | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    cache: Path | str | None = None,
    watcher: "Watcher | None" = None,
) -> "Iterator[Prediction]":
    """Return an iterator over what a network answers for each picture, in the order given.

    Checkpoint, options and paths are checked at once; pictures are read and computed batch by batch
    while the iterator goes on, and no more than some batches are in memory. A picture that cannot
    be read has a prediction too, whose `error` says why.

    Args:
        checkpoint: of `convert.load`, or a file or folder that it reads, or the name of a published
            network, which is downloaded.
        paths: one or more pictures, folders (walked whole, with their subfolders), tars,
            WebDataset shards, Parquet files, and addresses of them; brace patterns and wildcards.
        top: so many classes, at most all.
        threshold: classes of a smaller probability are left out, 0 to 1.
        features: whether each prediction has `features`, (F,) float32: the inputs of the
            classifier, or of `layer`.
        layer: a stage, "layer1" to "layer4" say, whose map is averaged; implies `features`.
        crops: 1, or 10: logits and features are averaged over the original's ten crops.
        pipeline: for comparison: "torch7", the original's pixels, "pil", those of torchvision and
            timm, or "opencv", those of MXNet and Caffe; None takes the preprocessing's own.
        preprocessing: in place of the checkpoint's own: "imagenet", "cifar10", "cifar100", a TOML
            file, or a `resnext.Preprocessing`.
        scale: pixels of the shorter side in place of the preprocessing's own; 0 scales nothing.
        crop: pixels of the crop, in place of the preprocessing's own.
        precision: "fp32", "tf32", "bf16" or "fp16".
        compiled: compute with `torch.compile`.
        device: "cpu", "cuda", "cuda:1" or "mps"; None takes the best there is.
        batch_size: pictures that go through the network at once; None takes the device's usual.
        workers: processes that read and decode; 0 does it in this one; None takes the usual.
        cache: folder of downloads; None is the user's own.
        watcher: is told what is worth knowing; None logs it as warnings of the logger "predict".

    Raises:
        ResnextError: a checkpoint, an option or paths that cannot be used, at once; or what stops
            the computation, from the iterator.
        OSError: a file that cannot be opened.
    """
    from logging import getLogger

    from predict.options import PredictionConfig
    from predict.request import checked_request
    from resnext.preprocessing import named_preprocessing
    from resnext.terminal.watcher import Watcher

    if isinstance(preprocessing, str | PathLike):
        preprocessing = named_preprocessing(fspath(preprocessing))
    watcher = watcher or Watcher(note=getLogger("predict").warning)
    config = PredictionConfig(
        top=top,
        threshold=threshold,
        features=features or layer is not None,
        layer=layer,
        crops=crops,
        pipeline=pipeline,
        preprocessing=preprocessing,
        scale=scale,
        crop=crop,
        precision=precision,
        compiled=compiled,
        device=device,
        batch_size=batch_size,
        workers=workers,
        cache=None if cache is None else Path(cache),
    )
    given = [paths] if isinstance(paths, str | PathLike) else paths
    request = checked_request(checkpoint, [fspath(path) for path in given], config, watcher)

    # Here, because a mistyped path must not wait for torch.
    from predict.prediction_pass import predictions
    from resnext.distributed.job import Job

    return predictions(request, Job(), watcher)


def __getattr__(name: str) -> object:
    """Return the type of a public name, which is imported when it is first asked for."""
    if name in ("Answer", "Prediction"):
        from predict import prediction

        return getattr(prediction, name)
    raise AttributeError(f"module 'predict' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the types too."""
    return sorted({*globals(), *__all__})

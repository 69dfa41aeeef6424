"""What other tools call the options of `resnext-train`.

Sources: train.py of timm, references/classification/train.py of torchvision, opts.lua of the
original release, and the names that this command's own options once had.
"""

from collections.abc import Mapping
from typing import Final

NETWORK: Final = (
    "the network is that of --init CHECKPOINT, or a new one of --depth, --base-width and "
    "--cardinality"
)
PREPROCESSING: Final = "stated by --preprocessing, or by the checkpoint itself"
CLASSES: Final = "the classes are counted from the images"
PROCESSES: Final = "torchrun --nproc-per-node N --no-python resnext-train takes several GPUs"
MEASURING: Final = "resnext-validate measures a checkpoint"

# A name -> the option of this command, which begins with "--", or a sentence.
OTHER_NAMES: Final[Mapping[str, str]] = {
    # Images
    "--data-path": "--data",
    "--data-dir": "--data",
    "--dataset": "--data",
    "--data_path": "--data",
    "--data_dir": "--data",
    "--train-dir": "--data",
    "--val-dir": "--val-data",
    "--val-path": "--val-data",
    "--val-split": "--val-data or --val-fraction",
    "--train-split": "--data",
    "--img-size": "--crop",
    "--input-size": "--crop",
    "--train-crop-size": "--crop",
    "--val-crop-size": "--crop",
    "--val-resize-size": "--scale",
    "--mean": PREPROCESSING,
    "--std": PREPROCESSING,
    "-data": "--data",
    "-dataset": "--data",
    # Network
    "--model": NETWORK,
    "--arch": NETWORK,
    "-a": NETWORK,
    "--weights": "--init",
    "--checkpoint": "--init",
    "--initial-checkpoint": "--init",
    "--pretrained": "--init NAME",
    "--num-classes": CLASSES,
    "--grad-checkpointing": "--save-memory",
    "-depth": "--depth",
    "-baseWidth": "--base-width",
    "-cardinality": "--cardinality",
    "-retrain": "--init",
    "-resetClassifier": "--reset-classifier",
    "-nClasses": CLASSES,
    # Recipe
    "--learning-rate": "--lr",
    "--learning_rate": "--lr",
    "--rate": "--lr",
    "--batch": "--batch-size",
    "--batch_size": "--batch-size",
    "-b": "--batch-size",
    "--num-epochs": "--epochs",
    "--max-epochs": "--epochs",
    "--opt": "--optimizer",
    "--optim": "--optimizer",
    "--optimiser": "--optimizer",
    "--opt-betas": "--betas",
    "--opt-eps": "--eps",
    "--wd": "--weight-decay",
    "--decay": "--weight-decay",
    "--sched": "--schedule",
    "--scheduler": "--schedule",
    "--lr-scheduler": "--schedule",
    "--warmup-epochs": "--warmup",
    "--lr-warmup-epochs": "--warmup",
    "--clip-grad": "--clip",
    "--clip-grad-norm": "--clip",
    "--grad-accum-steps": "--accumulate",
    "--smoothing": "--label-smoothing",
    "--mixup-alpha": "--mixup",
    "--model-ema": "--ema DECAY",
    "--model-ema-decay": "--ema",
    "--patience-epochs": "--patience",
    "--early-stopping": "--patience",
    "--amp": "--precision",
    "--amp-dtype": "--precision",
    "--fp16": "--precision fp16",
    "--bf16": "--precision bf16",
    "--torchcompile": "--compile",
    "-LR": "--lr",
    "-nEpochs": "--epochs",
    "-batchSize": "--batch-size",
    "-momentum": "--momentum",
    "-weightDecay": "--weight-decay",
    # Pictures
    "--aa": "--auto-augment",
    "--random-resized-crop": "--crop-kind RandomResizedCrop",
    "--ratio": "--crop-ratio",
    "--min-area": "--crop-scale MIN,MAX",
    "--hflip": "--flip",
    "--jitter": "--color-jitter",
    "--lighting": "--pca-lighting",
    # Machine and run
    "--num-workers": "--workers",
    "-j": "--workers",
    "-nThreads": "--workers",
    "--gpu": "--device cuda:N",
    "--gpus": PROCESSES,
    "-nGPU": PROCESSES,
    "--output-dir": "--output",
    "--out": "--output",
    "--save-dir": "--output",
    "--checkpoint-dir": "--output",
    "--manual-seed": "--seed",
    "-manualSeed": "--seed",
    "--use-deterministic-algorithms": "--deterministic",
    "--log-tensorboard": "--tensorboard",
    "--test-only": MEASURING,
    "--eval": MEASURING,
    "-testOnly": MEASURING,
    "-tenCrop": "resnext-validate --crops 10 measures a checkpoint",
}

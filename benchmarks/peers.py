"""timm and torchvision, whichever torch torchvision was built for."""

import importlib
import warnings
from types import ModuleType
from typing import Any

import torch

_KEPT: list[torch.library.Library] = []  # what is dropped is undeclared


def import_timm() -> Any:
    """Import timm with its packages for data and optimisers.

    Raises:
        SystemExit: timm or torchvision is not installed.
    """
    try:
        import_torchvision("torchvision.transforms")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import timm.data
            import timm.optim
    except ImportError as error:
        raise SystemExit(f"{error}; install timm and torchvision with `make peers`") from error
    return timm


def import_torchvision(name: str) -> ModuleType:
    """Import a module of torchvision.

    Built for another torch, its compiled operators do not load, and its import then fails for want
    of two that neither networks nor transforms need: they are declared, and the import is repeated.

    Args:
        name: dotted, "torchvision.models.resnet" say.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except RuntimeError:
            schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            library = torch.library.Library("torchvision", "DEF")
            for operator in ("nms", "qnms"):
                library.define(operator + schema)
            _KEPT.append(library)
            return importlib.import_module(name)

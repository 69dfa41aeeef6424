"""timm, whichever torch the torchvision that it needs was built for."""

import warnings
from typing import Any

import torch

_KEPT: list[torch.library.Library] = []  # what is dropped is undeclared


def import_timm() -> Any:
    """Import timm with its packages for data and optimisers.

    Where torchvision was built for another torch its compiled operators do not load, and its
    import fails for want of two that nothing here needs: they are declared.

    Raises:
        SystemExit: timm or torchvision is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            try:
                import torchvision.transforms  # noqa: F401
            except RuntimeError:
                library = torch.library.Library("torchvision", "DEF")
                for name in ("nms", "qnms"):
                    library.define(
                        f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
                    )
                _KEPT.append(library)
            import timm.data
            import timm.optim
        except ImportError as error:
            raise SystemExit(f"{error}; install timm and torchvision with `make peers`") from error
    return timm

"""Where the sources of published numbers are, by the names that the built-in table has for them."""

from typing import Final

# The beginning of a source's name -> its address. The files were read at the commits named here.
ADDRESSES: Final = {
    "ResNeXt README": "https://github.com/facebookresearch/ResNeXt",
    "ResNeXt paper": "https://arxiv.org/abs/1611.05431",
    "fb.resnet.torch README": "https://github.com/facebookarchive/fb.resnet.torch",
    "MXNet image-classification README": (
        "https://github.com/apache/mxnet/tree/a2195610/example/image-classification"
    ),
    "timm results-imagenet.csv": (
        "https://github.com/huggingface/pytorch-image-models/blob/0173a139/results/results-imagenet.csv"
    ),
    "torchvision resnet.py": (
        "https://github.com/pytorch/vision/blob/v0.29.1/torchvision/models/resnet.py"
    ),
    "WSL-Images README": "https://github.com/facebookresearch/WSL-Images",
    "semi-supervised-ImageNet1K-models README": (
        "https://github.com/facebookresearch/semi-supervised-ImageNet1K-models"
    ),
    "pretrained-models.pytorch README": "https://github.com/Cadene/pretrained-models.pytorch",
    "ResNeXt.pytorch README": "https://github.com/prlz77/ResNeXt.pytorch",
    "model-zoo README of KeyKy": "https://github.com/KeyKy/model-zoo/tree/5b2e4af2",
    "caffe-model README of soeaver": "https://github.com/soeaver/caffe-model/tree/3856c7c6/cls",
}


def address_of(source: str) -> str | None:
    """Return the address of a source; None for one that the built-in table does not have."""
    return next((url for name, url in ADDRESSES.items() if source.startswith(name)), None)

"""What the Hugging Face Hub calls a task, a data set, metrics and licences."""

from typing import Final

from resnext.published import Metric

TASK: Final = {"type": "image-classification", "name": "Image Classification"}
IMAGENET_1K: Final = {"type": "imagenet-1k", "name": "ImageNet-1k", "split": "validation"}
# The data set of pictures on a disk.
FOLDER: Final = "imagefolder"

# An error of ours -> the name of its accuracy there, and what is counted.
ACCURACIES: Final = {
    Metric.TOP1_ERROR: ("accuracy", "top-1"),
    Metric.TOP5_ERROR: ("top_5_accuracy", "top-5"),
}

# Of https://huggingface.co/docs/hub/repositories-licenses, those that are of weights and code.
LICENCES: Final = (
    *("apache-2.0", "bsd", "bsd-2-clause", "bsd-3-clause", "cc", "cc0-1.0", "cc-by-2.0"),
    *("cc-by-3.0", "cc-by-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-nd-3.0"),
    *("cc-by-nc-nd-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-sa-3.0"),
    *("cc-by-sa-4.0", "gpl-2.0", "gpl-3.0", "isc", "lgpl-2.1", "lgpl-3.0", "mit", "mpl-2.0"),
)

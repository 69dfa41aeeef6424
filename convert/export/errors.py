"""The errors of writing a checkpoint in a format: one class for each cause."""

from resnext.errors import ConvertError


class OutputError(ConvertError):
    """An output that cannot be written there: it exists, or two sources have the same."""


class TopologyError(ConvertError):
    """A network that the chosen format, or the library that reads it, does not have."""


class MissingExtraError(ConvertError):
    """A format needs a package that is not installed.

    Attributes:
        packages: all that the format needs.
    """

    def __init__(self, name: str, package: str, packages: tuple[str, ...]) -> None:
        super().__init__(
            f"--to {name} needs {package}, which is not installed; "
            f"`pip install {' '.join(packages)}` brings it"
        )
        self.packages = packages


class OnnxError(ConvertError):
    """An ONNX file that is not written: too large, or it does not answer what the network does."""

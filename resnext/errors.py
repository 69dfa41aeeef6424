"""The errors of the networks, their checkpoints and their pixels, and the base of the others."""

from pathlib import Path


class ResnextError(Exception):
    """Whatever a user can cause. A command prints it as one line on stderr and exits with 2.

    The other folders derive their own base from it, so that a command catches one class.
    """


class ConvertError(ResnextError):
    """A file that was not converted.

    Attributes:
        path: of the file, once it is known; it starts the message.
    """

    path: Path | None = None

    def __str__(self) -> str:
        return f"{self.path}: {super().__str__()}" if self.path else super().__str__()


class SpecError(ResnextError):
    """A set of numbers that describes no network of the family."""


class CheckpointError(ResnextError):
    """A file that is no checkpoint of this project, or one that contradicts itself."""


class PreprocessingError(ResnextError):
    """A description of the input that cannot be applied."""


class PublishedError(ResnextError):
    """A table of networks and claims that cannot be read."""


class ImageError(ResnextError):
    """Bytes that are no image, or an image that the pipeline cannot take."""


class DataError(ResnextError):
    """A set of images that is missing, empty or inconsistent."""


class UnlabelledError(DataError):
    """Images that no folders label, and that a file of labels would.

    Attributes:
        found: what was expected, and is there instead.
        moved: what may be done without such a file.
    """

    def __init__(self, found: str, moved: str) -> None:
        """Say both ways out; a command that takes no labels says its own."""
        super().__init__(f"{found}; give a file of labels with --labels, or {moved}")
        self.found, self.moved = found, moved


class DownloadError(ResnextError):
    """A file that an address does not give, or that is not the one expected there."""


class DeviceError(ResnextError):
    """A device that this machine does not have, or one that cannot do what is asked of it."""


class JobError(ResnextError):
    """A job of several processes that cannot go on."""

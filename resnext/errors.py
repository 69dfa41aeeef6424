"""The errors of the networks, their checkpoints and their pixels, and the base of the others."""

from pathlib import Path


class ResnextError(Exception):
    """Any problem that a user can cause. A command prints it as one line and exits with code 2.

    All errors of the project derive from it, so that a command catches one class.
    """

    @property
    def lines(self) -> tuple[str, ...]:
        """Return the message as a command prints it: one line, where it is not about several."""
        return (str(self),)


class ConvertError(ResnextError):
    """A file that was not converted.

    Attributes:
        path: of the file, once it is known; it starts the message.
    """

    path: Path | None = None

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message

    @property
    def message(self) -> str:
        """Return the message without the file."""
        return super().__str__()


class SpecError(ResnextError):
    """Numbers that do not describe a network of the family."""


class CheckpointError(ResnextError):
    """A file that is not a checkpoint of this project, or one that contradicts itself."""


class PreprocessingError(ResnextError):
    """A description of the input that cannot be applied."""


class PublishedError(ResnextError):
    """A table of networks and claims that cannot be read; a message for each of its faults."""

    def __init__(self, *faults: str) -> None:
        """Take the messages, each of which starts with the name of the file."""
        super().__init__("\n".join(faults))
        self.faults = faults

    @property
    def lines(self) -> tuple[str, ...]:
        """Return a line for each fault."""
        return self.faults


class ImageError(ResnextError):
    """Bytes that are not an image, or an image that the pipeline cannot process."""


class DataError(ResnextError):
    """A set of images that is missing, empty or inconsistent."""


class UnlabelledError(DataError):
    """Images that do not lie in class folders, so that a file of labels is needed.

    Attributes:
        found: what was expected and what was found; the first part of the message.
        moved: what can be done without such a file; the last part of the message.
    """

    def __init__(self, found: str, moved: str) -> None:
        """Offer both solutions; a command without `--labels` words its own from the attributes."""
        super().__init__(f"{found}; give a file of labels with --labels, or {moved}")
        self.found, self.moved = found, moved


class DownloadError(ResnextError):
    """A file that cannot be downloaded, or one that is not the expected file."""


class DeviceError(ResnextError):
    """A device that this machine does not have, or that does not support what is asked of it."""


class JobError(ResnextError):
    """A job of several processes that cannot go on."""


class CardError(ResnextError):
    """A model card that cannot be read, or into which nothing can be written."""

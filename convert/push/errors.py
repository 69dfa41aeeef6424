"""The error of an upload."""

from resnext.errors import ConvertError


class PushError(ConvertError):
    """A folder that is not uploaded."""

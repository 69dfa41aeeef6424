"""The errors of reading a .t7 file: one class for each cause."""

from resnext.errors import ConvertError


class T7Error(ConvertError):
    """Bytes that are not a complete, well-formed .t7 file.

    Attributes:
        offset: byte at which the fault was found.
        fault: what was expected and found, without the cause and what to do.
    """

    def __init__(self, message: str, *, offset: int) -> None:
        super().__init__(f"byte {offset}: {message}")
        self.offset = offset
        self.fault = message.split(";")[0]


class TruncatedError(T7Error):
    """The file ends before what it announces.

    Attributes:
        expected: bytes that were announced.
        found: bytes that are left.
    """

    def __init__(self, what: str, *, offset: int, expected: int, found: int) -> None:
        super().__init__(
            f"{what} needs {expected} bytes, {found} left; "
            "the file is cut short, copy or download it again",
            offset=offset,
        )
        self.expected, self.found = expected, found


class UnknownLayoutError(T7Error):
    """Bytes that make no sense behind an object of a class that may have written itself.

    Attributes:
        found: the class.
    """

    def __init__(self, error: T7Error, found: str) -> None:
        super().__init__(
            f"{error.fault}; this stands after an object of class {found}, whose layout is not "
            "known here: save the file again without it",
            offset=error.offset,
        )
        self.found = found


class UnknownTagError(T7Error):
    """A value starts with a tag that the format does not have.

    Attributes:
        found: the tag.
    """

    def __init__(self, found: int, *, offset: int) -> None:
        super().__init__(
            f"a type tag from 0 to 8 expected, found {found}; the file is damaged", offset=offset
        )
        self.found = found


class BoundsError(T7Error):
    """A size, stride, offset or index leads outside what it addresses, or is negative."""


class LimitError(T7Error):
    """A legal file that asks for more than `Limits` allows.

    Attributes:
        limit: the value that was exceeded.
    """

    def __init__(self, what: str, *, offset: int, limit: int) -> None:
        message = f"more than {limit} {what}; the reader stops there, to stay small in memory"
        super().__init__(message, offset=offset)
        self.limit = limit


class EncodingError(T7Error):
    """Bytes that are not the number or the class name that is expected there."""


class TrailingBytesError(T7Error):
    """Bytes after the root value.

    Attributes:
        found: how many.
    """

    def __init__(self, found: int, *, offset: int) -> None:
        super().__init__(
            f"{found} bytes behind the end of the value; two files joined, or a damaged one",
            offset=offset,
        )
        self.found = found


class NotT7Error(T7Error):
    """A file of another kind.

    Attributes:
        found: what it is, as far as its first bytes tell.
    """

    def __init__(self, found: str) -> None:
        super().__init__(f"a Torch7 file expected, found {found}", offset=0)
        self.found = found

"""The errors of a conversion that are about neither the .t7's content nor the output."""

from resnext.errors import ConvertError


class SourceError(ConvertError):
    """A source that is neither a file nor a published network, or that needs no conversion."""


class DigitsError(ConvertError):
    """A file whose name states another sha256 than it has.

    Attributes:
        found: the file's sha256.
        expected: the digits with which it should begin.
    """

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(
            f"sha256 {expected}... expected, as the file's name says, found {found}; download it "
            "again, or rename it if the name means something else"
        )
        self.found, self.expected = found, expected


class UnprovableError(ConvertError):
    """The logits are the same for every input, so that comparing them proves nothing."""

    def __init__(self) -> None:
        super().__init__(
            "the logits are the same for every picture, so nothing can be proven; weights are "
            "zero, as in a download with holes, or too small to matter: get it again (--no-verify "
            "converts it as it is)"
        )


class ProofError(ConvertError):
    """The converted network does not answer what the original's own modules answer.

    Attributes:
        difference: largest difference of the logits over the largest logit.
    """

    def __init__(self, difference: float, tolerance: float) -> None:
        super().__init__(
            f"the converted network's logits differ from the original modules' by {difference:.1e} "
            f"of the largest logit, at most {tolerance:.0e} allowed; nothing was written"
        )
        self.difference = difference

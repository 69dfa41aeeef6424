"""What a command line asks for, but for its sources."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from convert.export.errors import OutputError

# Importing this module must be cheap: the command does so before it knows that there is work.
if TYPE_CHECKING:
    from resnext.preprocessing import Preprocessing
    from resnext.published import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionConfig:
    """The options of a conversion.

    Attributes:
        output: file or folder to write; None writes beside the source.
        is_folder: the output was spelt as a folder, with a slash at its end.
        format: a name of `convert.export.formats.EXPORTERS`.
        verify: whether the converted network is proven equal to the original.
        force: whether an existing output is replaced.
        at: the place of the network, in a file with several.
        preprocessing: to store in place of the published or assumed one.
        stated: the published network that the user says the file is, or None.
    """

    output: Path | None
    is_folder: bool
    format: str
    verify: bool
    force: bool
    preprocessing: "Preprocessing | None"
    at: str | None = None
    stated: "Row | None" = None


def check_output(config: ConversionConfig, sources: tuple[str, ...]) -> None:
    """Check that every source gets an output of its own, and that no folder would become a file.

    Raises:
        OutputError: two sources share an output, or the output had to be an existing folder.
    """
    if config.output is None or config.output.is_dir():
        outputs = [(config.output or Path(text).parent) / Path(text).stem for text in sources]
        if twice := [output for output in outputs if outputs.count(output) > 1]:
            raise OutputError(
                f"two sources would become {twice[0]} in the new format; convert them one by one"
            )
        return
    if len(sources) > 1:
        raise OutputError(f"{config.output}: an existing folder expected for several sources")
    if config.is_folder:
        from convert.export.formats import EXPORTERS

        if not EXPORTERS[config.format].files:
            raise OutputError(f"{config.output}/: an existing folder expected, found none")

"""The errors of reading a file of PyTorch: one class for each cause."""

from collections.abc import Sequence
from typing import Final

from resnext.errors import ConvertError
from resnext.fields import cut

# Globals that are named in a message.
MOST_NAMED: Final = 6

PLAIN: Final = (
    'where you trust the file, this writes plain.pth, which is read: python -c "import torch; '
    "x = torch.load('FILE', 'cpu', weights_only=False); "
    "x = x.get('state_dict', x.get('model', x)) if isinstance(x, dict) else x; "
    "torch.save(x.state_dict() if hasattr(x, 'state_dict') else x, 'plain.pth')\""
)


class PyTorchError(ConvertError):
    """Bytes that are not a whole file of PyTorch, or one that is not read."""


class DamagedFileError(PyTorchError):
    """A file that contradicts itself or ends too early."""

    def __init__(self, fault: str) -> None:
        super().__init__(f"{fault}; the file is damaged or cut short, copy or download it again")


class InflatedFileError(PyTorchError):
    """A file that would take more memory than it has bytes, which PyTorch never writes."""


class PickledCodeError(PyTorchError):
    """A pickle that needs more than tensors and plain values, so that code would have to run.

    Attributes:
        names: the classes and functions that it needs, in alphabetical order.
    """

    def __init__(self, names: Sequence[str]) -> None:
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        held = ", ".join(cut(name) for name in names[:MOST_NAMED])
        super().__init__(
            f"tensors and plain values expected, found a pickle that needs {held}{more}, and "
            f"nothing in a file is executed; {PLAIN}"
        )
        self.names = tuple(names)


class UnreadPickleError(PyTorchError):
    """A pickle that PyTorch's reader of plain values does not take."""

    def __init__(self, fault: str) -> None:
        super().__init__(f"PyTorch's reader of plain values stops: {cut(fault)}; {PLAIN}")


class ProgramError(PyTorchError):
    """A TorchScript archive, or one of torch.export: a program, not a state dict."""

    def __init__(self) -> None:
        super().__init__(
            "a state dict expected, found an archive of TorchScript, which is a program; save the "
            "network's state_dict() with torch.save"
        )

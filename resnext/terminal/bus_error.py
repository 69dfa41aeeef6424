"""A clear end where another program truncates a file that is mapped into memory."""

import ctypes
import os
import signal
from contextlib import suppress
from typing import Final

from resnext.files import remove_unfinished

BAD_INPUT: Final = 2
_HANDLER: Final = ctypes.CFUNCTYPE(None, ctypes.c_int)


def end_on_bus_error(prog: str) -> None:
    """Let a bus error end this process with one line on stderr and exit code 2.

    Reading a mapped file beyond its end raises the signal SIGBUS. Python's own handlers run only
    after the failed instruction, which never returns; so this handler is called as C would call it,
    removes what is half written, and ends the process at once. Processes forked from this one keep
    the default action.

    Args:
        prog: the command's name, which starts the line.
    """
    process = os.getpid()
    line = (
        f"{prog}: a file was cut short, or its disk failed, while it was read; see that nothing "
        "writes to it, and start again\n"
    ).encode()

    def end(_number: int) -> None:
        if os.getpid() == process:
            with suppress(OSError):
                os.write(2, line)
            remove_unfinished()
            os._exit(BAD_INPUT)
        signal.signal(signal.SIGBUS, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGBUS)

    handler = _HANDLER(end)
    _kept.append(handler)  # as long as it may be called
    with suppress(OSError, AttributeError):  # another system than Linux or macOS
        ctypes.CDLL(None).signal(int(signal.SIGBUS), handler)


_kept: list[object] = []

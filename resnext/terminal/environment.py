"""Environment variables that the libraries read when they are loaded, set before they are."""

import os
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Final

# What says how OpenMP's threads wait: the standard's variable, GNU's, and LLVM's and Intel's.
WAITING: Final = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")


def let_waiting_threads_sleep(environment: MutableMapping[str, str]) -> None:
    """Let OpenMP's threads sleep while they wait for each other, unless the user says how they do.

    By default those of GNU's library, which PyTorch brings along, look for up to 3 ms whether the
    others are there. Where another process has their processor, the ones that look keep it from
    those that are looked for: a training took three times as long on a busy machine
    (`benchmarks/results/waiting.json`). `OMP_WAIT_POLICY` is the standard's: GNU's, LLVM's and
    Intel's libraries read it when they are loaded, so this comes before torch is imported.

    Args:
        environment: of this process and those that it starts; changed.
    """
    if not any(name in environment for name in WAITING):
        environment["OMP_WAIT_POLICY"] = "PASSIVE"


def keep_compiled_code(environment: MutableMapping[str, str]) -> None:
    """Let torch.compile keep its code in the user's cache folder, unless another is stated.

    PyTorch's own place is in the folder for temporary files, which is emptied when the machine
    starts, and where another user may have made a folder of that name before. What Triton compiles
    for it goes there too; what Triton compiles without it is in the user's home already.

    Args:
        environment: of this process and those that it starts; changed, unless that folder cannot be
            written.
    """
    if "TORCHINDUCTOR_CACHE_DIR" in environment:
        return
    from platformdirs import user_cache_path

    folder = user_cache_path("resnext", appauthor=False) / "compiled"
    with suppress(OSError):  # then PyTorch's own place is left
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            environment["TORCHINDUCTOR_CACHE_DIR"] = str(folder)

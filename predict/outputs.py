"""Where predictions go: stdout, files, or both; each file appears whole or not at all."""

import os
import sys
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from predict.arrays import npy_rows, tensor_rows
from predict.errors import DestinationError
from predict.page import PageWriter, require_page_folder
from predict.prediction import Prediction
from predict.request import PredictionRequest
from predict.tables import parquet_features, parquet_rows, require_pyarrow
from predict.text_rows import Add, csv_rows, json_lines, json_object
from resnext.files import whole_file
from resnext.terminal.image_bar import Advance
from resnext.terminal.signals import signals_held

# Suffix -> what writes rows of answers, and features.
ROWS: Final = {".csv": csv_rows, ".jsonl": json_lines, ".parquet": parquet_rows}
FEATURES: Final = {".npy": npy_rows, ".safetensors": tensor_rows, ".parquet": parquet_features}

# What the inputs of the classifier are called in a file of features.
CLASSIFIER: Final = "fc"
PAUSE: Final = 0.1  # seconds between two movements of the progress bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """The files that are to be written.

    Attributes:
        output: rows of answers; or None.
        features: features of the pictures; or None.
        html: folder of a page; or None.
    """

    output: Path | None = None
    features: Path | None = None
    html: Path | None = None

    @property
    def files(self) -> dict[str, Path]:
        """Return the files by their options."""
        both = {"--output": self.output, "--features": self.features}
        return {option: path for option, path in both.items() if path is not None}

    @property
    def all(self) -> dict[str, Path]:
        """Return the files and the folder by their options."""
        return self.files if self.html is None else {**self.files, "--html": self.html}

    def check(self) -> None:
        """Check all that can be checked without the input.

        Raises:
            DestinationError: a name without a format, a folder that is not there, a folder in place
                of a file, or two outputs of one name.
        """
        known = {"--output": [*ROWS], "--features": [*FEATURES]}
        for option, path in self.files.items():
            where = f"{option} {path}"
            if path.suffix not in known[option]:
                raise DestinationError(
                    f"{where}: a name that ends in {', '.join(known[option])} expected"
                )
            if path.is_dir():
                raise DestinationError(f"{where}: a file expected, found a folder")
            if not path.parent.is_dir():
                raise DestinationError(
                    f"{where}: a file in a folder that is there expected, found no folder "
                    f"{path.parent}; make it first"
                )
            if path.suffix == ".parquet":
                require_pyarrow(where)
        if self.html is not None:
            require_page_folder(self.html)
        taken: dict[Path, str] = {}
        for option, path in self.all.items():
            other = taken.setdefault(_place(path), option)
            if other != option:
                raise DestinationError(
                    f"{other} and {option}: outputs of two names expected, found {path} for both"
                )
            if self.html is not None and _place(self.html) in _place(path).parents:
                raise DestinationError(
                    f"{option} {path}: a file outside of the page's folder {self.html} expected, "
                    "which is replaced as a whole; name another folder"
                )

    def check_apart(self, request: PredictionRequest, given: Iterable[str]) -> None:
        """Check that no output is also read.

        Args:
            request: what is read.
            given: what the command line names as pictures.

        Raises:
            DestinationError: one is.
        """
        if self.html is not None:
            inside = f"{self.html.absolute()}{os.sep}"
            for name in request.pictures.ids:
                if os.path.abspath(name).startswith(inside):  # noqa: PTH100 - of many
                    raise DestinationError(
                        f"--html {self.html}: a folder without pictures that are read expected; "
                        f"found {name}"
                    )
        for option, path in self.files.items():
            if not path.exists():
                continue
            read = set(given)
            ends = (path.suffix, path.suffix + "/")
            for name in request.pictures.ids:
                whole, end, _ = name.partition(ends[1])
                if end or name.endswith(ends[0]):
                    read.add(whole + ends[0] if end else name)
            if request.file is not None:
                read.add(str(request.file))
            for name in read:
                if os.path.exists(name) and path.samefile(name):  # noqa: PTH110 - of many
                    raise DestinationError(
                        f"{option} {path}: another file than those that are read expected; it is "
                        f"{name} itself"
                    )


@contextmanager
def opened_files(where: Destinations, request: PredictionRequest) -> Iterator[list[Add]]:
    """Yield what writes a prediction to each file; they take their names when the block ends.

    Raises:
        DestinationError: a format cannot hold what is to be written.
        OSError: a file cannot be written.
    """
    with ExitStack() as files:
        added: list[Add] = []
        if where.output is not None:
            file = files.enter_context(whole_file(where.output))
            added.append(files.enter_context(ROWS[where.output.suffix](file, request.top)))
        if where.features is not None:
            file = files.enter_context(whole_file(where.features))
            write = FEATURES[where.features.suffix](
                file,
                request.pictures.ids,
                width=request.width,
                layer=request.config.layer or CLASSIFIER,
            )
            added.append(files.enter_context(write))
        yield added


def page_of(folder: Path, request: PredictionRequest) -> PageWriter:
    """Return what writes the page of a prediction, to be entered."""
    config, row = request.config, request.preprocessing
    scale = f" of {row.scale}" if row.scale else ""
    crops = "ten crops, " if config.crops == 10 else ""
    facts = [f"{crops}crop {row.crop}{scale}", f"{row.pixels} pixels", config.precision]
    return PageWriter(folder, title=request.checkpoint.name, facts=facts)


class Stdout:
    """Takes bytes for stdout, and hands each piece on at once."""

    def __init__(self) -> None:
        """Begin with a stdout that works, unless the command was started with it closed."""
        self._is_open = sys.stdout is not None

    def write(self, data: bytes, /) -> None:
        """Write them; nothing more is written once that has failed.

        Raises:
            OSError: stdout cannot be written; names it.
        """
        if not self._is_open:
            return
        try:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except OSError as error:
            self._is_open = False
            raise OSError(error.errno, error.strerror, "stdout") from error


@contextmanager
def stdout_rows(request: PredictionRequest, *, as_json: bool) -> Iterator[Add]:
    """Yield what writes a prediction to stdout: a row of CSV, or an item of one JSON object."""
    with json_object(Stdout()) if as_json else csv_rows(Stdout(), request.top) as add:
        yield add


@dataclass(slots=True, kw_only=True)
class Written:
    """How far the work went.

    Attributes:
        pictures: that are written.
        failures: those of them that could not be read.
        stopped: Ctrl-C or a signal that ended it early; or None.
        lost: why stdout takes no more, while the files went on; or None.
    """

    pictures: int = 0
    failures: int = 0
    stopped: KeyboardInterrupt | None = None
    lost: OSError | None = None


def write_all(
    predictions: Generator[Prediction, None, None],
    writes: Sequence[Add],
    show: Add | None,
    advance: Advance,
) -> Written:
    """Write each prediction as it comes; what is done is whole in all files.

    Args:
        predictions: closed at the end.
        writes: writes a prediction to each file.
        show: writes it to stdout; or None.
        advance: shows the progress.

    Raises:
        KeyboardInterrupt: nothing was done yet.
        OSError: a file cannot be written; or stdout cannot, where there are no files.
        ResnextError: what the predictions raise.
    """
    from resnext.loader.batches import memory_explained  # needs torch, as the predictions do

    done, waiting, shown = Written(), 0, time.monotonic()
    try:
        with memory_explained(), closing(predictions) as found:
            for prediction in found:
                with signals_held():
                    for write in writes:
                        write(prediction)
                    done.pictures += 1
                    done.failures += prediction.error is not None
                try:
                    if show is not None and done.lost is None:
                        show(prediction)
                except OSError as error:  # a reader that went away must not take files along
                    if not writes:
                        raise
                    done.lost = error
                waiting += 1
                if (now := time.monotonic()) - shown > PAUSE:
                    advance(waiting)
                    waiting, shown = 0, now
    except KeyboardInterrupt as error:
        if not done.pictures:
            raise
        done.stopped = error
    return done


def _place(path: Path) -> Path:
    return path.parent.resolve() / path.name

"""The command `resnext-predict`."""

import os
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from resnext.terminal import options as shared
from resnext.terminal.command import (
    BAD_INPUT,
    Command,
    NamedPath,
    end_job,
    say,
    terminal_width,
)
from resnext.terminal.environment import keep_compiled_code
from resnext.terminal.text import number

if TYPE_CHECKING:
    from predict.options import PredictionConfig
    from predict.outputs import Destinations
    from predict.request import PredictionRequest
    from predict.text_rows import Add
    from resnext.distributed.job import Job
    from resnext.terminal.watcher import Watcher

PROG: Final = "resnext-predict"
STDIN: Final = "-"


@click.command(PROG, cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--output",
    type=NamedPath(),
    metavar="FILE",
    help="Write a row a picture to a .csv, .jsonl or .parquet file, in place of stdout.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object: predictions, each with image and top.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    metavar="K",
    help="So many classes of each picture, at most all.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="P",
    help="Leave out classes of a smaller probability, 0 to 1.",
)
@click.option(
    "--features",
    type=NamedPath(),
    metavar="FILE",
    help="Write the inputs of the classifier, float32, to a .npy, .safetensors or .parquet file, "
    "in the order of the rows.",
)
@click.option(
    "--layer",
    metavar="NAME",
    help="With --features: the average over the map of this stage instead, layer3 say.",
)
@click.option(
    "--html",
    type=NamedPath(),
    metavar="DIR",
    help="Write a page with the pictures and their answers, to sort and search: DIR/index.html.",
)
@click.option(
    "-0",
    "null",
    is_flag=True,
    help="The list on stdin has a NUL behind each path, as of find -print0.",
)
@click.option(
    "--pipeline",
    type=shared.PIPELINES,
    help="Whose pixels, for comparison: the original's, those of torchvision and timm (Pillow), or "
    "of MXNet and Caffe (OpenCV).  [default: the preprocessing's own]",
)
@shared.crops("logits and features are averaged")
@shared.PREPROCESSING
@shared.SCALE
@shared.CROP
@shared.PRECISION
@shared.COMPILE
@shared.BATCH_SIZE
@shared.WORKERS
@shared.DEVICE
@shared.CACHE
@shared.STREAM
@click.version_option(package_name="resnext", prog_name=PROG)
@click.argument("checkpoint", metavar="CHECKPOINT")
@click.argument("images", nargs=-1, metavar="IMAGE...")
def main(
    *,
    checkpoint: str,
    images: tuple[str, ...],
    output: Path | None,
    features: Path | None,
    html: Path | None,
    as_json: bool,
    null: bool,
    **options: Any,
) -> int:
    """Name what pictures show, and write their features.

    CHECKPOINT is a .safetensors, .t7 or PyTorch file, or one of MXNet or Caffe, an address on the
    Hub (hf://OWNER/MODEL), or the name of a published network, which is downloaded. IMAGE is a
    picture, a folder (walked whole, with its subfolders), a tar, WebDataset shards, a Parquet file,
    an address of one of these (https://, hf://datasets/OWNER/NAME, s3:// ...), or - for a list of
    paths on stdin.

    On a terminal the likeliest classes are printed with bars. Elsewhere, as in a pipe, stdout gets
    a row of CSV a picture. Ctrl-C keeps the rows that are done.

    The exit code is 0 if every picture was read, and 2 if one was not, or something was wrong with
    the input; the others are answered all the same.
    """
    if options["layer"] is not None and features is None:
        raise click.UsageError("--layer without --features, which it is about; give both")
    if not images:
        if not null:
            raise click.UsageError("Missing argument 'IMAGE...': pictures, folders, or - for stdin")
        images = (STDIN,)
    if null and STDIN not in images:
        raise click.UsageError("-0 without - among the pictures, whose list on stdin it is about")
    if images.count(STDIN) > 1:
        raise click.UsageError("- given twice; stdin can be read once")

    from predict.outputs import Destinations

    where = Destinations(output=output, features=features, html=html)
    where.check()
    config = _config(features=features is not None, **options)
    if config.compiled:
        keep_compiled_code(os.environ)

    # Here, because `--help` must not wait for torch.
    from resnext.distributed.job import join

    with join() as job:
        watcher = _watcher(job)
        given, listed = _given(images, job, null=null)
        code = _predict(checkpoint, given, listed, config, where, job, watcher, as_json=as_json)
    end_job(PROG, job, code)
    return code


def _config(*, crops: str, preprocessing: str | None, **options: Any) -> "PredictionConfig":
    from predict.options import PredictionConfig
    from resnext.preprocessing import named_preprocessing

    return PredictionConfig(
        crops=int(crops),
        preprocessing=None if preprocessing is None else named_preprocessing(preprocessing),
        **options,
    )


def _watcher(job: "Job") -> "Watcher":
    from resnext.download.bar import download_bar
    from resnext.terminal.watcher import Watcher

    if not job.leads:
        return Watcher()
    return Watcher(note=lambda text: say(PROG, text), bar=download_bar)


def _given(images: tuple[str, ...], job: "Job", *, null: bool) -> tuple[list[str], range]:
    """Return what is read, and the places of the paths that a list on stdin names."""
    if STDIN not in images:
        return list(images), range(0)
    from predict.path_list import read_list

    names: list[str] = job.tell(read_list(null=null) if job.leads else [])
    place = images.index(STDIN)
    given = [*images[:place], *names, *images[place + 1 :]]
    return given, range(place, place + len(names))


def _predict(
    checkpoint: str,
    given: list[str],
    listed: range,
    config: "PredictionConfig",
    where: "Destinations",
    job: "Job",
    watcher: "Watcher",
    *,
    as_json: bool,
) -> int:
    """Read, compute and write; return the exit code."""
    from predict.outputs import opened_files, page_of, stdout_rows, write_all
    from predict.request import checked_request, prediction_begun
    from predict.screen import has_blocks, no_progress, progress_of, shown_on_terminal

    request = checked_request(checkpoint, given, config, watcher, literal=listed)
    where.check_apart(request, given)
    if not job.leads:
        if where.html:
            request = _with_thumbnails(request, job, "")
        with prediction_begun(request, job) as begun:
            from predict.prediction_pass import command_predictions

            for _ in command_predictions(request, job, watcher, begun):
                pass
        return 0
    columns = terminal_width()
    width = None if as_json or where.output else columns
    with ExitStack() as open_outputs:
        writes = open_outputs.enter_context(opened_files(where, request))
        if where.html:
            page = open_outputs.enter_context(page_of(where.html, request))
            writes.append(page.add)
            request = _with_thumbnails(request, job, page.thumbnails.path)
        count = len(request.pictures)
        blocks = width is not None and has_blocks()
        progress = progress_of(count, None if width is None else request.top)
        if as_json and columns is not None:  # the object would have the bar in it
            progress = no_progress()
        advance = open_outputs.enter_context(progress)
        show: Add | None = None
        if width is not None:
            show = shown_on_terminal(width, config.threshold, advance, blocks=blocks)
        elif as_json or not where.output:
            show = open_outputs.enter_context(stdout_rows(request, as_json=as_json))

        begun = open_outputs.enter_context(prediction_begun(request, job))

        # Here, because what cannot be written is refused before torch is waited for.
        from predict.prediction_pass import command_predictions

        found = command_predictions(request, job, watcher, begun)
        done = write_all(found, writes, show, advance)
    for option, path in where.all.items():
        if done.stopped is not None:
            say(PROG, f"{option} {path} has the {done.pictures:,} pictures that were done")
        elif show is None:
            click.echo(f"{path}: {number(done.pictures, 'picture')}")
    if done.stopped is not None:
        raise done.stopped
    if done.lost is not None:
        raise done.lost
    if done.failures:
        say(
            PROG,
            f"{done.failures:,} of {number(len(request.pictures), 'picture')} could not be read, "
            "as listed",
        )
    return BAD_INPUT if done.failures else 0


def _with_thumbnails(request: "PredictionRequest", job: "Job", path: str) -> "PredictionRequest":
    """Let all processes keep small pictures in the folder of the page that rank 0 writes."""
    from predict.thumbnails import ThumbnailFolder

    return replace(request, thumbnails=ThumbnailFolder(path=job.tell(path)))


if __name__ == "__main__":
    main()

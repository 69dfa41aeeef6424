"""The command `resnext-validate`."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from resnext.terminal import options as shared
from resnext.terminal.command import NamedPath, end_job, say
from resnext.terminal.environment import keep_compiled_code
from resnext.terminal.timeline import Step
from validate.output import (
    AS_JSON,
    OUTPUT,
    PROG,
    STRICT,
    BesideReports,
    Output,
    ReportingCommand,
    command_line,
    reason,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from resnext.distributed.job import Job
    from validate.options import MeasurementConfig
    from validate.verdicts.results import Report

PATH: Final = NamedPath()


@click.command(PROG, cls=ReportingCommand, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data",
    required=True,
    metavar="IMAGES",
    help="Class folders or a folder above them, a flat folder (with --labels), a tar of either, "
    "WebDataset shards (folder, pattern or URL), Hugging Face parquet files, cifar10, cifar100, or "
    "an address: hf://datasets/OWNER/NAME[@REVISION][/PATH], s3://, gs://, az:// ...",
)
@click.option(
    "--labels",
    type=PATH,
    metavar="FILE",
    help="Labels of images without class folders: CSV of file and wnid or index. Files called "
    "ILSVRC2012_val_*.JPEG need none.",
)
@click.option(
    "--split",
    type=PATH,
    metavar="FILE.csv",
    help="Measure a part of --data: the split.csv that a training with --val-fraction leaves.",
)
@click.option(
    "--part",
    type=click.Choice(["train", "val"]),
    help="Which part of --split.  [default: val, which was not trained on]",
)
@click.option(
    "--claims",
    type=PATH,
    metavar="FILE.toml",
    help="Your own networks: preprocessing and claims, in the form of the built-in table.",
)
@click.option(
    "--write-claims",
    type=PATH,
    metavar="FILE.toml",
    help="Write what is measured as claims, with comments; the file must not be there yet.",
)
@click.option(
    "--card",
    type=PATH,
    metavar="FOLDER",
    help="Write what is measured into FOLDER/README.md, the model card of the weights in FOLDER; "
    "without a CHECKPOINT these are measured.",
)
@STRICT
@click.option(
    "--pipeline",
    "pipelines",
    multiple=True,
    type=shared.PIPELINES,
    help="Whose pixels, for comparison: the original's, those of torchvision and timm (Pillow), or "
    "of MXNet and Caffe (OpenCV); given twice, both.  [default: those of the network's claims]",
)
@shared.crops("logits are summed")
@shared.PREPROCESSING
@shared.SCALE
@shared.CROP
@shared.PRECISION
@shared.COMPILE
@click.option(
    "--compare-precision",
    type=click.IntRange(min=1),
    metavar="N",
    help="Decide N images in plain fp32 too, and count the decisions that --precision or --compile "
    "changed.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Measure a random sample of N images."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the sample."
)
@click.option(
    "--ledger",
    type=PATH,
    metavar="FILE",
    help="Keep every decision there; a run that was cut off goes on from it. One named .gz or "
    ".zst is compressed when all images are measured.",
)
@click.option(
    "--canary/--no-canary",
    default=True,
    show_default=True,
    help="Stop early where nearly everything is wrong.",
)
@shared.BATCH_SIZE
@shared.WORKERS
@shared.DEVICE
@shared.CACHE
@shared.STREAM
@OUTPUT
@AS_JSON
@click.version_option(package_name="resnext", prog_name=PROG)
@click.argument("checkpoints", nargs=-1, metavar="[CHECKPOINT]...")
def main(
    *,
    output: Path | None,
    write_claims: Path | None,
    card: Path | None,
    as_json: bool,
    checkpoints: tuple[str, ...],
    **options: Any,
) -> int:
    """Measure the error of checkpoints and judge the claims made about them.

    CHECKPOINT is a .safetensors, .t7 or PyTorch file, or one of MXNet or Caffe, a folder of them,
    an address on the Hub (hf://OWNER/MODEL) or the name of a published network, which is
    downloaded; without one, every checkpoint in the current folder is measured (an original beside
    its own conversion is left out), all in one pass over the images.

    The exit code is 0 if every claim that could be judged was reproduced, 1 if one was not, and 2
    if something was wrong with the input; unreadable images are reported, with 2, at the end. A
    claim that could not be judged (a part of the images, another crop) passes unless --strict.
    """
    out = Output.prepared(output, {**options, "write_claims": write_claims})
    with out.failure_reported():
        if card is not None and not checkpoints:
            checkpoints = (str(card),)
        config = _config(checkpoints=checkpoints, **options)
        written = BesideReports(claims=write_claims, card=card, ledger=config.ledger)
        if config.compiled:
            keep_compiled_code(os.environ)

        # Here, because `--help` must not wait for torch.
        from resnext.distributed.job import join

        with join() as job:
            report = _measure(config, job, out, written)
    code = 0
    if report is not None:
        report = replace(report, timeline=out.timeline)
        code = _tell(report, out, written, as_json=as_json)
    end_job(PROG, job, code)
    return code


def _config(
    *,
    crops: str,
    pipelines: tuple[str, ...],
    compare_precision: int | None,
    preprocessing: str | None,
    part: str | None,
    **options: Any,
) -> "MeasurementConfig":
    from resnext.preprocessing import Pipeline, named_preprocessing
    from validate.options import MeasurementConfig

    if compare_precision and options["precision"] == "fp32" and not options["compiled"]:
        raise click.UsageError(
            "--compare-precision needs another --precision than fp32, or --compile"
        )
    if part and options["split"] is None:
        raise click.UsageError("--part needs --split, the file that names the parts")
    return MeasurementConfig(
        part=part or "val",
        crops=int(crops),
        pipelines=tuple(Pipeline(name) for name in dict.fromkeys(pipelines)),
        compare_precision=compare_precision or 0,
        preprocessing=None if preprocessing is None else named_preprocessing(preprocessing),
        command=command_line(),
        **options,
    )


def _measure(
    config: "MeasurementConfig", job: "Job", out: Output, written: BesideReports
) -> "Report | None":
    from resnext.download.bar import download_bar
    from resnext.terminal.image_bar import image_bar
    from resnext.terminal.watcher import Watcher
    from validate.early_reading import measurement_begun
    from validate.request import checked_request

    watcher = Watcher()
    if job.leads:

        def note(text: str) -> None:
            out.notes.append(text)
            say(PROG, text)

        watcher = Watcher(note=note, progress=image_bar, bar=download_bar, mark=out.timeline.mark)
    request = checked_request(config, watcher)
    if job.leads:
        written.check(request)

    watcher.mark(Step.CHECKED)
    with measurement_begun(request, job) as begun:
        # Here, because a mistyped path must not wait for torch.
        from validate.measurement import measure

        watcher.mark(Step.IMPORTED)
        return measure(request, job, watcher, begun)


def _tell(report: "Report", out: Output, written: BesideReports, *, as_json: bool) -> int:
    """Write and print the report; return the exit code."""
    from validate.reports import to_json, write_reports
    from validate.reports.sentences import exit_code
    from validate.reports.table import print_table
    from validate.verdicts.claim_groups import open_claims

    def show() -> None:
        try:
            if as_json:
                click.echo(json.dumps(to_json(report), indent=2))
            else:
                print_table(report)
        except OSError as error:
            raise OSError(error.errno, error.strerror, "stdout") from error

    # A stdout that went away must not take the reports along, nor a full disk the table.
    error = _first_error(show, *written.actions(report))
    if error is not None:
        report = replace(report, lost=reason(error))
    if out.folder is not None:
        with out.failure_reported():
            write_reports(report, out.folder)
    if error is not None:
        raise error
    if failed := len(report.decisions.failures):
        say(
            PROG,
            f"{failed} of {len(report.decisions.positions)} images could not be read, as listed",
        )
    for text in open_claims(report) if report.strict else ():
        say(PROG, f"--strict: {text}")
    return exit_code(report)


def _first_error(*actions: "Callable[[], None]") -> BaseException | None:
    """Call all, and return the first error that one of them raised; None if none did."""
    errors = []
    for action in actions:
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - raised again by who calls this
            errors.append(error)
    return errors[0] if errors else None


if __name__ == "__main__":
    main()

"""The command `resnext-train`."""

import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from resnext.terminal.command import BAD_INPUT, Command, end_job, say, terminal_width
from resnext.terminal.environment import keep_compiled_code
from resnext.terminal.text import printable, wrapped
from train.flags import GROUPS, options
from train.other_names import OTHER_NAMES
from train.recipe_flags import CHANGES, changes_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resnext.distributed.job import Job
    from resnext.terminal.watcher import Watcher
    from train.input.architecture import Architecture
    from train.input.options import TrainingConfig
    from train.run.run import Run

PROG: Final = "resnext-train"


# Where the context of the command keeps the words that were typed.
TYPED: Final = "train.typed"


class GroupedCommand(Command):
    """A command that shows its options in groups, and keeps the words that were typed."""

    other_names = OTHER_NAMES

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words of a command line."""
        ctx.meta[TYPED] = list(args)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, each group under its name."""
        groups = [*GROUPS, "Help"]
        sizes = [*map(len, GROUPS.values()), len(self.get_params(ctx))]
        records = iter([p.get_help_record(ctx) for p in self.get_params(ctx)])
        for name, size in zip(groups, sizes, strict=True):
            rows = [record for _, record in zip(range(size), records, strict=False) if record]
            with formatter.section(name):
                formatter.write_dl(rows)


@click.command(PROG, cls=GroupedCommand, context_settings={"help_option_names": ["-h", "--help"]})
@options
@click.version_option(package_name="resnext", prog_name=PROG)
def main(**arguments: Any) -> None:
    """Fine-tune a checkpoint on a folder of pictures, or train as in 2017.

    The folder of the run gets best.safetensors and last.safetensors, metrics.jsonl, training.html,
    and the state from which --resume DIR goes on, after kill -9 too. SIGTERM ends a run after the
    step that it is in, with everything saved and exit code 0; Ctrl-C does too, with exit code 2.

    Several GPUs or machines: torchrun --nproc-per-node N --no-python resnext-train ...

    The exit code is 0 if the run is done, or was stopped by SIGTERM and is saved, and 2 if
    something was wrong, or nothing is saved yet.
    """
    typed = click.get_current_context().meta[TYPED]

    # Here, because `--help` must not wait for torch.
    from resnext.distributed.job import join

    with join(learns=True) as job:
        config = _config(arguments, typed, job)
        if config.compiled:
            keep_compiled_code(os.environ)
        _train(config, job)
    end_job(PROG, job)


def _config(arguments: dict[str, Any], typed: list[str], job: "Job") -> "TrainingConfig":
    """Return the options: those that were typed, and, for a run that goes on, its others too."""
    from resnext.distributed.job import restarts
    from train.resumption import completed

    if arguments["resume"] is None and not restarts():
        return config_of(**arguments)
    config = config_of(**completed(main, arguments, typed, job))
    command = shlex.join([PROG, *config.command_line.words, f"--output={config.output}"])
    return replace(config, resume=True, force=config.force and not restarts(), command=command)


def config_of(**arguments: Any) -> "TrainingConfig":
    """Return the options of the command as a configuration."""
    from resnext.download import without_password
    from train.input.command_line import CommandLine
    from train.input.options import TrainingConfig
    from train.resumption import usual_folder, words_of

    words = words_of(main, arguments)
    if arguments["data"] is None:
        raise click.UsageError("Missing option '--data'")
    changes = {name: arguments.pop(name) for name in CHANGES}
    output = arguments.pop("output") or usual_folder(arguments["data"])
    # `crop` is how the recipe crops, here as in the recipe.
    side = arguments.pop("side")
    names = ("depth", "base_width", "cardinality", "kind", "shortcut")
    architecture = {name: arguments.pop(name) for name in names}
    return TrainingConfig(
        **arguments | {"resume": arguments["resume"] is not None},
        crop=side,
        output=output,
        changes=changes_of(changes),
        architecture=_architecture(architecture),
        command=shlex.join([PROG, *map(without_password, sys.argv[1:])]),
        command_line=CommandLine(words=words, folder=str(Path.cwd())),
    )


def _architecture(given: "Mapping[str, Any]") -> "Architecture | None":
    from train.input.architecture import Architecture

    stated = {name: value for name, value in given.items() if value is not None}
    if stated and "depth" not in stated:
        raise click.UsageError("--depth is missing: it names the network to begin anew with")
    return Architecture(**stated) if stated else None


def _train(config: "TrainingConfig", job: "Job") -> None:
    from resnext.header import TRAINING_STATE_FILE
    from train.request import checked_request
    from train.run.stop import Stop, Stopped

    watcher = _watcher(job)
    stop = Stop(watcher.note)
    try:
        with stop.listening():
            request = checked_request(config, job, watcher.bar)

            # Here, because a mistyped path must not wait for torch.
            from train.training import train

            run = train(request, job, watcher, stop)
    except Stopped:
        # A run that was to be resumed still has its state, even if no step was taken.
        saved = stop.waits or (config.resume and (config.output / TRAINING_STATE_FILE).exists())
        if job.leads and saved:
            say(PROG, f"stopped; {config.output} has the run up to here, and --resume goes on")
        elif job.leads:
            say(PROG, "stopped before the first step; nothing was written")
        if stop.by_hand or not saved:
            sys.exit(BAD_INPUT)
        return
    if run is not None:
        _print_results(run)


def _print_results(run: "Run") -> None:
    from train.run.messages import closing_lines

    for line in closing_lines(run.task, run.progress):
        _print(line)


def _print(text: str, *, at: str = " ", indent: str = "  ") -> None:
    """Write a line to stdout; if that fails (`| head`, a full disk), the run goes on.

    On a terminal it is broken where `at` stands, and goes on behind `indent`.
    """
    text, width = printable(text), terminal_width()
    try:
        click.echo(text if width is None else wrapped(text, width, at=at, indent=indent))
    except OSError as error:
        say(PROG, f"stdout: {error.strerror}; the run goes on without it")
        # The interpreter flushes the buffer at its end: to the null device.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _watcher(job: "Job") -> "Watcher":
    from resnext.download.bar import download_bar
    from resnext.terminal.image_bar import image_bar
    from resnext.terminal.watcher import Watcher
    from train.run.messages import epoch_line

    if not job.leads:
        return Watcher()
    return Watcher(
        note=lambda text: say(PROG, text),
        plan=_print,
        progress=image_bar,
        epoch=lambda row, recipe: _print(epoch_line(row, recipe), at="  "),
        bar=download_bar,
    )


if __name__ == "__main__":
    main()

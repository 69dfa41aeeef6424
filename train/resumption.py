"""The options of a run that goes on: those that it was given, and those that are typed now."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from resnext.download import without_password
from resnext.fields import cut
from resnext.header import TRAINING_STATE_FILE
from train.option_types import BARE
from train.recipe.recipe import RecipeError
from train.run.folder import StateError, saved_command_line

if TYPE_CHECKING:
    from resnext.distributed.job import Job

# Options that are about the folder of a run, and are not saved in it.
OF_FOLDER: Final = ("output", "resume", "force")


def completed(
    command: click.Command, arguments: Mapping[str, Any], typed: list[str], job: "Job"
) -> dict[str, Any]:
    """Return the values of all options of a run that goes on, or begins if there is none yet.

    What is typed comes after what the run was given: it replaces that, and what changes the run is
    refused when the state is compared (`train.run.state.State.check`).

    Args:
        command: parses words.
        arguments: the values of the typed words.
        typed: the words.
        job: the processes of the run; the first reads its folder.

    Raises:
        StateError: the state is damaged, or there is none that says what is trained on what.
        RecipeError: two folders are named.
        click.UsageError: no folder is named.
    """
    folder = run_folder(arguments)
    words: list[str] | None = None
    if job.leads and (saved := saved_command_line(folder)) is not None:
        words = list(saved.found_here())
    words = job.tell(words)
    path = folder / TRAINING_STATE_FILE
    values = dict(arguments) if words is None else _parsed(command, [*words, *typed], path)
    if values["data"] is None and words is None:
        raise StateError(
            f"{path}: the state of a run expected, found nothing there; with --data and the other "
            "options of a run --resume begins one"
        )
    if values["data"] is None:
        raise StateError(
            f"{path}: the options of the run expected, found none, as earlier versions saved it; "
            "give those of its command beside --resume"
        )
    return values | {"output": folder}


def run_folder(arguments: Mapping[str, Any]) -> Path:
    """Return the folder of the run that is to go on.

    Raises:
        RecipeError: two folders are named.
        click.UsageError: none is named.
    """
    output, named, data = (arguments[name] for name in ("output", "resume", "data"))
    resumed = None if named in (None, BARE) else named
    if resumed is not None and output is not None and resumed.resolve() != output.resolve():
        raise RecipeError(
            f"--resume {resumed} or --output {output} expected, found both: a run goes on in its "
            "own folder"
        )
    if resumed is None and output is None and data is None:
        raise click.UsageError("--resume: the folder of a run expected behind it, found none")
    found: Path = resumed or output or usual_folder(data)
    return found


def usual_folder(data: str) -> Path:
    """Return the folder of a run without --output: named by its images, in `runs`."""
    name = re.sub(r"[^\w.-]+", "_", Path(data.rstrip("/")).stem).strip("._")
    return Path("runs") / (name or "run")


def words_of(command: click.Command, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the options that differ from their defaults, one word each: --epochs=3, --compile."""
    words = []
    for option in command.params:
        value = arguments.get(str(option.name))
        if not isinstance(option, click.Option) or option.name in OF_FOLDER:
            continue
        if value is None or value == option.default:
            continue
        if option.is_flag:
            words += option.opts if value else option.secondary_opts
        else:
            words.append(f"{option.opts[0]}={without_password(str(value))}")
    return tuple(words)


def _parsed(command: click.Command, words: list[str], path: Path) -> dict[str, Any]:
    """Return the values of the words that a state holds and of those that were typed.

    Raises:
        StateError: the state holds options that this version does not have.
    """
    try:
        with command.make_context(command.name, words) as context:
            return context.params
    except (click.UsageError, click.exceptions.Exit) as error:
        raise StateError(
            f"{path}: options of this version expected, found others ({cut(str(error))}); give all "
            "options of the run"
        ) from error

"""The command `resnext-validate`."""

import json
import sys
from pathlib import Path
from typing import Final

import click

from resnext.shell import Command, exit_on_error

PROG: Final = "resnext-validate"
CLAIM_FAILED: Final = 1


@click.command(PROG, cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Images: a folder for each class; the sorted names are the order of the classes.",
)
@click.option(
    "--claims",
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="Your own networks: preprocessing and claims, in the form of the built-in table.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="Images that go through a network at once.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Processes that read and decode images; 0 does it in turn with the network.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.version_option(package_name="resnext", prog_name=PROG)
@click.argument("checkpoints", nargs=-1, metavar="[CHECKPOINT]...")
def main(
    *,
    data: Path,
    claims: Path | None,
    batch_size: int,
    workers: int,
    as_json: bool,
    checkpoints: tuple[str, ...],
) -> None:
    """Measure the error of checkpoints and judge the claims made about them.

    CHECKPOINT is a .safetensors or .t7 file, or a folder of them; without one, every checkpoint
    in the current folder is measured.

    The exit code is 0 if every claim that could be judged was reproduced, 1 if one was not, and 2
    if something was wrong with the input.
    """
    with exit_on_error(PROG):
        # Here, because `--help` must not wait for torch.
        from validate.measurement import Config, measure
        from validate.report import to_json
        from validate.terminal import print_table

        config = Config(
            data=data,
            claims=claims,
            batch_size=batch_size,
            workers=workers,
            checkpoints=checkpoints,
        )
        results = measure(config, note=lambda text: click.echo(f"{PROG}: {text}", err=True))
        if as_json:
            click.echo(json.dumps(to_json(results), indent=2))
        else:
            print_table(results)
    sys.exit(CLAIM_FAILED if any(result.failed for result in results) else 0)


if __name__ == "__main__":
    main()

"""Run the benchmarks that are named, or all that need no GPU: `python -m benchmarks [NAME ...]`."""

from importlib import import_module

import click

NAMES = (
    "compiled",
    "convert",
    "decisions",
    "feeding",
    "finetune",
    "growth",
    "layers",
    "network",
    "pinning",
    "pixels",
    "ports",
    "prediction",
    "scaling",
    "start",
    "step",
    "train",
    "validation",
    "waiting",
)


@click.command(epilog=f"The names are {', '.join(NAMES)}.")
@click.argument("names", nargs=-1, type=click.Choice(NAMES), metavar="[NAME]...")
def main(names: tuple[str, ...]) -> None:
    """Run the benchmarks that are named, or all that need no GPU."""
    for name in names or NAMES:
        print(f"{name}:", flush=True)
        import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")

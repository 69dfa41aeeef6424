"""The dialogue of `--push`: what is said, what is asked, and what is uploaded then."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import click
from click.core import ParameterSource

from convert.options import ConversionConfig
from resnext.terminal.text import number, printable

# Importing this module must be cheap: the command does so before it knows that there is work.
if TYPE_CHECKING:
    from convert.push.repository import HubRepository, UploadedFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushing:
    """An upload that was asked for.

    Attributes:
        repository: as it was when the command began.
        folder: the source is the folder to upload, and nothing is converted.
        force: files of others in the repository may be replaced.
        yes: nothing is asked.
    """

    repository: "HubRepository"
    folder: bool
    force: bool
    yes: bool

    @classmethod
    def begun(
        cls,
        name: str,
        sources: tuple[str, ...],
        config: ConversionConfig,
        *,
        public: bool,
        yes: bool,
    ) -> Self:
        """Check all that can be checked before a conversion, and look at the repository.

        Raises:
            click.UsageError: options that do not go together.
            ResnextError: the Hub does not take an upload to that name.
        """
        from convert.push.repository import check_name, find_repository, is_of_ours

        if len(sources) > 1:
            raise click.UsageError("--push uploads one folder; give one SOURCE")
        context = click.get_current_context()
        chosen = context.get_parameter_source("format_") is not ParameterSource.DEFAULT
        folder = not chosen and is_of_ours(Path(sources[0]))
        if not folder and config.format != "timm":
            raise click.UsageError("--push uploads what --to timm writes; add --to timm")
        check_name(name)
        for option, value in (("--preprocessing", config.preprocessing), ("--as", config.stated)):
            if folder and value is not None:
                raise click.UsageError(
                    f"{option} without --to timm: {sources[0]} is uploaded as it is"
                )
        repository = find_repository(name, public=public)
        return cls(repository=repository, folder=folder, force=config.force, yes=yes)

    def finished(self, folder: str) -> tuple[dict[str, object], list[str]]:
        """Upload a folder, once that is agreed to; return fields for JSON, and lines.

        Raises:
            ResnextError: a file of somebody else would be replaced, nobody agreed, or the Hub
                refuses.
            OSError: a file cannot be read.
        """
        from convert.push.errors import PushError
        from convert.push.repository import Change, find_uploads, upload

        repository = self.repository
        uploads = find_uploads(Path(folder), repository)
        strange = [
            each.name for each in uploads if each.change is Change.REPLACED and not each.ours
        ]
        if strange and not self.force:
            raise PushError(
                f"--push {repository.name}: files that this project wrote expected there, found "
                f"others, or changed ones: {printable(', '.join(strange))}; --force replaces them"
            )
        if all(each.change is Change.SAME for each in uploads):
            lines = [f"{repository.page}: all of {folder} is there already"]
            return {"pushed": repository.page, "commit": None}, lines
        text = _plan(folder, uploads, repository)
        if self.yes:
            click.echo(text, err=True)
        else:
            _ask(text)
        if not sys.stderr.isatty():
            from huggingface_hub.utils import disable_progress_bars

            disable_progress_bars()
        commit = upload(uploads, repository)
        return {"pushed": repository.page, "commit": commit}, [f"{repository.page}: uploaded"]


def _ask(text: str) -> None:
    from convert.push.errors import PushError

    try:
        agreed = click.confirm(f"{text}\nUpload?", err=True)
    except click.Abort as error:
        click.echo(err=True)
        raise PushError("nothing was uploaded: nobody answered; --yes does") from error
    if not agreed:
        raise PushError("nothing was uploaded, as it was answered")


def _plan(folder: str, uploads: "tuple[UploadedFile, ...]", repository: "HubRepository") -> str:
    """Return what an upload does, in lines."""
    there = "is there" if repository.commit else "is made"
    seen = "private" if repository.private else "public: everybody sees it"
    lines = [
        f"{printable(folder)} -> {repository.page}, which {there}, {seen}",
        *(
            f"  {printable(each.name)}: {number(each.size, 'byte')}, {each.change}"
            + ("" if each.ours or each.change != "replaced" else ", written or changed by others")
            for each in uploads
        ),
    ]
    return "\n".join(lines)

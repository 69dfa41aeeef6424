"""A folder to the Hugging Face Hub: what is there already, what would change, and the upload."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from convert.export.timm import CONFIG, WEIGHTS
from convert.push.access import hub_api, library, refusals
from convert.push.errors import PushError
from resnext.checkpoint import Checkpoint
from resnext.errors import CardError
from resnext.fields import shown
from resnext.model_card.readme import README, Readme
from resnext.model_card.seal import is_sealed

NAME: Final = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)


class Change(StrEnum):
    """What an upload does to a file of the repository."""

    NEW = "new"
    REPLACED = "replaced"
    SAME = "the same there"


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRepository:
    """A repository of the Hub, as it is or as it will be made.

    Attributes:
        name: OWNER/NAME.
        page: its address.
        private: who is not its owner does not see it.
        commit: its newest commit; None if there is no such repository yet.
        blobs: the files of that commit -> what git or, of a large file, sha256 calls their content.
    """

    name: str
    page: str
    private: bool
    commit: str | None
    blobs: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedFile:
    """One file of an upload.

    Attributes:
        path: on this machine.
        name: in the folder and in the repository, with slashes.
        size: in bytes.
        change: what it does there.
        ours: what it replaces was written by this project and not changed since.
    """

    path: Path
    name: str
    size: int
    change: Change
    ours: bool


def check_name(name: str) -> None:
    """Check the name of a repository.

    Raises:
        PushError: it is not OWNER/NAME.
    """
    if not NAME.fullmatch(name) or ".." in name or "--" in name:
        raise PushError(
            f"--push: OWNER/NAME of a repository on the Hub expected, found {shown(name)}"
        )


def find_repository(name: str, *, public: bool) -> HubRepository:
    """Ask the Hub for a repository, with the token of the environment or of the login.

    Args:
        name: OWNER/NAME.
        public: everybody is meant to see it.

    Raises:
        PushError: huggingface_hub is missing, there is no token, the Hub does not accept it or
            cannot be reached, or the repository is public and not meant to be, or the other way.
    """
    check_name(name)
    hub = library()
    if hub.get_token() is None:
        raise PushError(
            f"--push {name}: a token of the Hub that may write expected, found none; "
            "`hf auth login` stores one, or set HF_TOKEN"
        )
    api = hub_api()
    page = f"{api.endpoint}/{name}"
    with refusals(name):
        api.whoami()
        try:
            info = api.repo_info(name)
        except hub.errors.RepositoryNotFoundError:
            return HubRepository(name=name, page=page, private=not public, commit=None, blobs={})
        tree = api.list_repo_tree(name, recursive=True, revision=info.sha)
        blobs = {each.path: _content(each) for each in tree if hasattr(each, "blob_id")}
    if bool(info.private) is public:
        there, option = ("private", "leave --public out") if public else ("public", "give --public")
        raise PushError(
            f"--push {name}: {'public' if public else 'private'} expected, found that it is there "
            f"already and {there}; {option} if that is meant"
        )
    return HubRepository(
        name=name, page=page, private=bool(info.private), commit=info.sha, blobs=blobs
    )


def find_uploads(folder: Path, repository: HubRepository) -> tuple[UploadedFile, ...]:
    """Return the files of a folder, and what becomes of those in the repository.

    Hidden files are left out.

    Raises:
        PushError: the folder is not one that `--to timm` wrote.
        ResnextError: its weights or its card are damaged.
        OSError: a file cannot be read.
    """
    _check_folder(folder)
    paths = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    changed = []
    for path in paths:
        name = path.relative_to(folder).as_posix()
        there, size = repository.blobs.get(name), path.stat().st_size
        change = Change.NEW if there is None else Change.REPLACED
        if there is not None and there in _contents(path, size):
            change = Change.SAME
        changed.append((path, name, size, change))
    replaced = {name for _, name, _, change in changed if change is Change.REPLACED}
    ours = _ours(repository, replaced)
    return tuple(
        UploadedFile(path=path, name=name, size=size, change=change, ours=name in ours)
        for path, name, size, change in changed
    )


def upload(uploads: tuple[UploadedFile, ...], repository: HubRepository) -> str:
    """Make the repository if need be, and commit the files to it: all of them, or none.

    Returns:
        The address of the commit.

    Raises:
        PushError: the Hub refuses, cannot be reached, or somebody has changed the repository since
            it was looked at.
        OSError: a file cannot be read.
    """
    hub = library()
    api = hub_api()
    operations = [
        hub.CommitOperationAdd(path_in_repo=each.name, path_or_fileobj=str(each.path))
        for each in uploads
        if each.change is not Change.SAME
    ]
    with refusals(repository.name):
        if repository.commit is None:
            api.create_repo(repository.name, private=repository.private)
        done = api.create_commit(
            repository.name,
            operations,
            commit_message=f"Upload with resnext-convert {version('resnext')}",
            parent_commit=repository.commit,
        )
    return str(done.commit_url)


def _check_folder(folder: Path) -> None:
    """Check that a folder is whole, and one of ours: the Hub takes anything."""
    if not is_of_ours(folder):
        raise PushError(
            f"{folder}: a folder that resnext-convert --to timm wrote expected, found another"
        )
    Checkpoint.load(folder / WEIGHTS)
    Readme.read(folder / README).values()


def is_of_ours(folder: Path) -> bool:
    """Tell whether a folder is one that `--to timm` wrote, whatever has been added to it."""
    names = (CONFIG, WEIGHTS, README)
    return all((folder / name).is_file() for name in names) and _is_config(folder / CONFIG)


def _is_config(path: Path) -> bool:
    """Tell whether a config.json is one of ours."""
    try:
        config = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return False
    return isinstance(config, dict) and "resnext" in config


def _content(file: Any) -> str:
    """Return what the Hub calls a file's content."""
    return str(file.lfs.sha256 if file.lfs else file.blob_id)


def _contents(path: Path, size: int) -> tuple[str, str]:
    """Return the two numbers by which a file's content may be known: of git and of sha256."""
    git = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            git.update(part)
            sha256.update(part)
    return git.hexdigest(), sha256.hexdigest()


def _ours(repository: HubRepository, replaced: set[str]) -> set[str]:
    """Return the files that would be replaced and that nobody but this project has written.

    A card is ours while it is as it was written; the configuration and the weights are ours if the
    configuration says so.
    """
    if not replaced:
        return set()
    api = hub_api()
    with TemporaryDirectory() as folder, refusals(repository.name):
        there = {
            name: Path(
                api.hf_hub_download(
                    repository.name, name, revision=repository.commit, local_dir=folder
                )
            )
            for name in {CONFIG, README} & set(repository.blobs)
        }
        ours = {CONFIG, WEIGHTS} if CONFIG in there and _is_config(there[CONFIG]) else set()
        if README in there and _is_own_card(there[README]):
            ours.add(README)
    return ours & replaced


def _is_own_card(path: Path) -> bool:
    try:
        return is_sealed(Readme.read(path).text)
    except CardError:
        return False

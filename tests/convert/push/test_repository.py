"""`--push`: folders go to a server that answers as the Hub does, with the Hub's own client."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from convert.cli import main
from convert.push.errors import PushError
from convert.push.repository import (
    Change,
    HubRepository,
    check_name,
    find_repository,
    find_uploads,
    upload,
)
from tests.support.hub_server import Answering, Hub
from tests.support.timm_folders import small_checkpoint, timm_folder

# Of the Hub's library and the one underneath, about each other.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

NAME = "somebody/net"
TOKEN = "hf_abcdefgh"  # noqa: S105 - of the server of the test


@pytest.fixture
def token(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """Return the server, with a token in the environment that may write."""
    hub.owner = "somebody"
    hub.tokens[TOKEN] = set()
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return hub


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return timm_folder(tmp_path / "x.timm")


Push = Callable[..., Result]


@pytest.fixture
def push(folder: Path) -> Push:
    """Return what runs `resnext-convert --push`, of the folder or of other words."""

    def run(*words: object, answer: str | None = None) -> Result:
        given = list(map(str, words)) or [str(folder), "--push", NAME]
        return CliRunner().invoke(main, given, input=answer)

    return run


def test_folder_is_uploaded_to_a_private_repository_after_a_question(
    token: Hub, folder: Path, push: Push
) -> None:
    done = push(answer="y\n")
    assert (done.exit_code, done.stdout) == (0, f"{token.url}/{NAME}: uploaded\n"), done.stderr
    assert f"{folder} -> {token.url}/{NAME}, which is made, private\n" in done.stderr
    assert "  model.safetensors: 342," in done.stderr
    assert "Upload? [y/N]: " in done.stderr
    assert token.repos["model", NAME].private
    assert token.files(NAME, kind="model") == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }
    asked = [each.path for each in token.requests]
    assert f"/{NAME}.git/info/lfs/objects/batch" in asked
    assert f"/api/models/{NAME}/commit/main" in asked


@pytest.mark.parametrize(
    ("answer", "reason"), [("n\n", "as it was answered"), ("", "nobody answered; --yes does")]
)
def test_without_agreement_nothing_is_uploaded(
    answer: str, reason: str, token: Hub, push: Push
) -> None:
    done = push(answer=answer)
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1].startswith("resnext-convert: nothing was uploaded")
    assert reason in done.stderr
    assert not token.repos


def test_yes_asks_nothing_and_says_what_is_done(token: Hub, folder: Path, push: Push) -> None:
    done = push(folder, "--push", NAME, "--yes", "--public", "--json")
    assert done.exit_code == 0
    [result] = json.loads(done.stdout)["results"]
    assert result["pushed"] == f"{token.url}/{NAME}"
    assert result["commit"].startswith(f"{token.url}/{NAME}/commit/")
    assert "which is made, public: everybody sees it" in done.stderr
    assert "Upload?" not in done.stderr
    assert not token.repos["model", NAME].private


def test_conversion_is_uploaded(token: Hub, tmp_path: Path, push: Push) -> None:
    small_checkpoint(3).save(tmp_path / "small.safetensors")
    done = push(tmp_path / "small.safetensors", "--to", "timm", "--push", NAME, "--yes")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == f"{token.url}/{NAME}: uploaded"
    weights = (tmp_path / "small.timm/model.safetensors").read_bytes()
    assert token.files(NAME, kind="model")["model.safetensors"] == weights


def test_upload_of_the_same_is_none(token: Hub, folder: Path, push: Push) -> None:
    push(folder, "--push", NAME, "--yes")
    commits = dict(token.repos["model", NAME].commits)
    done = push(folder, "--push", NAME)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == f"{token.url}/{NAME}: all of {folder} is there already\n"
    assert token.repos["model", NAME].commits == commits


def test_files_of_ours_are_replaced_and_that_is_said(
    token: Hub, tmp_path: Path, folder: Path, push: Push
) -> None:
    push(folder, "--push", NAME, "--yes")
    other = timm_folder(tmp_path / "other.timm", seed=5)
    done = push(other, "--push", NAME, "--yes")
    assert done.exit_code == 0
    assert "  model.safetensors: 342,528 bytes, replaced\n" in done.stderr
    files = token.files(NAME, kind="model")
    assert files["model.safetensors"] == (other / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("README.md", b"---\nlicense: mit\n---\n# Mine\n"),
        ("README.md", b"\xff"),
        ("config.json", b'{"architecture": "resnet50"}'),
        ("model.safetensors", b"of somebody"),
    ],
    ids=["card", "no text", "config", "weights"],
)
def test_file_of_somebody_else_is_kept_unless_told(
    name: str, data: bytes, token: Hub, folder: Path, push: Push
) -> None:
    token.add(NAME, {name: data, "LICENSE": b"theirs"}, kind="model")
    token.tokens[TOKEN].add(NAME)
    words = (folder, "--push", NAME, "--yes", "--public")
    done = push(*words)
    assert done.exit_code == 2
    assert f"found others, or changed ones: {name}; --force replaces them" in done.stderr
    assert token.files(NAME, kind="model")[name] == data

    done = push(*words, "--force")
    assert done.exit_code == 0
    assert "bytes, replaced, written or changed by others\n" in done.stderr
    files = token.files(NAME, kind="model")
    assert files[name] == (folder / name).read_bytes()
    assert files["LICENSE"] == b"theirs"


def test_card_that_a_person_changed_on_the_hub_is_kept(
    token: Hub, folder: Path, push: Push
) -> None:
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    files["README.md"] = files["README.md"].replace(b"# some", b"# some net")
    token.add(NAME, files, kind="model")
    token.repos["model", NAME].private = True
    token.tokens[TOKEN].add(NAME)
    done = push(folder, "--push", NAME, "--yes")
    assert done.exit_code == 2
    assert "found others, or changed ones: README.md;" in done.stderr


@pytest.mark.parametrize(
    ("private", "option", "reason"),
    [
        (False, [], "private expected, found that it is there already and public; give --public"),
        (True, ["--public"], "public expected, found that it is there already and private; leave"),
    ],
)
def test_repository_is_seen_by_those_who_are_meant_to(
    private: bool, option: list[str], reason: str, token: Hub, folder: Path, push: Push
) -> None:
    token.add(NAME, {"a": b"b"}, kind="model")
    token.repos["model", NAME].private = private
    token.tokens[TOKEN].add(NAME)
    done = push(folder, "--push", NAME, "--yes", *option)
    assert (done.exit_code, reason in done.stderr) == (2, True)
    assert token.files(NAME, kind="model") == {"a": b"b"}


# What cannot be uploaded


@pytest.mark.usefixtures("hub")
def test_without_a_token_nothing_is_converted(tmp_path: Path, push: Push) -> None:
    small_checkpoint().save(tmp_path / "small.safetensors")
    done = push(tmp_path / "small.safetensors", "--to", "timm", "--push", NAME)
    assert done.exit_code == 2
    [line] = done.stderr.splitlines()
    assert line == (
        "resnext-convert: --push somebody/net: a token of the Hub that may write expected, found "
        "none; `hf auth login` stores one, or set HF_TOKEN"
    )
    assert not (tmp_path / "small.timm").exists()


def test_token_that_the_hub_does_not_know(
    hub: Hub, push: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_unknown")
    done = push()
    assert (done.exit_code, "it does not accept the token" in done.stderr) == (2, True)
    assert "hf_unknown" not in done.stderr
    assert not hub.repos


def test_repository_in_which_the_token_may_not_write(token: Hub, folder: Path, push: Push) -> None:
    token.add("them/net", {"a": b"b"}, kind="model")
    done = push(folder, "--push", "them/net", "--yes", "--public")
    assert done.exit_code == 2
    assert "the Hub answers 403: the token may not write there" in done.stderr
    assert token.files("them/net", kind="model") == {"a": b"b"}


def test_hub_that_is_not_there(push: Push, token: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    done = push()
    assert (done.exit_code, "the Hub cannot be reached: " in done.stderr) == (2, True)
    assert TOKEN not in done.stderr
    assert not token.requests


def test_large_file_that_the_hub_does_not_take_is_no_commit(
    token: Hub, folder: Path, push: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = [row for row in token.routes if row[2] != "store"]
    monkeypatch.setattr(token, "routes", [*routes, ("PUT", "/lfs/(?P<sha256>.*)", "refuse")])
    monkeypatch.setattr(
        Answering, "refuse", lambda self, sha256: self.say(403, {"error": sha256}), raising=False
    )
    done = push(folder, "--push", NAME, "--yes")
    assert (done.exit_code, "the Hub answers 403" in done.stderr) == (2, True)
    assert token.files(NAME, kind="model") == {}


@pytest.mark.parametrize("name", ["net", "a/b/c", "", "a/", "/b", "a b/c", "../x", "a/..b", "é/b"])
def test_name_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(PushError, match="OWNER/NAME of a repository on the Hub expected, found"):
        check_name(name)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["x.t7", "--push", NAME], "--push uploads what --to timm writes; add --to timm"),
        (["x.timm", "--public"], "--public without --push"),
        (["x.timm", "--yes"], "--yes without --push"),
        (["x.timm", "y.timm", "--push", NAME], "--push uploads one folder; give one SOURCE"),
        (["x.timm", "--info", "--push", NAME], "--push with --info"),
        (["FOLDER", "--as", "resnet_50", "--push", NAME], "is uploaded as it is"),
    ],
)
def test_options_that_do_not_go_together(
    words: list[str], reason: str, folder: Path, push: Push
) -> None:
    done = push(*[str(folder) if word == "FOLDER" else word for word in words])
    assert (done.exit_code, reason in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("README.md", b"# no front matter\n", "front matter expected"),
        ("README.md", b"---\na: b: c\n---\n", "line 2: YAML expected"),
        ("model.safetensors", b"cut short", "model.safetensors"),
    ],
)
def test_damaged_folder_is_not_uploaded(
    name: str, data: bytes, reason: str, token: Hub, folder: Path, push: Push
) -> None:
    (folder / name).write_bytes(data)
    done = push(folder, "--push", NAME, "--yes")
    assert (done.exit_code, reason in done.stderr) == (2, True)
    assert not token.repos


def test_repository_that_changes_meanwhile_is_left_alone(token: Hub, folder: Path) -> None:
    token.add(NAME, {"a": b"b"}, kind="model")
    token.tokens[TOKEN].add(NAME)
    repository = find_repository(NAME, public=True)
    uploads = find_uploads(folder, repository)
    token.add(NAME, {"README.md": b"theirs"}, kind="model")
    with pytest.raises(PushError, match="somebody has changed the repository meanwhile"):
        upload(uploads, repository)
    assert token.files(NAME, kind="model") == {"README.md": b"theirs"}


def test_hidden_files_stay_here_and_others_go(folder: Path) -> None:
    (folder / ".cache").mkdir()
    (folder / ".cache/x").write_text("hidden")
    (folder / "plots").mkdir()
    (folder / "plots/a.png").write_bytes(b"png")
    empty = HubRepository(name=NAME, page="", private=True, commit=None, blobs={})
    found = [(each.name, each.change) for each in find_uploads(folder, empty)]
    names = ["README.md", "config.json", "model.safetensors", "plots/a.png"]
    assert found == [(name, Change.NEW) for name in names]

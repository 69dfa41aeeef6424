"""Repositories of the Hugging Face Hub, at one commit; needs the extra [hub]."""

import json
import os
import re
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import quote

import resnext
from resnext.download import web
from resnext.download.retries import patiently
from resnext.errors import DownloadError
from resnext.fields import cut
from resnext.files import whole_file
from resnext.stores.hub_address import HubAddress, hub_endpoint
from resnext.stores.hub_answers import answers
from resnext.stores.store import STORE_PATIENCE, StoredFile

if TYPE_CHECKING:
    from huggingface_hub import HfApi

COMMIT: Final = re.compile(r"[0-9a-f]{40}")
TIMEOUT: Final = 30.0  # seconds
SMALL: Final = 1 << 20  # bytes of a range that is asked of the server that the Hub leads to
TRUE: Final = ("1", "ON", "YES", "TRUE")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubStore:
    """A repository at one commit; a `Store`.

    Attributes:
        repository: its address; a path in it does not matter.
        commit: 40 hexadecimal digits.
        listing: where the list of its files is kept.
        endpoint: of the Hub; None for the usual one.
    """

    repository: HubAddress
    commit: str
    listing: Path
    endpoint: str | None

    @property
    def address(self) -> str:
        """Return the address with the commit."""
        return f"{self.repository.name}@{self.commit}"

    def place(self, file: StoredFile) -> str:
        """Return where a file lies in the cache, in a folder of the repository's name."""
        name = self.repository.repo.rpartition("/")[2]
        return f"{_folder(self.repository)}/{self.commit}/{name}/{file.name}"

    def states_md5(self, file: StoredFile) -> bool:  # noqa: ARG002 - of no file
        """Tell that there is none."""
        return False

    def has_still(self, file: StoredFile) -> bool:  # noqa: ARG002 - of all files
        """Tell that it has: a commit does not change."""
        return True

    def files(self) -> tuple[StoredFile, ...]:
        """Return its files, sorted by name; without the network if they were listed before."""
        try:
            rows = json.loads(self.listing.read_bytes())
            return tuple(StoredFile(**row) for row in rows)
        except (OSError, ValueError, TypeError):
            found = patiently(self._listed, patience=STORE_PATIENCE)
        with whole_file(self.listing) as file:
            file.write(json.dumps([asdict(each) for each in found]).encode())
        return found

    def stream(self, file: StoredFile, start: int, end: int) -> Iterator[bytes]:
        """Yield bytes of a file as they come; see `Store.stream`."""
        from huggingface_hub import hf_hub_url

        where = f"{self.address}/{file.name}"
        repository = self.repository
        url = hf_hub_url(
            repository.repo,
            file.name,
            repo_type=repository.kind,
            revision=self.commit,
            endpoint=self.endpoint,
        )
        with answers(where, repository), _opened(url, start, end) as response:
            if response.status_code >= HTTPStatus.BAD_REQUEST:
                response.read()
                _raise(response)
            if web.is_page_type(response.headers):
                raise DownloadError(f"{where}: a file expected, found a web page: a login page?")
            self._check_range(response, file, start)
            skipped = start if response.status_code == HTTPStatus.OK else 0  # of a whole file
            for piece in response.iter_raw():
                rest = piece[skipped:]
                skipped = max(0, skipped - len(piece))
                if rest:
                    yield rest

    def _check_range(self, response: Any, file: StoredFile, start: int) -> None:
        """Refuse other bytes, or a file of another size than was listed, before any is taken."""
        if response.status_code == HTTPStatus.OK:
            size = web.content_length(response.headers)
        else:
            first, size = web.content_range(response.headers) or (start, None)
            if first != start:
                raise DownloadError(
                    f"{self.address}/{file.name}: bytes from {start} expected, those from {first} "
                    "are sent; is there a proxy?"
                )
        if size not in (None, file.size):
            raise DownloadError(
                f"{self.address}/{file.name}: {file.size} bytes expected, {size} are offered; it"
                " is another file than was listed"
            )

    def _listed(self) -> tuple[StoredFile, ...]:
        repository = self.repository
        with answers(self.address, repository):
            tree = _api(self.endpoint).list_repo_tree(
                repository.repo, recursive=True, revision=self.commit, repo_type=repository.kind
            )
            found = [_stored(each) for each in tree if hasattr(each, "size")]
        return tuple(sorted(found, key=lambda each: each.name.encode()))


def open_hub(address: HubAddress, cache: Path) -> HubStore:
    """Return a repository at the commit that its revision stands for now.

    The network is not used for a commit, nor where HF_HUB_OFFLINE is set: then a branch is the
    commit that it was when it was last looked up.

    Args:
        address: of the repository.
        cache: the folder of downloads.

    Raises:
        DownloadError: huggingface_hub is not installed, or there is no such repository or
            revision, or no access to it, or HF_ENDPOINT is no address.
        OSError: the cache cannot be written.
    """
    endpoint = hub_endpoint()
    try:
        import huggingface_hub  # noqa: F401
        from huggingface_hub.utils import get_session
    except ImportError as error:
        raise DownloadError(
            f"{address.name}: the Hub takes huggingface_hub, which cannot be imported ({error}); "
            "the extra [hub] brings it: pip install 'resnext[hub]'"
        ) from error
    get_session()  # here, as making it takes a lock that no thread may hold at a fork
    folder = cache / _folder(address)
    commit = address.revision or "main"
    if not COMMIT.fullmatch(commit):
        commit = _looked_up(address, folder / "refs" / quote(commit, safe=""), endpoint)
    listing = folder / commit / ".files.json"
    listing.parent.mkdir(parents=True, exist_ok=True)
    return HubStore(repository=address, commit=commit, listing=listing, endpoint=endpoint)


def _folder(address: HubAddress) -> str:
    return f"hub/{address.kind}s--{address.repo.replace('/', '--')}"


def _looked_up(address: HubAddress, note: Path, endpoint: str | None) -> str:
    """Return the commit of a branch or tag, which is noted for a run without the network."""
    if _is_offline():
        try:
            return note.read_text().strip()
        except OSError as error:
            raise DownloadError(
                f"{address.name}: HF_HUB_OFFLINE is set, and nothing of its revision "
                f"{address.revision or 'main'} is in the cache; fetch it once with the network"
            ) from error

    def once() -> str:
        with answers(address.name, address):
            found = _api(endpoint).repo_info(
                address.repo, repo_type=address.kind, revision=address.revision, timeout=TIMEOUT
            )
        return str(found.sha)

    commit = patiently(once, patience=STORE_PATIENCE)
    if not COMMIT.fullmatch(commit):
        raise DownloadError(f"{address.name}: a commit expected, found {cut(commit)}")
    note.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(note) as file:
        file.write(commit.encode())
    return commit


def _is_offline() -> bool:
    text = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return text.upper() in TRUE


def _api(endpoint: str | None) -> "HfApi":
    from huggingface_hub import HfApi

    return HfApi(endpoint=endpoint, library_name="resnext", library_version=resnext.__version__)


@contextmanager
def _opened(url: str, start: int, end: int) -> Iterator[Any]:
    """Yield the answer to a request for a range of a file.

    The Hub leads to another server, at an address that is signed for an hour or so. A small range
    is asked of that at once, where an earlier request was led there: labels and names are thousands
    of these, and the Hub counts what it is asked.
    """
    from huggingface_hub import errors

    headers = {
        # The lengths and ranges of a compressed body would not be those of the file.
        "Accept-Encoding": "identity",
        "Range": f"bytes={start}-{end - 1}",
    }
    led = _LED.get(url) if end - start <= SMALL else None
    if led is not None:
        try:
            with _session().stream("GET", led, headers=headers) as response:  # without the token
                if response.status_code == HTTPStatus.PARTIAL_CONTENT:
                    yield response
                    return
        except errors.HTTPError:  # The next try asks the Hub, which may lead to another server.
            _LED.pop(url, None)
            raise
        _LED.pop(url, None)
    with _session().stream("GET", url, headers={**_headers(), **headers}) as response:
        asked = response.history[0].url if response.history else response.url
        if response.status_code == HTTPStatus.PARTIAL_CONTENT and asked.host != response.url.host:
            _LED[url] = str(response.url)
        yield response


class _Session:
    """Connections, which are closed by the process that made them."""

    def __init__(self, shared: Any) -> None:
        """Make ready what connects as a client of huggingface_hub does."""
        self.process = os.getpid()
        self.client: Any = type(shared)(
            event_hooks=shared.event_hooks, follow_redirects=True, timeout=TIMEOUT
        )
        weakref.finalize(self, _close, self.client, self.process)


def _close(client: Any, process: int) -> None:
    if os.getpid() == process:
        client.close()


_OWN: Final = threading.local()
# Address of a file on the Hub -> where it leads.
_LED: Final[dict[str, str]] = {}


def _session() -> Any:
    """Return connections that this thread of this process has to itself.

    Those of huggingface_hub are shared by all threads, and a process that is forked closes its copy
    of them: it waits for their lock, for ever if another thread held that at the fork.
    """
    from huggingface_hub.utils import get_session

    session = getattr(_OWN, "session", None)
    if session is None or session.process != os.getpid():
        session = _OWN.session = _Session(get_session())
    return session.client


def _headers() -> dict[str, str]:
    from huggingface_hub.utils import build_hf_headers

    found: dict[str, str] = build_hf_headers(
        library_name="resnext", library_version=resnext.__version__
    )
    return found


def _stored(entry: Any) -> StoredFile:
    """Return a file of a listing, whose checksum is stated where it is stored apart from git."""
    sha256 = entry.lfs.sha256 if entry.lfs else None
    return StoredFile(
        name=entry.path, size=entry.size, version=sha256 or entry.blob_id, sha256=sha256
    )


def _raise(response: Any) -> NoReturn:
    from huggingface_hub.utils import hf_raise_for_status

    hf_raise_for_status(response)
    raise AssertionError(response.status_code)

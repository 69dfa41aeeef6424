"""A server on loopback that speaks the parts of the Hugging Face Hub's interface that are used.

Start one with the fixture `hub`, which points HF_ENDPOINT at it for the test and for what the test
starts, with a home folder of its own and no token:

    commit = hub.add("OWNER/NAME", {"data/val.parquet": data}, kind="dataset")
    hub.repos["dataset", "OWNER/NAME"].gated = True        # 401 or 403, X-Error-Code: GatedRepo
    hub.tokens["hf_abc"] = {"OWNER/NAME"}                  # a token, and what it may read and write
    hub.plan("data/val.parquet", Fault(status=429, headers={"Retry-After": "1"}), Fault(cut=1000))
    hub.hold("data/val.parquet"); hub.release("data/val.parquet")
    hub.hold_body("data/val.parquet")                      # ranges of it are sent meanwhile
    hub.requests                                           # all that was asked, in order
    hub.files("OWNER/NAME", kind="model")                  # of the newest commit, after an upload

Answered as the Hub answers: /api/{models,datasets}/ID[/revision/REV], the tree, paths-info,
/ID/resolve/REV/PATH (GET and HEAD, Range), with a redirect of large files to another origin, where
no Authorization may arrive; repositories are created, and take commits of files, large ones too.
An upload goes over `preupload`, the batch of LFS and `commit`. Whatever else is asked is a 404 and
is recorded. `Hub.routes` is a table of (method, pattern, name of a method of `Answering`): a test
that needs more of the interface subclasses both.
"""

import base64
import hashlib
import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

SIGNATURE = "X-Signature=s1gn4ture"  # of the addresses to which large files are redirected
LARGE = (".parquet", ".tar", ".safetensors", ".bin", ".pth", ".t7", ".jpg")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with one request for a file.

    Attributes:
        status: of the answer; None for the usual one.
        headers: of it.
        cut: bytes of the body before the connection is closed.
        body: in place of the file's, of the length that is promised.
        trickle: bytes of the body before the rest comes byte by byte, a hundred a second at most.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    body: bytes | None = None
    trickle: int | None = None


@dataclass(kw_only=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: str
    range: str | None
    token: str | None
    host: str
    body: bytes


@dataclass(kw_only=True)
class Repo:
    """A repository: its commits, each all files of it, and the names that stand for commits."""

    gated: bool = False
    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def commit(self, files: Mapping[str, bytes], name: str = "main") -> str:
        """Take a commit, and return its number, 40 hexadecimal digits."""
        total = hashlib.sha1(usedforsecurity=False)
        for path, data in sorted(files.items()):
            total.update(f"{path}\0{blob_id(data)}\0".encode())
        number = total.hexdigest()
        self.commits[number] = dict(files)
        self.names[name] = number
        return number

    def find(self, revision: str) -> str | None:
        """Return the commit of a revision; None if there is none."""
        number = self.names.get(revision, revision)
        return number if number in self.commits else None


def blob_id(data: bytes) -> str:
    """Return the number that git gives to a file's content."""
    head = b"blob %d\0" % len(data)
    return hashlib.sha1(head + data, usedforsecurity=False).hexdigest()


def is_large(path: str) -> bool:
    """Tell whether a file is stored apart from git."""
    return path.endswith(LARGE)


class Answering(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    server: "Hub"

    def handle_any(self) -> None:
        """Find the route of a request and take it."""
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self.read_chunks()
        authorization = self.headers.get("Authorization")
        self.asked = Asked(
            method=self.command,
            path=path,
            query=parts.query,
            range=self.headers.get("Range"),
            token=authorization.removeprefix("Bearer ") if authorization else None,
            host=self.headers.get("Host", ""),
            body=body,
        )
        with self.server.lock:
            self.server.requests.append(self.asked)
        for method, pattern, name in self.server.routes:
            match = re.fullmatch(pattern, path)
            if match and self.command in method.split("|"):
                getattr(self, name)(**match.groupdict())
                return
        self.say(404, {"error": "Not found"})

    do_GET = do_HEAD = do_POST = do_PUT = handle_any  # noqa: N815 - the library names them so

    def read_chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    # What is answered

    def info(self, kind: str, id: str, revision: str = "main") -> None:  # noqa: A002
        """Answer what a repository is, and which commit a revision stands for."""
        if (repo := self.known(kind, id, listed=True)) and (commit := self.at(repo, revision)):
            files = [{"rfilename": path} for path in sorted(repo.commits[commit])]
            self.say(
                200,
                {
                    "id": id,
                    "modelId": id,
                    "sha": commit,
                    "private": repo.private,
                    "gated": "manual" if repo.gated else False,
                    "tags": [],
                    "downloads": 0,
                    "likes": 0,
                    "siblings": files,
                },
            )

    def tree(self, kind: str, id: str, revision: str, path: str | None = None) -> None:  # noqa: A002
        """Answer the files of a commit in pages, with the links that lead from one to the next."""
        if not (repo := self.known(kind, id, listed=True)):
            return
        if not (commit := self.at(repo, revision)):
            return
        query = parse_qs(self.asked.query)
        below = f"{path}/" if path else ""
        deep = query.get("recursive", ["false"])[0].lower() == "true"
        entries: dict[str, dict[str, Any]] = {}
        for name, data in sorted(repo.commits[commit].items()):
            if not name.startswith(below):
                continue
            inner = name.removeprefix(below).split("/")
            for depth in range(1, len(inner)):
                folder = below + "/".join(inner[:depth])
                if deep or depth == 1:
                    entries[folder] = {"type": "directory", "path": folder, "oid": "0" * 40}
            if deep or len(inner) == 1:
                entries[name] = entry(name, data)
        if path and not entries:
            self.say(404, {"error": "no such folder"}, {"X-Error-Code": "EntryNotFound"})
            return
        start, size = int(query.get("cursor", ["0"])[0]), self.server.page
        listed = list(entries.values())
        more = {}
        if start + size < len(listed):
            next_page = f"{self.server.url}{urlsplit(self.path).path}?recursive={deep}"
            more = {"Link": f'<{next_page}&cursor={start + size}>; rel="next"'}
        self.say(200, listed[start : start + size], more)

    def paths_info(self, kind: str, id: str, revision: str) -> None:  # noqa: A002
        """Answer what some paths of a commit are."""
        if (repo := self.known(kind, id, listed=True)) and (commit := self.at(repo, revision)):
            body = self.asked.body
            wanted = (
                json.loads(body)["paths"] if body[:1] == b"{" else parse_qs(body.decode())["paths"]
            )
            files = repo.commits[commit]
            found = [entry(path, files[path]) for path in wanted if path in files]
            found += [
                {"type": "directory", "path": path, "oid": "0" * 40}
                for path in wanted
                if any(name.startswith(f"{path}/") for name in files)
            ]
            self.say(200, found)

    def resolve(self, id: str, revision: str, path: str, kind: str = "models") -> None:  # noqa: A002
        """Answer a file, or lead to it."""
        if not (repo := self.known(kind, id, listed=False)):
            return
        if not (commit := self.at(repo, revision)):
            return
        data = repo.commits[commit].get(path)
        if data is None:
            self.say(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
            return
        headers = {"X-Repo-Commit": commit, "ETag": f'"{blob_id(data)}"'}
        if not is_large(path):
            self.file(path, data, headers)
            return
        sha256 = hashlib.sha256(data).hexdigest()
        headers |= {
            "X-Linked-ETag": f'"{sha256}"',
            "X-Linked-Size": str(len(data)),
            "Location": f"{self.server.cdn}/cdn/{sha256}/{path}?{SIGNATURE}",
        }
        self.say(302, {}, headers)

    def linked(self, sha256: str, path: str) -> None:
        """Answer a large file, at the address to which its reader was led."""
        if SIGNATURE not in self.asked.query or self.asked.token:
            self.say(403, {"error": "signed, and without Authorization"})
            return
        self.file(path, self.server.blobs[sha256], {"ETag": f'"{sha256}"'})

    def file(self, path: str, data: bytes, headers: Mapping[str, str]) -> None:
        """Send a file or a range of it, with what goes wrong."""
        server = self.server
        whole = self.asks_for_most(len(data))
        with server.lock:
            fault = Fault()
            for plans in (server.plans, server.plans_of_bodies if whole else {}):
                if self.command == "GET" and plans.get(path):
                    fault = plans[path].pop(0)
        gate = server.gates.get(path) or (server.gates_of_bodies.get(path) if whole else None)
        if self.command == "GET" and gate:
            gate.wait(60)
        if fault.status is not None:
            self.say(fault.status, {"error": "as planned"}, fault.headers)
            return
        status, start, end = 200, 0, len(data)
        if self.asked.range and (match := re.fullmatch(r"bytes=(\d+)-(\d*)", self.asked.range)):
            start = int(match[1])
            end = min(int(match[2]) + 1, len(data)) if match[2] else len(data)
            if start >= len(data):
                self.say(416, {}, {"Content-Range": f"bytes */{len(data)}"})
                return
            status = 206
            headers = {**headers, "Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}
        body = (fault.body or data)[start:end]
        self.send_response(status)
        for name, value in {**headers, **fault.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(end - start))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault.cut is not None or len(body) != end - start:
            self.close_connection = True
            body = body[: fault.cut]
        if fault.trickle is not None:
            body, rest = body[: fault.trickle], body[fault.trickle :]
            self.write(body)
            for at in range(len(rest)):
                if self.close_connection:
                    return
                time.sleep(0.01)
                self.write(rest[at : at + 1])
            return
        self.write(body)

    def asks_for_most(self, size: int) -> bool:
        """Tell whether more than half of a file is asked for, not only some bytes of it."""
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.asked.range or "bytes=0-")
        assert found
        return (int(found[2]) + 1 if found[2] else size) - int(found[1]) > size // 2

    # What is taken

    def create(self) -> None:
        """Create a repository."""
        asked = json.loads(self.asked.body)
        owner = asked.get("organization") or self.server.owner
        kind, name = asked.get("type", "model"), f"{owner}/{asked['name']}"
        if not self.asked.token or self.asked.token not in self.server.tokens:
            self.say(401, {"error": "Invalid username or password."})
        elif (kind, name) in self.server.repos:
            self.say(409, {"error": "exists", "url": f"{self.server.url}/{name}"})
        else:
            private = bool(asked.get("private") or asked.get("visibility") == "private")
            self.server.repos[kind, name] = Repo(private=private)
            self.server.repos[kind, name].commit({})
            self.server.tokens[self.asked.token].add(name)
            self.say(200, {"url": f"{self.server.url}/{name}", "id": name})

    def validate_yaml(self) -> None:
        """Answer that a model card has no fault; what was sent is in `Hub.requests`."""
        self.say(200, {"errors": [], "warnings": []})

    def who(self) -> None:
        """Answer whose token it is."""
        if self.asked.token in self.server.tokens:
            self.say(200, {"name": self.server.owner, "type": "user", "orgs": []})
        else:
            self.say(401, {"error": "Invalid credentials in Authorization header"})

    def preupload(self, kind: str, id: str, revision: str) -> None:  # noqa: A002, ARG002
        """Answer which files of an upload go to git."""
        if self.may_write(id):
            files = json.loads(self.asked.body)["files"]
            modes = [
                {
                    "path": each["path"],
                    "uploadMode": "lfs" if is_large(each["path"]) else "regular",
                    "shouldIgnore": False,
                }
                for each in files
            ]
            self.say(200, {"files": modes})

    def batch(self, id: str, kind: str = "models") -> None:  # noqa: A002, ARG002
        """Answer where large files of an upload go."""
        objects = [
            {
                **each,
                "actions": {"upload": {"href": f"{self.server.url}/lfs/{each['oid']}"}},
            }
            for each in json.loads(self.asked.body)["objects"]
        ]
        self.say(200, {"transfer": "basic", "objects": objects})

    def store(self, sha256: str) -> None:
        """Take a large file."""
        if hashlib.sha256(self.asked.body).hexdigest() == sha256:
            self.server.blobs[sha256] = self.asked.body
            self.say(200, {})
        else:
            self.say(400, {"error": "another sha256"})

    def take_commit(self, kind: str, id: str, revision: str) -> None:  # noqa: A002
        """Take a commit of files, from those of the last one."""
        if not self.may_write(id):
            return
        repo = self.server.repos[kind.removesuffix("s"), id]
        last = repo.find(revision)
        files = dict(repo.commits[last]) if last else {}
        head = json.loads(self.asked.body.partition(b"\n")[0])["value"]
        if head.get("parentCommit") not in (None, last):
            self.say(412, {"error": "A commit has happened since. Please refresh and try again."})
            return
        for line in self.asked.body.splitlines():
            operation = json.loads(line)
            value = operation["value"]
            match operation["key"]:
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    files[value["path"]] = self.server.blobs[value["oid"]]
                case "deletedFile":
                    del files[value["path"]]
        number = repo.commit(files, revision)
        self.server.keep(files)
        url = f"{self.server.url}/{id}/commit/{number}"
        self.say(200, {"success": True, "commitOid": number, "commitUrl": url, "hookOutput": ""})

    # Who may

    def may_write(self, name: str) -> bool:
        if self.asked.token and name in self.server.tokens.get(self.asked.token, ()):
            return True
        status = 403 if self.asked.token in self.server.tokens else 401
        self.say(status, {"error": "no right to write"})
        return False

    def known(self, kind: str, name: str, *, listed: bool) -> Repo | None:
        """Return a repository that the asking token may see, or answer why it may not."""
        token = self.asked.token
        if token is not None and token not in self.server.tokens:
            text = "Invalid credentials in Authorization header"
            self.say(401, {"error": text}, {"X-Error-Message": text})
            return None
        granted = token is not None and name in self.server.tokens[token]
        repo = self.server.repos.get((kind.removesuffix("s"), name))
        if repo is None or (repo.private and not granted):
            text = "Repository not found" if token else "Invalid username or password."
            errors = {"X-Error-Code": "RepoNotFound", "X-Error-Message": text}
            self.say(404 if token else 401, {"error": text}, errors)
            return None
        if repo.gated and not granted and not listed:
            text = f"Access to {name} is restricted. You must have access to it."
            errors = {"X-Error-Code": "GatedRepo", "X-Error-Message": text}
            self.say(403 if token else 401, {"error": text}, errors)
            return None
        return repo

    def at(self, repo: Repo, revision: str) -> str | None:
        commit = repo.find(revision)
        if commit is None:
            text = f"Invalid rev id: {revision}"
            errors = {"X-Error-Code": "RevisionNotFound", "X-Error-Message": text}
            self.say(404, {"error": text}, errors)
        return commit

    # How it is said

    def say(self, status: int, value: object, headers: Mapping[str, str] | None = None) -> None:
        """Answer with JSON."""
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.write(body)

    def write(self, body: bytes) -> None:
        try:
            self.wfile.write(body)
        except OSError:  # whoever asked has gone
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def entry(path: str, data: bytes) -> dict[str, Any]:
    """Return what the tree says of a file."""
    found: dict[str, Any] = {
        "type": "file",
        "path": path,
        "size": len(data),
        "oid": blob_id(data),
    }
    if is_large(path):
        sha256 = hashlib.sha256(data).hexdigest()
        found["lfs"] = {"oid": sha256, "size": len(data), "pointerSize": 134}
    return found


ID = r"(?P<id>[^/]+/[^/]+)"
KIND = r"(?P<kind>models|datasets)"
REVISION = r"(?P<revision>refs/[^/]+/[^/]+|[^/]+)"


class Hub(ThreadingHTTPServer):
    """The server.

    Attributes:
        url: for HF_ENDPOINT.
        cdn: another origin of the same server, where large files lie.
        owner: whose repositories are created.
        repos: by ("model" or "dataset", "OWNER/NAME").
        tokens: each with the repositories that it opens.
        blobs: large files by their sha256.
        plans: what goes wrong with the next requests for a path, one after the other.
        gates: what is waited for before a path is sent.
        plans_of_bodies, gates_of_bodies: the same for requests for more than half of a file.
        requests: all that was asked.
        page: entries of a page of a tree.
    """

    daemon_threads = True
    routes: ClassVar[list[tuple[str, str, str]]] = [
        ("GET", rf"/api/{KIND}/{ID}", "info"),
        ("GET", rf"/api/{KIND}/{ID}/revision/{REVISION}", "info"),
        ("GET", rf"/api/{KIND}/{ID}/tree/{REVISION}(?:/(?P<path>.+))?", "tree"),
        ("POST", rf"/api/{KIND}/{ID}/paths-info/{REVISION}", "paths_info"),
        ("GET", r"/api/whoami-v2", "who"),
        ("POST", r"/api/validate-yaml", "validate_yaml"),
        ("POST", r"/api/repos/create", "create"),
        ("POST", rf"/api/{KIND}/{ID}/preupload/{REVISION}", "preupload"),
        ("POST", rf"/api/{KIND}/{ID}/commit/{REVISION}", "take_commit"),
        ("POST", rf"/(?:(?P<kind>datasets)/)?{ID}\.git/info/lfs/objects/batch", "batch"),
        ("PUT", r"/lfs/(?P<sha256>[0-9a-f]{64})", "store"),
        ("GET|HEAD", rf"/(?P<kind>datasets)/{ID}/resolve/{REVISION}/(?P<path>.+)", "resolve"),
        ("GET|HEAD", rf"/{ID}/resolve/{REVISION}/(?P<path>.+)", "resolve"),
        ("GET|HEAD", r"/cdn/(?P<sha256>[0-9a-f]{64})/(?P<path>.+)", "linked"),
    ]

    def __init__(self, answering: type[Answering] = Answering) -> None:
        super().__init__(("127.0.0.1", 0), answering)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.cdn = f"http://localhost:{self.server_port}"
        self.owner = "somebody"
        self.repos: dict[tuple[str, str], Repo] = {}
        self.tokens: dict[str, set[str]] = {}
        self.blobs: dict[str, bytes] = {}
        self.plans: dict[str, list[Fault]] = defaultdict(list)
        self.gates: dict[str, threading.Event] = {}
        self.plans_of_bodies: dict[str, list[Fault]] = defaultdict(list)
        self.gates_of_bodies: dict[str, threading.Event] = {}
        self.requests: list[Asked] = []
        self.lock = threading.Lock()
        self.page = 1000

    def add(
        self, name: str, files: Mapping[str, bytes], *, kind: str = "model", revision: str = "main"
    ) -> str:
        """Add a repository, or a commit to it; return the commit's number."""
        self.keep(files)
        return self.repos.setdefault((kind, name), Repo()).commit(files, revision)

    def keep(self, files: Mapping[str, bytes]) -> None:
        """Keep the content of large files where their addresses lead."""
        for data in files.values():
            self.blobs[hashlib.sha256(data).hexdigest()] = data

    def files(self, name: str, *, kind: str = "model", revision: str = "main") -> dict[str, bytes]:
        """Return the files of a revision."""
        repo = self.repos[kind, name]
        return repo.commits[repo.names.get(revision, revision)]

    def plan(self, path: str, *faults: Fault) -> None:
        """Let something go wrong with the next requests for a file, one after the other."""
        self.plans[path] += faults

    def hold(self, path: str) -> None:
        """Send nothing of a file until it is released."""
        self.gates[path] = threading.Event()

    def plan_body(self, path: str, *faults: Fault) -> None:
        """Let something go wrong with requests for most of a file, not for ranges of it."""
        self.plans_of_bodies[path] += faults

    def hold_body(self, path: str) -> None:
        """Send ranges of a file only, until it is released."""
        self.gates_of_bodies[path] = threading.Event()

    def release(self, path: str) -> None:
        """Send a file that was held back."""
        for gates in (self.gates, self.gates_of_bodies):
            if path in gates:
                gates.pop(path).set()

    def asked(self, path: str) -> list[Asked]:
        """Return the requests whose path ends so."""
        with self.lock:
            return [each for each in self.requests if each.path.endswith(path)]


@contextmanager
def running(hub: Hub) -> Iterator[Hub]:
    """Let a server answer while the block runs."""
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        for gate in (*hub.gates.values(), *hub.gates_of_bodies.values()):
            gate.set()
        hub.shutdown()
        thread.join()
        hub.server_close()

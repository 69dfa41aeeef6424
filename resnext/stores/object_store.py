"""Object stores and whatever else fsspec reads: s3://, gs://, az:// and so on; needs [hub]."""

import base64
import binascii
import hashlib
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from resnext.download import web
from resnext.download.pace import WINDOW, TooSlowError
from resnext.download.retries import patiently
from resnext.errors import DownloadError
from resnext.stores.store import STORE_PATIENCE, StoredFile, named
from resnext.stores.store_answers import (
    answers,
    is_no_access,
    missing_package,
    no_access,
    reason_of,
)

PIECE: Final = 1 << 22  # bytes of a request
LEAST_PIECE: Final = 1 << 16  # bytes that come in the time of a request even by a slow line
# What a store may call the version of a file, the surest first.
VERSIONS: Final = ("ETag", "etag", "md5Hash", "content_md5", "generation")
TIMES: Final = ("LastModified", "last_modified", "mtime", "updated", "created")
# Schemes of stores that say the same ETag of a file and in a list.
COMPARED: Final = frozenset({"s3", "gs", "gcs", "az", "abfs"})
LOGGERS: Final = ("fsspec", "s3fs", "botocore", "gcsfs", "google", "adlfs", "azure")
MD5: Final = re.compile(r'"?([0-9a-f]{32})"?')
# Encryptions of S3 under which the ETag is still the md5 of the content.
PLAIN: Final = (None, "AES256")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStore:
    """What lies below an address; a `Store`.

    Attributes:
        address: without secrets.
        key: the path of its folder in the cache.
        fs: the file system of fsspec.
        root: the path in it that all files lie below.
        only: the one file that is meant, relative to the root; None for all.
        window: seconds for a request, where the package for the store can end one.
    """

    address: str
    key: str
    fs: Any
    root: str
    only: str | None = None
    window: float = WINDOW

    def files(self) -> tuple[StoredFile, ...]:
        """Return the files, sorted by name."""
        return patiently(self._listed, patience=STORE_PATIENCE)

    def place(self, file: StoredFile) -> str:
        """Return where a file lies in the cache; another version of it lies elsewhere."""
        version = hashlib.sha256(f"{file.version} {file.size}".encode()).hexdigest()[:16]
        return f"{self.key}/{version}/{file.name}"

    def stream(self, file: StoredFile, start: int, end: int) -> Iterator[bytes]:
        """Yield bytes of a file, by requests of some megabytes; see `Store.stream`."""
        from fsspec.exceptions import FSTimeoutError

        path = f"{self.root}/{file.name}" if self.root else file.name
        # What an asynchronous package does for those that are not has a timeout of fsspec.
        limits = {"timeout": self.window} if hasattr(self.fs.cat_file, "__wrapped__") else {}
        where, size = named(self, file), PIECE
        while start < end:
            wanted = min(size, end - start)
            with answers(where):
                try:
                    data = self.fs.cat_file(path, start=start, end=start + wanted, **limits)
                except FSTimeoutError as error:
                    # Nothing of a request that is ended is kept: a slow line gets smaller ones.
                    size //= 4
                    if size < LEAST_PIECE:
                        raise TooSlowError(
                            f"{where}: {wanted} bytes did not come in {self.window:g} seconds"
                        ) from error
                    continue
            yield data
            if len(data) < wanted:
                return
            start += wanted

    def states_md5(self, file: StoredFile) -> bool:
        """Tell whether the md5 of a file can be trusted: S3 encrypts under keys of its own."""
        head = self._head(file)
        found = (head.get("ServerSideEncryption"), head.get("SSECustomerAlgorithm"))
        return found[0] in PLAIN and found[1] is None

    def has_still(self, file: StoredFile) -> bool:
        """Tell whether a file is the version that was listed.

        Of other stores than `COMPARED` it is: what their packages say of one file does not compare
        with what they list.
        """
        head = self._head(file)
        found = head.get("ETag") or head.get("etag")
        return found is None or str(found).strip('"') == str(file.version).strip('"')

    def _head(self, file: StoredFile) -> Mapping[str, Any]:
        """Return what a store says of a file now; nothing of one that is not compared."""
        schemes = self.fs.protocol
        if COMPARED.isdisjoint([schemes] if isinstance(schemes, str) else schemes):
            return {}

        def once() -> Mapping[str, Any]:
            path = f"{self.root}/{file.name}"
            with answers(named(self, file)):
                if hasattr(self.fs, "call_s3"):  # Its `info` leaves out the encryption.
                    bucket, key, _ = self.fs.split_path(path)
                    found: Mapping[str, Any] = self.fs.call_s3(
                        "head_object", Bucket=bucket, Key=key
                    )
                else:
                    self.fs.invalidate_cache()
                    found = self.fs.info(path)
            return found

        return patiently(once, patience=STORE_PATIENCE)

    def _listed(self) -> tuple[StoredFile, ...]:
        with answers(self.address):
            self.fs.invalidate_cache()
            found = self.fs.find(self.root, detail=True)
        prefix = f"{self.root}/" if self.root else ""
        files = [
            _stored(name.removeprefix(prefix), info)
            for name, info in found.items()
            if name.startswith(prefix) and not name.endswith("/") and info.get("size") is not None
        ]
        return tuple(sorted(files, key=lambda each: each.name.encode("utf-8", "surrogateescape")))


def open_store(address: str) -> ObjectStore:
    """Return what lies below an address of fsspec, or the one file that lies there.

    Args:
        address: without a pattern.

    Raises:
        DownloadError: no package for its scheme, no access, or nothing is there.
    """
    shown = web.without_password(address)
    try:
        import fsspec  # noqa: F401
    except ImportError as error:
        raise DownloadError(
            f"{shown}: addresses of stores take fsspec, which cannot be imported ({error}); "
            "the extra [hub] brings it: pip install 'resnext[hub]'"
        ) from error
    for name in LOGGERS:  # What they say without being asked comes as an error too.
        logging.getLogger(name).addHandler(logging.NullHandler())
    try:
        with answers(shown):  # some connect, or open an archive, already here
            fs, root = _file_system(address, shown)
            kind = _kind(fs, root)
    except ImportError as error:
        raise DownloadError(f"{shown}: {missing_package(address, error)}") from error
    if kind is None:
        raise DownloadError(
            f"{shown}: a file or a folder in the store expected, found none; is the name "
            "right, and are the credentials those of its account?"
        )
    only = None
    if kind == "file":
        root, _, only = root.rpartition("/")
        head, chained, rest = shown.partition("::")
        shown = f"{head.rpartition('/')[0]}{chained}{rest}"
    key = f"stores/{hashlib.sha256(web.without_password(address).encode()).hexdigest()[:16]}"
    return ObjectStore(address=shown, key=key, fs=fs, root=root, only=only)


def _file_system(address: str, shown: str) -> tuple[Any, str]:
    """Return the file system of an address and the path in it.

    Raises:
        DownloadError: no such scheme, or an address that says too little.
    """
    from fsspec.core import url_to_fs

    try:
        fs, root = url_to_fs(address)
    # TypeError: what the file system is of, an organisation or a host, is not in the address.
    except (ValueError, TypeError) as error:
        if is_no_access(error):
            raise no_access(shown, error) from error
        raise DownloadError(
            f"{shown}: an address of the Hub (hf://) or of a store that fsspec knows (s3://, gs://,"
            f" az:// ...) expected: {reason_of(error)}"
        ) from error
    return fs, root.rstrip("/")


def _kind(fs: Any, root: str) -> str | None:
    """Return "file" or "directory", None for nothing; an object store has no empty folders."""
    if not root:
        return "directory"
    try:
        return "file" if fs.info(root)["type"] == "file" else "directory"
    except FileNotFoundError:
        return None


def _stored(name: str, info: Mapping[str, Any]) -> StoredFile:
    version = next((str(info[key]) for key in (*VERSIONS, *TIMES) if info.get(key)), None)
    etag = MD5.fullmatch(str(info.get("ETag") or ""))
    stated = getattr(info.get("content_settings"), "content_md5", None)  # Azure's
    md5 = bytes(stated).hex() if stated else _decoded(info.get("md5Hash"))
    return StoredFile(
        name=name,
        size=int(info["size"]),
        version=version,
        md5=etag[1] if etag else md5,
    )


def _decoded(text: object) -> str | None:
    """Return an md5 that is stated in base 64, as Google's store does, in hexadecimal."""
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except binascii.Error:
        return None
    return data.hex() if len(data) == 16 else None

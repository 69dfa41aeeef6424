"""What packages for stores raise, as one line each."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from resnext.download import web
from resnext.download.retries import TryAgainError
from resnext.errors import DownloadError
from resnext.fields import cut
from resnext.stores.store_address import SCHEME

# Scheme -> the package that it lacks, where fsspec says this otherwise than "install PACKAGE".
PACKAGES: Final = {
    "http": "aiohttp",
    "https": "aiohttp",
    "hdfs": "pyarrow",
    "arrow_hdfs": "pyarrow",
}
NAMED: Final = re.compile(r"(?:install ['`]?|requires \")([\w-]+)", re.IGNORECASE)
# Classes of errors that are none of Python's, of connections that break: of aiohttp, azure.core,
# botocore, and http.client and urllib3 underneath.
BROKEN: Final = frozenset(
    {
        *("ClientConnectionError", "ClientPayloadError"),
        *("ServiceRequestError", "ServiceResponseError"),
        *("ConnectionError", "HTTPClientError", "IncompleteRead", "ProtocolError"),
    }
)
PASSWORD: Final = re.compile(r":[^\s/:@]+@")  # of an address without its scheme


@contextmanager
def answers(where: str) -> Iterator[None]:
    """Turn the errors of any package for a store into one line.

    Raises:
        TryAgainError: a retry may help.
        DownloadError: none will.
        ImportError: a package is missing.
    """
    try:
        yield
    except (DownloadError, ImportError):
        raise
    except FileNotFoundError as error:
        raise DownloadError(f"{where}: no such file or folder in the store") from error
    except PermissionError as error:
        raise no_access(where, error) from error
    except (IsADirectoryError, NotADirectoryError) as error:
        raise DownloadError(f"{where}: {reason_of(error)}") from error
    except NotImplementedError as error:
        raise DownloadError(f"{where}: a store that lists its files expected") from error
    except OSError as error:
        raise TryAgainError(f"{where}: cannot be read ({reason_of(error)}; offline?)") from error
    except Exception as error:
        status = next((each for each in _statuses(error) if isinstance(each, int)), 0)
        if is_no_access(error) or status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise no_access(where, error) from error
        said = f"{where}: {type(error).__name__}: {reason_of(error)}"
        is_broken = BROKEN & {each.__name__ for each in type(error).__mro__}
        if is_broken or web.is_busy(status):
            raise TryAgainError(said) from error
        raise DownloadError(said) from error


def _statuses(error: Exception) -> Iterator[object]:
    """Yield what aiohttp, Azure's and Google's packages may call the status of an answer."""
    return (getattr(error, name, None) for name in ("status", "status_code", "code"))


def is_no_access(error: Exception) -> bool:
    """Tell whether an error of any package is about credentials."""
    return "credential" in f"{type(error).__name__} {error}".lower()


def no_access(where: str, error: Exception) -> DownloadError:
    """Return the error for a store that does not let this user in."""
    return DownloadError(
        f"{where}: no access ({reason_of(error)}); the store's own package takes credentials "
        "from the usual places: variables and files of the store"
    )


def reason_of(error: BaseException) -> str:
    """Return what an error says, as a part of one line and without secrets."""
    words = error.strerror if isinstance(error, OSError) else None
    said = " ".join((words or str(error)).split())
    return cut(PASSWORD.sub("@", web.without_password(said))) or type(error).__name__


def missing_package(address: str, error: ImportError) -> str:
    """Return which package is missing for an address."""
    from fsspec.registry import known_implementations

    schemes = [found[1].lower() for found in map(SCHEME.match, address.split("::")) if found]
    words = {each: known_implementations.get(each, {}).get("err") for each in schemes}
    scheme = next((each for each in schemes if words[each] == str(error)), schemes[0])
    named = NAMED.search(str(error))
    package = PACKAGES.get(scheme) or (named[1] if named else scheme)
    return (
        f"{scheme}:// takes {package}, which cannot be imported ({reason_of(error)}); pip install "
        f"{package}"
    )

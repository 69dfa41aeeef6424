"""What packages for stores raise: whether another try may help, and what the user is told."""

import pytest

from resnext.download.retries import TryAgainError
from resnext.errors import DownloadError
from resnext.stores.store_answers import answers


class ServiceRequestError(Exception):
    """Called as one of Azure's package is."""


class HttpError(Exception):
    """With the status of an answer, as Google's package has it."""

    def __init__(self, code: int) -> None:
        super().__init__(f"status {code}")
        self.code = code


@pytest.mark.parametrize(
    ("error", "helps", "said"),
    [
        (FileNotFoundError("x"), False, "a: no such file or folder in the store"),
        (PermissionError("no"), False, "a: no access (no); the store's own package takes"),
        (IsADirectoryError(21, "Is a directory"), False, "a: Is a directory"),
        (NotImplementedError(), False, "a: a store that lists its files expected"),
        (ConnectionResetError(104, "reset by peer"), True, "a: cannot be read (reset by peer; off"),
        (ServiceRequestError("cannot\nconnect"), True, "a: ServiceRequestError: cannot connect"),
        (HttpError(429), True, "a: HttpError: status 429"),
        (HttpError(503), True, "a: HttpError: status 503"),
        (HttpError(403), False, "a: no access (status 403); the store's own package takes"),
        (HttpError(400), False, "a: HttpError: status 400"),
        (ValueError("bad name me:s3cret@b"), False, "a: ValueError: bad name me@b"),
        (KeyError(), False, "a: KeyError: KeyError"),
        (RuntimeError("Unable to locate credentials"), False, "a: no access (Unable to locate cr"),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, Exception) else "",
)
def test_error_of_any_package_is_one_line(error: Exception, helps: bool, said: str) -> None:
    with pytest.raises(DownloadError) as caught, answers("a"):
        raise error
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, TryAgainError) == helps

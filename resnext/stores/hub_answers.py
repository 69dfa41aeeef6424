"""What the Hub answers where it does not answer with what was asked for, as one line each."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from resnext.download import web
from resnext.download.retries import TryAgainError
from resnext.errors import DownloadError
from resnext.fields import cut
from resnext.stores.hub_address import HubAddress


@contextmanager
def answers(where: str, repository: HubAddress) -> Iterator[None]:
    """Turn what the Hub answers, or that it does not, into one line.

    No line has an address that the Hub redirects to: these are signed.

    Args:
        where: what was asked for.
        repository: that it lies in.

    Raises:
        TryAgainError: a retry may help.
        DownloadError: none will.
    """
    from huggingface_hub import errors

    try:
        yield
    except errors.OfflineModeIsEnabled as error:
        raise DownloadError(
            f"{where}: HF_HUB_OFFLINE is set, and it is not in the cache; fetch it once with the "
            "network"
        ) from error
    except errors.HFValidationError as error:
        raise DownloadError(f"{where}: OWNER/NAME of a repository expected") from error
    except errors.HfHubHTTPError as error:
        raise _refusal(error, where, repository) from error
    except UnicodeEncodeError as error:  # of a header: the token
        raise DownloadError(
            f"{where}: a token of ASCII letters expected in HF_TOKEN or in the login file, found "
            "others; copy it again"
        ) from error
    except errors.HTTPError as error:  # of the library underneath: the connection
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise TryAgainError(
            f"{where}: the connection broke off ({web.without_password(reason)}; offline? "
            "HF_HUB_OFFLINE=1 takes what is in the cache)"
        ) from error


def _refusal(error: Any, where: str, repository: HubAddress) -> DownloadError:
    """Return the error for an answer that is none of success."""
    from huggingface_hub import errors, get_token

    status = error.response.status_code
    has_token = get_token() is not None
    log_in = "set HF_TOKEN or run `hf auth login`"
    if web.is_busy(status):
        pause = web.retry_after(error.response.headers)
        return TryAgainError(f"{where}: the Hub answers {web.status_text(status)}", pause=pause)
    if isinstance(error, errors.GatedRepoError):
        who = "the token used has no access to it" if has_token else "no token was found"
        then = "" if has_token else f", then {log_in}"
        return DownloadError(
            f"{where}: a gated repository, and {who} (the Hub answers {status}); ask for access "
            f"at {repository.page}{then}"
        )
    if error.response.headers.get("X-Error-Message") == (
        "Invalid credentials in Authorization header"
    ):
        return DownloadError(
            f"{where}: the Hub does not accept the token (it answers {status}): it is mistyped or "
            f"was revoked; {log_in}"
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        who = "the token used may not see" if has_token else "takes a token to see"
        then = "" if has_token else f"; where it is private, {log_in}"
        return DownloadError(
            f"{where}: no such {repository.kind} on the Hub, or a private one that {who} (it "
            f"answers {status}); {repository.page} shows it where it exists{then}"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return DownloadError(
            f"{where}: no revision {cut(repository.revision or 'main')} of it (the Hub answers "
            f"{status}); a branch, a tag or a whole commit hash expected behind @"
        )
    if isinstance(error, errors.EntryNotFoundError):
        return DownloadError(f"{where}: no such file (the Hub answers {status})")
    return DownloadError(f"{where}: the Hub answers {web.status_text(status)}")

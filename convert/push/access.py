"""The Hub's own library, and what its refusals mean for an upload."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

from convert.push.errors import PushError
from resnext.fields import cut
from resnext.stores.hub_address import hub_endpoint

# Letters of what the Hub says about a refusal.
MOST_LETTERS: Final = 200


def library() -> Any:
    """Return huggingface_hub.

    Raises:
        PushError: it is not installed.
    """
    try:
        import huggingface_hub
    except ImportError as error:
        raise PushError(
            "--push needs huggingface_hub, which is not installed; `pip install huggingface_hub` "
            "brings it, and so does the extra [hub]"
        ) from error
    return huggingface_hub


def hub_api() -> Any:
    """Return the library's interface to the Hub, or to what HF_ENDPOINT names.

    Raises:
        PushError: the library is not installed.
        DownloadError: HF_ENDPOINT is no address.
    """
    return library().HfApi(endpoint=hub_endpoint())


# Status -> what it means for an upload, and what can be done.
MEANINGS: Final[dict[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "it does not accept the token; `hf auth login` stores another",
    HTTPStatus.FORBIDDEN: "the token may not write there; give one that may, or another owner",
    HTTPStatus.CONFLICT: "a repository of that name is there, and this token does not see it",
    HTTPStatus.PRECONDITION_FAILED: "somebody has changed the repository meanwhile; try again",
    HTTPStatus.TOO_MANY_REQUESTS: "too many requests; try again later",
}


@contextmanager
def refusals(name: str) -> Iterator[None]:
    """Turn what the Hub answers, or that it does not, into a `PushError`.

    Args:
        name: of the repository.
    """
    errors = library().errors
    try:
        yield
    except (errors.HTTPError, ConnectionError, RuntimeError, ValueError) as error:
        # RuntimeError: of a large file, whose own error is its cause. ValueError: of a card or a
        # name that the Hub's check refuses.
        cause = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
        raise PushError(f"--push {name}: {_meaning(cause)}") from error


def _meaning(error: BaseException) -> str:
    errors = library().errors
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set; unset it to upload"
    if isinstance(error, errors.HfHubHTTPError):
        answer: Any = error
        status = answer.response.status_code if answer.response is not None else 0
        words = " ".join(str(answer.server_message or "").split())[:MOST_LETTERS]
        meaning = MEANINGS.get(status, words or "try again later")
        return f"an upload expected, found that the Hub answers {status}: {meaning}"
    text = cut(" ".join(str(error).split())) or type(error).__name__
    if isinstance(error, errors.HTTPError | ConnectionError):  # of the library underneath
        return f"the Hub cannot be reached: {text}"
    return text

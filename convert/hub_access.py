"""The Hub's own library, and what its refusals mean for an upload."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

from convert.errors import PushError
from resnext.fields import cut, shown

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
    """Turn what the Hub answers, or that it does not, into a `PushError`."""
    errors = library().errors
    try:
        yield
    except errors.OfflineModeIsEnabled as error:
        raise PushError(f"--push {name}: HF_HUB_OFFLINE is set; unset it to upload") from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        words = " ".join(str(error.server_message or "").split())[:MOST_LETTERS]
        meaning = MEANINGS.get(status, words or "try again later")
        raise PushError(
            f"--push {name}: an upload expected, found that the Hub answers {status}: {meaning}"
        ) from error
    except errors.HTTPError as error:  # of the library underneath: the connection
        raise PushError(
            f"--push {name}: the Hub cannot be reached: {cut(str(error)) or type(error).__name__}"
        ) from error
    except errors.HFValidationError as error:
        raise PushError(
            f"--push: OWNER/NAME of a repository on the Hub expected, found {shown(name)}"
        ) from error
    except ValueError as error:  # of a card that the Hub's check refuses
        raise PushError(f"--push {name}: {cut(' '.join(str(error).split()))}") from error

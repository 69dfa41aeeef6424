"""What is tried again, after which pauses, and what counts as progress."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from resnext.download.retries import PATIENCE, Patience, TryAgainError, patiently
from resnext.errors import DownloadError
from resnext.stores.store import STORE_PATIENCE


def busy(stated: float | None = None) -> Callable[[], None]:
    def fail() -> None:
        raise TryAgainError("x: the Hub answers 429", pause=stated)

    return fail


@pytest.mark.parametrize(
    ("patience", "stated", "made"),
    [
        (PATIENCE, None, [1, 2, 4, 8]),
        (PATIENCE, 7.0, [7] * 4),
        (PATIENCE, 1e6, [60] * 4),
        (STORE_PATIENCE, None, [1, 2, 4, 8]),
        (STORE_PATIENCE, 7.0, [7] * 4),
        (STORE_PATIENCE, 1e6, [600] * 4),
    ],
)
def test_server_says_how_long_to_wait_within_a_limit(
    patience: Patience,
    stated: float | None,
    made: list[float],
    capsys: pytest.CaptureFixture[str],
) -> None:
    pauses: list[float] = []
    with pytest.raises(DownloadError, match=r"^x: the Hub answers 429, 5 times in a row; so far$"):
        patiently(
            busy(stated),
            patience=replace(patience, sleep=pauses.append),
            last_words=lambda: "; so far",
        )
    assert pauses == made
    told = f"x: the Hub answers 429; the next try is in {made[0]:.0f} s\n" * 4
    assert capsys.readouterr().err == (told if made[0] >= 10 else "")


def test_only_more_than_ever_before_counts_as_progress() -> None:
    pauses: list[float] = []
    reached = iter([0, 5, 3, 5, 6, 6, 6, 6, 6])
    with pytest.raises(DownloadError, match="5 times in a row"):
        patiently(busy(), patience=Patience(sleep=pauses.append), done=lambda: next(reached))
    assert pauses == [1, 2, 4, 1, 2, 4, 8]


def test_result_of_the_try_that_succeeds_is_returned() -> None:
    answers: list[int | None] = [None, None, 7]

    def action() -> int:
        if (found := answers.pop(0)) is None:
            raise TryAgainError("x: not yet")
        return found

    assert patiently(action, patience=Patience(sleep=lambda _: None)) == 7


def test_failure_that_no_retry_helps_is_raised_at_once() -> None:
    pauses: list[float] = []

    def refused() -> None:
        raise DownloadError("x: no access")

    with pytest.raises(DownloadError, match=r"^x: no access$"):
        patiently(refused, patience=Patience(sleep=pauses.append))
    assert pauses == []

"""The section about classes: the profile of their errors."""

import pytest

from validate.reports.classes import profile


@pytest.mark.parametrize(
    ("errors", "path"),
    [
        ([100.0, 50.0, 50.0, 0.0], "M0 0H25V50H75V100H100"),
        ([0.0, 0.0], "M0 100H100"),
        ([12.5], "M0 87.5H100"),
    ],
)
def test_profile_has_a_step_for_each_other_error(errors: list[float], path: str) -> None:
    assert profile(errors) == path

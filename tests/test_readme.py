"""README and docs say what the data says."""

import pytest

from benchmarks.tables import PAGES, ROOT, fill


@pytest.mark.parametrize("page", PAGES)
def test_tables_match_the_data(page):
    text = (ROOT / page).read_text()
    assert fill(page, text) == text, "run `python -m benchmarks.tables`"

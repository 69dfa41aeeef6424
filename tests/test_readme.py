"""The README says what the data says."""

from pathlib import Path

from benchmarks.tables import fill

ROOT = Path(__file__).parents[1]


def test_readme_tables_match_the_data():
    text = (ROOT / "README.md").read_text()
    assert fill(text) == text, "run `python -m benchmarks.tables`"

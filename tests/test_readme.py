"""README and docs say what the data says."""

import pytest

from benchmarks.tables import PAGES, ROOT, complexity_table, fill


@pytest.mark.parametrize("page", PAGES)
def test_tables_match_the_data(page):
    text = (ROOT / page).read_text()
    assert fill(page, text) == text, "run `python -m benchmarks.tables`"


def test_networks_of_one_x_complexity_are_the_five_of_the_paper():
    _, _, *rows = complexity_table().splitlines()
    assert [tuple(row.strip("| ").split(" | ")[:3]) for row in rows] == [
        ("64", "1", "`resnet_50`"),
        ("40", "2", "`resnext_50_2x40d`"),
        ("24", "4", "`resnext_50_4x24d`"),
        ("14", "8", "`resnext_50_8x14d`"),
        ("4", "32", "`resnext_50_32x4d`"),
    ]

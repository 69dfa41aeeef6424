"""Where a pattern begins in an address of a store."""

import pytest

from resnext.stores.store_address import without_pattern


@pytest.mark.parametrize(
    ("text", "base", "pattern"),
    [
        ("s3://bucket/val", "s3://bucket/val", ""),
        ("s3://bucket/a/*-{0..3}.tar", "s3://bucket/a", "*-{0..3}.tar"),
        ("s3://bucket/*/x.tar", "s3://bucket", "*/x.tar"),
        ("zip://a/*.jpg::s3://bucket/x.zip", "zip://a::s3://bucket/x.zip", "*.jpg"),
        ("simplecache::s3://bucket/x", "simplecache::s3://bucket/x", ""),
    ],
)
def test_pattern_is_cut_off_an_address(text: str, base: str, pattern: str) -> None:
    assert without_pattern(text) == (base, pattern)

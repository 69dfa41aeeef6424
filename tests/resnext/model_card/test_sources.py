"""Sources of published numbers have addresses."""

from resnext.model_card.sources import address_of
from resnext.published import published


def test_every_source_of_the_published_table_has_an_address() -> None:
    sources = {claim.source for row in published() for claim in row.claims}
    assert [source for source in sources if address_of(source) is None] == []


def test_addresses_of_sources() -> None:
    assert address_of("ResNeXt README") == "https://github.com/facebookresearch/ResNeXt"
    assert address_of("ResNeXt.pytorch README: about, from the paper") == (
        "https://github.com/prlz77/ResNeXt.pytorch"
    )
    assert address_of("my own") is None

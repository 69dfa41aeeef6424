"""The last line of a card: whether a person has changed what a program wrote."""

import hashlib

import pytest

from resnext.model_card.seal import is_sealed, sealed


def test_seal_states_the_checksum_of_what_stands_above() -> None:
    *lines, last = sealed("---\na: 1\n---\n", "0.1.0").splitlines()
    assert lines == ["---", "a: 1", "---"]
    assert hashlib.sha256(b"---\na: 1\n---\n").hexdigest() in last
    assert last.startswith("<!-- Written by resnext 0.1.0;")


@pytest.mark.parametrize("text", ["a\nb\n", "a\r\nb\r\n", ""])
def test_card_as_it_was_written_is_known(text: str) -> None:
    card = sealed(text, "0.1.0")
    assert is_sealed(card)
    assert is_sealed(card.replace("\r\n", "\n"))
    assert is_sealed(sealed(card, "9"))
    assert sealed(card, "0.1.0") == card


def test_changed_card_is_known() -> None:
    card = sealed("a\nb\n", "0.1.0")
    assert not is_sealed(card.replace("b", "c"))
    assert not is_sealed(f"{card}more\n")
    assert not is_sealed("a\nb\n")

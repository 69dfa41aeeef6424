"""A README taken apart: its parts are its text, and what is no card is refused with a reason."""

from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from resnext.errors import CardError
from resnext.model_card.readme import Readme

PLAIN = "---\nlicense: mit\ntags:\n- a\n---\n\n# Title\n\n---\n\nmore\n"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        "\ufeff" + PLAIN,
        "\n \n" + PLAIN,
        "---\nlicense: mit\n---",
        "---\nlicense: mit\n---  \nx",
    ],
    ids=["unix", "windows", "byte order mark", "blank lines", "no body", "spaces"],
)
def test_parts_are_the_text_and_the_hub_reads_the_same(text: str) -> None:
    readme = Readme.of(text, "R")
    assert readme.text == text
    assert readme.values()["license"] == "mit"
    assert ModelCard(text.removeprefix("\ufeff")).data.license == "mit"


def test_lines_are_counted_from_the_top_of_the_file() -> None:
    assert Readme.of("\n\n---\na: 1\n---\n", "R").line(0) == 4


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "# Title\n",
            "x/README.md: front matter expected, YAML between two lines of ---, found no",
        ),
        ("---\nlicense: mit\n", "front matter expected"),
        ("", "front matter expected"),
    ],
)
def test_text_without_front_matter_is_refused(text: str, reason: str) -> None:
    with pytest.raises(CardError, match=reason):
        Readme.of(text, "x/README.md")


@pytest.mark.parametrize(
    ("matter", "reason"),
    [
        ("a: 1\nb: c: d", r"R: line 3: YAML expected .* mapping values are not allowed here"),
        ("a: [1", r"R: line \d: YAML expected"),
        ("a: *b", r"undefined alias"),
        ("a: 2026-13-45", r"month must be in 1\.\.12"),
        ("a: !!python/object:os.system {}", r"could not determine a constructor"),
        ("- a\n- b", r"names and values expected, found \['a', 'b'\]"),
        ("[" * 10_000, "YAML expected"),
        ("a: " + "9" * 5000, "YAML expected"),
    ],
    ids=["colon", "open", "alias", "date", "object", "list", "deep", "long number"],
)
def test_front_matter_that_is_none_is_refused_with_its_line(matter: str, reason: str) -> None:
    with pytest.raises(CardError, match=reason):
        Readme.of(f"---\n{matter}\n---\n", "R").values()


def test_alias_is_refused_with_its_line() -> None:
    readme = Readme.of("---\na: &x 1\nb: *x\n---\n", "R")
    with pytest.raises(CardError, match=r"R: line 3: values expected, found the alias \*x"):
        readme.node()


def test_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"---\n\xff\n---\n")
    with pytest.raises(CardError, match=r"README\.md: text in UTF-8 expected"):
        Readme.read(tmp_path / "README.md")


def test_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "blob").write_text(PLAIN)
    (tmp_path / "README.md").symlink_to(tmp_path / "blob")
    with pytest.raises(CardError, match="found a link"):
        Readme.read(tmp_path / "README.md")

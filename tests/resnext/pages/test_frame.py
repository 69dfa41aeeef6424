"""The frame of a page: what is written into it, and what it allows."""

import subprocess
import sys
from pathlib import Path

import pytest

from resnext.pages.frame import render_page
from tests.support.golden import ROOT
from tests.support.page import Page

TEMPLATE = """{% extends "frame.html" %}
{% block title %}Title{% endblock %}
{% block header %}{{ name }}{% endblock %}
{% block main %}{{ 12345 | thousands }}{% endblock %}
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    (tmp_path / "sample.html").write_text(TEMPLATE)
    (tmp_path / "sample.css").write_text("p > a {color: red}")
    return tmp_path / "sample.html"


def test_page_holds_its_styles_and_escapes_values(template: Path) -> None:
    text = render_page(template, name="<script>1</script>")
    assert "p > a {color: red}</style>" in text
    page = Page(text)
    assert page.text == "<script>1</script> 12,345"
    assert page.all("script") == []


def test_page_allows_the_script_beside_its_template(template: Path) -> None:
    template.with_suffix(".js").write_text("1 < 2;")
    text = render_page(template, name="x")
    assert "<script>1 < 2;</script>" in text
    # openssl dgst -sha256 -binary | base64
    assert "script-src 'sha256-8kTqrHbqWDoSePfkruRpiulQK+Fpsgz44xv0/RyTtYs=';" in text


def test_value_that_is_missing_is_an_error(template: Path) -> None:
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError, match="'name' is undefined"):
        render_page(template)


@pytest.mark.parametrize("module", ["resnext.pages.frame", "validate.reports"])
def test_import_leaves_jinja2_and_torch_alone(module: str) -> None:
    code = f"import sys, {module}; print('jinja2' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False False\n"

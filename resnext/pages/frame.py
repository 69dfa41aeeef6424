"""A template and values -> one HTML page that loads nothing from elsewhere."""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from resnext.terminal.text import printable

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER: Final = Path(__file__).parent
STYLE: Final = "frame.css"


def render_page(template: Path, **values: object) -> str:
    """Return the page that a template makes of values; every text in them is escaped.

    Styles and script are written into the page, and its content security policy allows no other
    script: a page may show names from files of strangers.

    Args:
        template: `NAME.html`, which extends "frame.html". Beside it lies `NAME.css`, which follows
            the styles of the frame, and `NAME.js` if the page has a script.
        values: what the template refers to; a name that is missing is an error.
    """
    from markupsafe import Markup

    style = "\n".join(_text(path) for path in (FOLDER / STYLE, template.with_suffix(".css")))
    script_file = template.with_suffix(".js")
    script = _text(script_file) if script_file.exists() else ""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = _environment(template.parent).get_template(template.name)
    return page.render(
        values,
        # Both are files of this project, not data.
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        script_digest=digest,
    )


@cache
def _environment(folder: Path) -> "Environment":
    """Return jinja2's settings for the templates in a folder and for those of this one."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([folder, FOLDER]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"printable": printable, "thousands": "{:,}".format}
    return environment


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")

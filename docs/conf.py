"""The documentation site: README, the pages of this folder, and the reference from docstrings.

`make docs` builds it; a link or an anchor that leads nowhere is an error.
"""

from importlib.metadata import version as installed
from typing import TYPE_CHECKING

from pygments.lexers.special import TextLexer

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "ResNeXt, as released"
version = release = installed("resnext")
author = project_copyright = ""

# The folder of the sources is the repository, so that links are the same as in a clone.
root_doc = "README"
include_patterns = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
include_patterns += ["docs/*.md", "docs/*.rst", "examples/digits/README.md"]
include_patterns += ["benchmarks/README.md", "evidence/README.md", "tests/data/README.md"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 4
default_role = "code"  # what docstrings put between single backticks
autodoc_typehints = "description"
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = project
html_show_copyright = False

# Page -> what stands in the table of contents; README has none of its own.
CONTENTS = """

```{toctree}
:hidden:
:caption: Use

docs/convert
docs/validate
docs/images
docs/predict
docs/published
docs/ci
docs/train
docs/fine-tune
docs/python
docs/weights-elsewhere
docs/why-ports-lost-accuracy
docs/contribute-evidence
```

```{toctree}
:hidden:
:caption: Know

docs/api
docs/formats
docs/performance
docs/scale
docs/ARCHITECTURE
CONTRIBUTING
SECURITY
CHANGELOG
benchmarks/README
evidence/README
tests/data/README
examples/digits/README
```
"""


def add_contents(_: "Sphinx", page: str, source: list[str]) -> None:
    """Add the table of contents to the first page."""
    if page == root_doc:
        source[0] += CONTENTS


def setup(app: "Sphinx") -> None:
    """Register what this file adds to Sphinx, which calls this function by its name."""
    app.connect("source-read", add_contents)
    app.add_lexer("mermaid", TextLexer)  # diagrams are shown as they are written

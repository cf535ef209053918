"""What the templates in book/_templates need, and only that: the theme's own styles and scripts stay out."""

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

# Jupyter Book's theme and extensions bring these for a layout that is not ours; `details` needs no script to open.
LEFT_OUT = ("sphinx-book-theme", "thebe", "togglebutton", "design-tabs", "sphinx-design", "mystnb", "pygments")
LEFT_OUT += ("sphinx_highlight",)
SEARCH_ONLY = ("doctools",)


def complete(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Say where a page stands, and keep what it needs of styles and scripts."""
    out = LEFT_OUT if page == "search" else LEFT_OUT + SEARCH_ONLY
    for kind in ("script_files", "css_files"):
        context[kind] = [
            f for f in context[kind] if not any(word in f"{f} {getattr(f, 'attributes', '')}".lower() for word in out)
        ]
    source = Path(app.env.doc2path(page)) if page in app.env.found_docs else None
    context["layers"] = context["notebook"] = None
    if source and source.suffix == ".ipynb":
        options = app.config.html_theme_options
        home = options["repository_url"].removeprefix("https://github.com/")
        context["layers"], context["notebook"] = True, f"{page}.ipynb"
        context["colab"] = (
            f"{options['launch_buttons']['colab_url']}/github/{home}/blob/{options['repository_branch']}"
        )
        context["colab"] += f"/{page}.ipynb"
        context["here"] = app.env.titles[page].astext()


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("html-page-context", complete, priority=900)
    return {"parallel_read_safe": True}

"""Jupyter Book brings Thebe along, twice, which is an error in every page's console: we have no kernel to offer."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx


def drop(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Take Thebe's scripts and styles out of a page."""
    for kind in ("script_files", "css_files"):
        context[kind] = [f for f in context[kind] if "thebe" not in f"{f} {getattr(f, 'attributes', '')}".lower()]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("html-page-context", drop, priority=900)
    return {"parallel_read_safe": True}

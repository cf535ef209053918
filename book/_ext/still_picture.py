"""Say what a poster is, under it, for as long as the page's script has not run: blocked, lost, or switched off."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

VIEW = '<script type="application/vnd.jupyter.widget-view+json">'
# widgets.js hides it as soon as it runs.
LINE = """<p class="gu-still">This is a picture of a widget that needs this page's JavaScript, which has not run. \
Reload the page, or allow it in the browser's settings.</p>"""


def add(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Put the line before every widget's view."""
    if "body" in context:
        context["body"] = context["body"].replace(VIEW, LINE + VIEW)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("html-page-context", add)
    return {"parallel_read_safe": True}

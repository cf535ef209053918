"""Before a widget lives: the room that it will take, and what its poster is, for as long as no script has run."""

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

VIEW = '<script type="application/vnd.jupyter.widget-view+json">'
# widgets.js hides it as soon as it runs.
LINE = """<p class="gu-still">This is a picture of a widget that needs this page's JavaScript, which has not run. \
Reload the page, or allow it in the browser's settings.</p>"""
HEIGHTS = Path(__file__).resolve().parent.parent / "heights.json"  # by tools/heights.py


def add(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Put the line before every widget's view, and the widgets' heights into the page's head."""
    if "body" not in context or VIEW not in context["body"]:
        return
    first, *rest = context["body"].split(VIEW)
    marked = [LINE.replace("<p ", f'<p id="gu-still-{k}" ') + VIEW + text for k, text in enumerate(rest)]
    context["body"] = first + "".join(marked)
    rooms = json.loads(HEIGHTS.read_text(encoding="utf-8")).get(page, [])
    rules = [room(k, *line) for k, lines in enumerate(rooms) for line in lines]
    context["metatags"] = context.get("metatags", "") + f"<style>{''.join(rules)}</style>"


def room(k: int, width: float, height: float, slope: float) -> str:
    """Write how high a widget is from this width of its column on: course.css keeps that room."""
    rule = f"--gu-room: calc({height}px + {slope} * (100cqw - {width}px))"
    return f"@container (min-width: {width}px) {{ .cell_output:has(> #gu-still-{k}) {{ {rule} }} }}\n"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("html-page-context", add)
    return {"parallel_read_safe": True}

"""Print under each chapter's title what it costs to run, as `make execute` measured and recorded it."""

import json
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx


def add_cost(app: Sphinx, doctree: nodes.document) -> None:
    """Insert the line after the first heading of a notebook that has been executed."""
    source = Path(app.env.doc2path(app.env.docname))
    if source.suffix != ".ipynb":
        return
    cost = json.loads(source.read_text()).get("metadata", {}).get("cost")
    if cost:
        minutes = f"{cost['seconds'] / 60:.1f}".removesuffix(".0")
        text = f"Everything on this page trains from scratch in {minutes} minutes on {cost['machine']}."
        title = next(iter(doctree.findall(nodes.title)))
        title.parent.insert(title.parent.index(title) + 1, nodes.paragraph(text, text, classes=["cost"]))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("doctree-read", add_cost)
    return {"parallel_read_safe": True}

"""Say what each chapter costs to run, as `make execute` measured and recorded it: under its title, and in a table.

`{chapter-costs}` is the table: every chapter, the minutes that it trains, and what it has for a class.
"""

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def minutes(cost: dict[str, Any]) -> str:
    """Write a notebook's seconds as minutes."""
    return f"{cost['seconds'] / 60:.1f}".removesuffix(".0")


def add_cost(app: Sphinx, doctree: nodes.document) -> None:
    """Insert the line after the first heading of a notebook that has been executed."""
    source = Path(app.env.doc2path(app.env.docname))
    if source.suffix != ".ipynb":
        return
    cost = json.loads(source.read_text(encoding="utf-8")).get("metadata", {}).get("cost")
    if cost:
        text = f"Everything on this page is computed in {minutes(cost)} minutes on {cost['machine']}."
        title = next(iter(doctree.findall(nodes.title)))
        title.parent.insert(title.parent.index(title) + 1, nodes.paragraph(text, text, classes=["cost"]))


class ChapterCosts(SphinxDirective):
    """One line a chapter: minutes of training, live widgets, exercises, words to read."""

    def run(self) -> list[nodes.Node]:
        """Count them in the notebooks."""
        lines = ["| chapter | trains in, minutes | widgets | exercises | words |", "|---|---:|---:|---:|---:|"]
        machines = set()
        for path in sorted(Path(self.env.srcdir, "notebooks").glob("*.ipynb")):
            if f"notebooks/{path.stem}" not in self.env.found_docs:
                continue
            self.env.note_dependency(str(path))
            notebook = json.loads(path.read_text(encoding="utf-8"))
            cost = notebook["metadata"].get("cost")
            machines |= {cost["machine"]} if cost else set()
            tags = [tag for cell in notebook["cells"] for tag in cell["metadata"].get("tags", [])]
            words = sum(len("".join(c["source"]).split()) for c in notebook["cells"] if c["cell_type"] == "markdown")
            lines.append(
                f"| {int(path.stem[:2])} · {{doc}}`/notebooks/{path.stem}` | {minutes(cost) if cost else '–'} | "
                f"{tags.count('widget')} | {tags.count('starter')} | {round(words, -2):,} |"
            )
        return self.parse_text_to_nodes("\n".join([*lines, "", f"Measured on {' and '.join(sorted(machines))}."]))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("doctree-read", add_cost)
    app.add_directive("chapter-costs", ChapterCosts)
    return {"parallel_read_safe": True}

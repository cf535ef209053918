"""`{chapter-cards}`: every chapter's picture, question and size, in the colours of the map."""

import json
import re
from pathlib import Path

from docutils import nodes
from layers import sizes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

# What a chapter's models give: an exact density, a bound on it, samples only; its code; or all side by side.
KINDS = {1: "exact", 2: "exact", 3: "code", 4: "bound", 5: "samples", 6: "bound", 7: "all"}
SAID = {
    "exact": "exact densities",
    "bound": "densities with a bound",
    "samples": "samples only",
    "code": "codes",
    "all": "all of them",
}


class ChapterCards(SphinxDirective):
    """One card a chapter, each a link."""

    def run(self) -> list[nodes.Node]:
        """Read them off the notebooks."""
        cards = nodes.container(classes=["cards"])
        for path in sorted(Path(self.env.srcdir, "notebooks").glob("*.ipynb")):
            self.env.note_dependency(str(path))
            notebook = json.loads(path.read_text(encoding="utf-8"))
            opening = "".join(notebook["cells"][0]["source"])
            title = re.search(r"^# (.+)$", opening, re.MULTILINE)[1]
            picture = re.search(r"!\[.*?\]\(.*?\)", opening)[0]
            question = re.search(r"\*\*([^*]*?\?)\*\*", opening)[1]
            kind = KINDS[int(path.stem[:2])]
            lines = [
                picture,
                f"{int(path.stem[:2])} · {SAID[kind]}",
                f"**{{doc}}`{title} </notebooks/{path.stem}>`**",
            ]
            card = nodes.container(classes=["card", kind])
            card += self.parse_text_to_nodes("\n\n".join([*lines, question, " · ".join(sizes(notebook))]))
            cards += card
        return [cards]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_directive("chapter-cards", ChapterCards)
    return {"parallel_read_safe": True}

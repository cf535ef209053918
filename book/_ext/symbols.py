"""Give the symbols that carry the course the colours of its figures, wherever they stand, and say what they mean.

Under the pointer a symbol lights up everywhere, and the page shows its line of the notation (page.js).
"""

import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

# How a symbol begins in TeX, by the meaning that it shares its colour with.
SYMBOLS = {
    "model": r"p_\theta",
    "latent": r"\mathbf z",
    "noise": r"\boldsymbol\varepsilon",
    "decision": r"D_\phi",
}
FOUND = re.compile("|".join(f"(?P<{name}>{re.escape(tex)})(?![a-zA-Z])" for name, tex in SYMBOLS.items()))


def colour(app: Sphinx, doctree: nodes.document) -> None:
    """Mark the symbols in every formula."""
    for formula in doctree.findall(lambda node: isinstance(node, nodes.math | nodes.math_block)):
        text = FOUND.sub(lambda found: rf"{{\class{{sym-{found.lastgroup}}}{{{found[0]}}}}}", formula.astext())
        formula.children, formula.rawsource = [nodes.Text(text)], text


def meanings(notation: Path) -> dict[str, str]:
    """Find the symbols' lines in the tables of the notation; formulas in them stay TeX."""
    rows = re.findall(r"^\| (\$.*?) \|.*?\| (.*?) \|$", notation.read_text(encoding="utf-8"), re.MULTILINE)
    lines = {
        name: next(line for symbol, line in rows if symbol.startswith("$" + tex)) for name, tex in SYMBOLS.items()
    }
    return {name: re.sub(r"\$(.*?)\$", r"\\(\1\\)", f"${SYMBOLS[name]}$: {line}") for name, line in lines.items()}


def explain(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Put the lines into every page that has formulas."""
    if doctree is not None and r"\class{sym-" in context.get("body", ""):
        lines = json.dumps(meanings(Path(app.srcdir) / "book/notation.md")).replace("</", r"<\/")
        context["body"] += f'<script type="application/json" id="symbols">{lines}</script>'


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("doctree-read", colour, priority=700)  # captions are there by then
    app.connect("html-page-context", explain)
    return {"parallel_read_safe": True}

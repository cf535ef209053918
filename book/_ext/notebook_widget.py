"""Show a widget of a notebook on another page: `{widget} LatentPlane` with `:from: 04_variational_autoencoders`."""

import json
from html import escape
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


class NotebookWidget(SphinxDirective):
    """The first widget of the class that the argument names: its poster, its state and its view, as stored."""

    required_arguments = 1
    option_spec: ClassVar = {"from": directives.unchanged_required, "try": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Find the cell, and lay its outputs out as its own page does."""
        path = Path(self.env.srcdir) / f"notebooks/{self.options['from']}.ipynb"
        self.env.note_dependency(str(path))
        try:
            return [hero(path, self.arguments[0], self.options.get("try", ""))]
        except ValueError as error:
            raise self.error(str(error)) from error


def hero(path: Path, kind: str, words: str) -> nodes.raw:
    """Frame the first widget of a class that a notebook shows, under words on what to try."""
    line = f'<p class="try">{escape(words)}</p>' if words else ""
    return nodes.raw("", f'<div class="hero">{line}{first_widget(path, kind)}</div>', format="html")


def first_widget(path: Path, kind: str) -> str:
    """Write the first widget of a class that a notebook shows."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    models = notebook["metadata"]["widgets"][STATE]["state"]
    for cell in notebook["cells"]:
        shown = {kind: data for o in cell.get("outputs", []) for kind, data in o.get("data", {}).items()}
        if "".join(shown.get("text/plain", "")) == f"{kind}()":
            return page(cell, shown, models)
    raise ValueError(f"{path.name}: expected a widget {kind}, found none")


def page(cell: dict, shown: dict, models: dict) -> str:
    """Write what widgets.js looks for, after the poster that stands in for it."""
    view = shown[VIEW]
    # A widget leans on its layout alone.
    wanted = {view["model_id"], models[view["model_id"]]["state"]["layout"].removeprefix("IPY_MODEL_")}
    state = {"version_major": 2, "version_minor": 0, "state": {name: models[name] for name in sorted(wanted)}}
    alt = escape(cell["metadata"]["mystnb"]["image"]["alt"], quote=True)
    texts = {kind: json.dumps(data).replace("</", r"<\/") for kind, data in {STATE: state, VIEW: view}.items()}
    scripts = "".join(f'<script type="{kind}">{text}</script>' for kind, text in texts.items())
    poster = f'<img alt="{alt}" src="data:image/png;base64,{shown["image/png"].strip()}">'
    return f'<div class="cell"><div class="cell_output"><div class="output">{poster}</div>{scripts}</div></div>'


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_directive("widget", NotebookWidget)
    return {"parallel_read_safe": True}

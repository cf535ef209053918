"""Put the package's current JavaScript and CSS into the widgets that the notebooks store, without running them."""

from pathlib import Path

import nbformat

from gen_utils.page import widgets

ROOT = Path(__file__).resolve().parent.parent
STATE = "application/vnd.jupyter.widget-state+json"


def refresh(notebook: nbformat.NotebookNode) -> None:
    """Update, in place, every stored widget of the package."""
    for widget in notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {}).values():
        module, _, name = widget.state.get("_anywidget_id", "").rpartition(".")
        if module.startswith("gen_utils."):
            source = getattr(widgets, name)
            widget.state["_anywidget_id"] = f"{source.__module__}.{name}"
            widget.state["_esm"], widget.state["_css"] = str(source._esm), str(source._css)


def main() -> None:
    """Rewrite all notebooks."""
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        refresh(notebook)
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main()

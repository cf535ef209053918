"""Posters: what each widget of a notebook looks like, a screenshot of the widget on a page of its own.

A poster is what GitHub, a PDF and a page without JavaScript show, and what stands in for the widget until it lives.
The page is made from the state that the notebook stores, as anywidget would show it in the book.
"""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import nbformat
from chromium import find_chromium
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
# `model` is as anywidget hands it over: setting a value calls the listeners.
PAGE = """<!doctype html><html lang="en" data-theme="light" data-content_root="./"><head><title>Widget</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
STYLES<style>
html { --pst-color-background: #ffffff; --pst-color-text-base: #222832; --pst-color-border: #c9c9c9; }
html[data-theme="dark"] { --pst-color-text-base: #ced6dd; --pst-color-border: #48566b;
    --pst-color-background: #14181e; }
html { background: var(--pst-color-background); font-family: sans-serif; }
body { margin: 1rem; }</style></head><body><script type="module">
const open = async (name) => {
    const widget = (await import(`./${name}.js`)).default;
    const state = await (await fetch(`./${name}.json`)).json();
    const listeners = new Set();
    const model = {
        listeners,
        get: (name) => state[name],
        set: (name, value) => {
            if (JSON.stringify(state[name]) === JSON.stringify(value)) return;
            state[name] = value;
            [...listeners].filter(([event]) => event === `change:${name}`).forEach(([, listener]) => listener());
        },
        on: (event, listener) => listeners.add([event, listener]),
        off: (event, listener) => listeners.forEach((each) => {
            if (each[0] === event && each[1] === listener) listeners.delete(each);
        }),
        save_changes: () => {},
    };
    const el = document.body.appendChild(document.createElement("div"));
    el.id = name;
    return { name, model, dispose: widget.render({ model, el }) };
};
globalThis.views = await Promise.all(NAMES.map(open));
globalThis.model = views[0].model;
</script></body></html>"""


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that logs nothing."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def write_page(folder: Path, page: str, states: dict[str, dict[str, Any]], models: Path) -> None:
    """Write `page`.html with the widgets of these states, by name, and all that it loads; graphs lie in `models`."""
    (folder / "_static/vendor").mkdir(parents=True, exist_ok=True)
    for link, target in {"vendor/ort": ROOT / "book/_static/vendor/ort", "models": models}.items():
        if not (folder / "_static" / link).exists():
            (folder / "_static" / link).symlink_to(target)
    for name, state in states.items():
        shown = {key: value for key, value in state.items() if not key.startswith(("_", "layout"))}
        (folder / f"{name}.json").write_text(json.dumps(shown), encoding="utf-8")
        (folder / f"{name}.js").write_text(state["_esm"], encoding="utf-8")
        (folder / f"{name}.css").write_text(state["_css"], encoding="utf-8")
    styles = "".join(f'<link rel="stylesheet" href="./{name}.css">' for name in states)
    html = PAGE.replace("STYLES", styles).replace("NAMES", json.dumps([*states]))
    (folder / f"{page}.html").write_text(html, encoding="utf-8")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Origin of a server of a folder, on localhost."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


STATE, VIEW = (f"application/vnd.jupyter.widget-{kind}+json" for kind in ("state", "view"))
COLUMN = 750  # CSS pixels: as wide as the book's text


def add_posters(notebook: nbformat.NotebookNode, *models: Path) -> None:
    """Replace, in place, the picture that stands before each widget by a screenshot of it.

    Graphs lie in the folders `models`; of two with one name, the last folder's counts.

    Raises:
        RuntimeError: no Chromium.
    """
    cells = [outputs for cell in notebook.cells if (outputs := shown(cell))]
    if not cells:
        return
    chromium = find_chromium()
    if chromium is None:
        raise RuntimeError(
            "no Chromium for the posters: apt install chromium-headless-shell, or give its path in CHROMIUM"
        )
    states = notebook.metadata.widgets[STATE]["state"]
    with TemporaryDirectory() as folder, sync_playwright() as playwright, served(Path(folder)) as origin:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--disable-gpu"])
        graphs = {path.name: path for each in models for path in each.glob("*.onnx")}
        (Path(folder) / "graphs").mkdir()
        for name, path in graphs.items():
            (Path(folder) / "graphs" / name).symlink_to(path)
        for picture, view in cells:
            write_page(Path(folder), "poster", {"widget": states[view["model_id"]]["state"]}, Path(folder) / "graphs")
            png = screenshot(browser, f"{origin}/poster.html")
            picture.data["image/png"] = base64.b64encode(png).decode()
            picture.metadata["image/png"] = {"width": COLUMN}  # for Jupyter, which shows a pixel as a pixel
        browser.close()


def shown(cell: nbformat.NotebookNode) -> tuple[nbformat.NotebookNode, dict] | None:
    """Return the output that holds a cell's poster, and its widget's view, if it shows one."""
    found = [output for output in cell.get("outputs", []) if "data" in output]
    views = [output.data[VIEW] for output in found if VIEW in output.data]
    pictures = [output for output in found if "image/png" in output.data]
    return (pictures[-1], views[0]) if views and pictures else None


def screenshot(browser: Browser, address: str) -> bytes:
    """Draw the widget of a page when it has come to rest, at two pixels for one, in light colours: a PNG."""
    page = browser.new_page(viewport={"width": COLUMN + 32, "height": 1200}, device_scale_factor=2)
    page.goto(address)
    widget = page.locator(".gu-live")
    widget.wait_for(timeout=120_000)
    widget.evaluate("(el) => el.poster?.()")
    before = None
    while (now := widget.screenshot()) != before:
        before = now
        page.wait_for_timeout(1000)
    page.close()
    return now

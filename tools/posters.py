"""A page of widgets alone, as anywidget would show them in the book, made from the state that a notebook stores."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

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
        (folder / f"{name}.json").write_text(json.dumps(shown))
        (folder / f"{name}.js").write_text(state["_esm"])
        (folder / f"{name}.css").write_text(state["_css"])
    styles = "".join(f'<link rel="stylesheet" href="./{name}.css">' for name in states)
    html = PAGE.replace("STYLES", styles).replace("NAMES", json.dumps([*states]))
    (folder / f"{page}.html").write_text(html)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Origin of a server of a folder, on localhost."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()

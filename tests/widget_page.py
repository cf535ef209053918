"""A widget alone on a page of its own, served on localhost, as anywidget would show it in the book."""

import json
import subprocess
from contextlib import contextmanager
from functools import partial
from http.server import ThreadingHTTPServer
from threading import Thread

from conftest import ROOT, Quiet, watched

from gen_utils import plots

PHONE, COLUMN = {"width": 360, "height": 700}, {"width": 782, "height": 900}  # a text column of 750, and margins
# A model as anywidget hands it over: setting a value tells those who listen to it.
PAGE = """<!doctype html><html lang="en" data-theme="light" data-content_root="./"><head><title>Widget</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<link rel="stylesheet" href="./NAME.css"><style>
html { --pst-color-background: #ffffff; --pst-color-text-base: #222832; --pst-color-border: #c9c9c9; }
html[data-theme="dark"] { --pst-color-text-base: #ced6dd; --pst-color-border: #48566b;
    --pst-color-background: #14181e; }
html { background: var(--pst-color-background); font-family: sans-serif; }
body { margin: 1rem; }</style></head><body><script type="module">
import widget from "./NAME.js";
const state = await (await fetch("./NAME.json")).json();
const listeners = [];
globalThis.model = {
    get: (name) => state[name],
    set: (name, value) => {
        if (JSON.stringify(state[name]) === JSON.stringify(value)) return;
        state[name] = value;
        listeners.filter(([event]) => event === `change:${name}`).forEach(([, heard]) => heard());
    },
    on: (events, heard) => events.split(" ").forEach((event) => listeners.push([event, heard])),
    save_changes: () => {},
};
widget.render({ model, el: document.body.appendChild(document.createElement("div")) });
</script></body></html>"""


def build(folder, shown):
    """Write a page for each widget, by name, and all that it loads."""
    if not (ROOT / "book/_static/vendor/installed").exists():
        subprocess.run(["make", "book/_static/vendor/installed"], cwd=ROOT, check=True)
    (folder / "_static/vendor").mkdir(parents=True)
    (folder / "_static/vendor/ort").symlink_to(ROOT / "book/_static/vendor/ort")
    for name, widget in shown.items():
        state = {key: value for key, value in widget.get_state().items() if not key.startswith(("_", "layout"))}
        (folder / f"{name}.json").write_text(json.dumps(state))
        (folder / f"{name}.js").write_text(str(widget._esm))
        (folder / f"{name}.css").write_text(str(widget._css))
        (folder / f"{name}.html").write_text(PAGE.replace("NAME", name))
    (folder / "_static/models").symlink_to(next(iter(widget._graphs.values())).path.parent)


@contextmanager
def served(folder, shown):
    """Origin of a server of the widgets' pages."""
    build(folder, shown)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def assert_lean_state(widget, most):
    """A widget's state holds its graphs' names and digests, its colours, and at most so many bytes: no weights."""
    state = widget.get_state()
    files = {name: {"file": graph.path.name, "sha256": graph.sha256} for name, graph in widget._graphs.items()}
    assert state["graphs"] == files
    assert state["colours"] == plots.COLOURS
    assert len(json.dumps(state, allow_nan=False)) < most
    assert repr(widget) == f"{type(widget).__name__}()"


def opened(browser, origin, name):
    """The page of one widget, alive."""
    with watched(browser, origin, viewport=COLUMN, has_touch=True) as page:
        page.goto(f"/{name}.html")
        page.wait_for_selector(".gu-live")
        yield page


def assert_missing_is_told(browser, origin, name, graph):
    """Without one of its graphs a widget says so, and draws nothing."""
    with watched(browser, origin, viewport=COLUMN, troubles=(troubles := [])) as page:
        page.route(f"**/{graph}.onnx*", lambda route: route.fulfill(status=404))
        page.goto(f"/{name}.html")
        page.get_by_text("could not start").wait_for()
        assert page.locator("canvas, .gu-live").count() == 0
    assert not any("uncaught" in trouble for trouble in troubles)


def still(page, value, frames=30):
    """What an expression is, once it has stayed the same for so many frames."""
    return page.evaluate(f"""async () => {{
        let [before, same] = [NaN, 0];
        while (same < {frames}) {{
            await new Promise(requestAnimationFrame);
            const now = {value};
            [before, same] = [now, now === before ? same + 1 : 0];
        }}
        return before;
    }}""")

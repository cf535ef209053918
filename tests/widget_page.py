"""A widget alone on a page of its own, served on localhost, as anywidget would show it in the book."""

import json
import subprocess
from contextlib import contextmanager

import posters
from conftest import ROOT, watched

from gen_utils import plots

PHONE, COLUMN = {"width": 360, "height": 700}, {"width": 782, "height": 900}  # a text column of 750, and margins


@contextmanager
def served(folder, shown):
    """Origin of a server of a page for each widget, by name, and all that it loads."""
    if not (ROOT / "book/_static/vendor/installed").exists():
        subprocess.run(["make", "book/_static/vendor/installed"], cwd=ROOT, check=True)
    for name, widget in shown.items():
        models = next(iter(widget._graphs.values())).path.parent
        posters.write_page(folder, name, {name: widget.get_state()}, models)
    with posters.served(folder) as origin:
        yield origin


def assert_lean_state(widget, most):
    """A widget's state holds its graphs' names and digests, its colours, and at most so many bytes: no weights."""
    state = widget.get_state()
    files = {name: {"file": graph.path.name, "sha256": graph.sha256} for name, graph in widget._graphs.items()}
    assert state["graphs"] == files
    assert state["colours"] == plots.COLOURS
    data = {name: value for name, value in state.items() if not name.startswith("_")}  # less its program
    assert len(json.dumps(data, allow_nan=False)) < most
    assert repr(widget) == f"{type(widget).__name__}()"


def opened(browser, origin, name):
    """The page of one widget, alive."""
    with watched(browser, origin, viewport=COLUMN, has_touch=True) as page:
        page.goto(f"/{name}.html")
        page.wait_for_selector(".gu-live")
        yield page


def assert_missing_is_reported(browser, origin, name, graph):
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

"""A widget that is removed, or whose cell runs again, leaves nothing behind that runs on."""

import json

import posters
import pytest
from conftest import ROOT, watched

from gen_utils.page import widgets

# Note what is started and not ended: observers, sessions, and listeners outside the widget, with where they started.
COUNT = """
if (location.protocol === "http:") {
    const live = (globalThis.live = new Map());
    const start = (thing, what) => live.set(thing, `${what} ${new Error().stack}`);
    for (const name of ["ResizeObserver", "IntersectionObserver", "MutationObserver"]) {
        globalThis[name] = class extends globalThis[name] {
            observe(...given) { start(this, name); super.observe(...given); }
            disconnect() { live.delete(this); super.disconnect(); }
        };
    }
    for (const target of [window, document]) {
        const add = target.addEventListener;
        target.addEventListener = (...given) => { start(given[1], "listener"); add.apply(target, given); };
        const remove = target.removeEventListener;
        target.removeEventListener = (...given) => { live.delete(given[1]); remove.apply(target, given); };
    }
    globalThis.calls = 0; // of timers and frames
    for (const name of ["setTimeout", "requestAnimationFrame"]) {
        const begin = globalThis[name];
        globalThis[name] = (...given) => { globalThis.calls += 1; return begin(...given); };
    }
    import("/_static/vendor/ort/ort.wasm.bundle.min.mjs").then(({ InferenceSession }) => {
        const create = InferenceSession.create;
        InferenceSession.create = async (...given) => {
            const session = await create(...given);
            const release = session.release.bind(session);
            session.release = () => { live.delete(session); return release(); };
            start(session, "session");
            return session;
        };
    });
}
"""
STATE = "application/vnd.jupyter.widget-state+json"


def stored():
    """The state of one widget of each class, as the notebooks store it, with the package's bundles."""
    found = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for model in json.loads(path.read_text(encoding="utf-8"))["metadata"]["widgets"][STATE]["state"].values():
            name = model["state"].get("_anywidget_id", "").rpartition(".")[2]
            if source := getattr(widgets, name, None):
                found[name] = model["state"] | {"_esm": source._esm, "_css": source._css}
    return found


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    states = stored()
    assert states.keys() == set(widgets.__all__) - {"GraphWidget", "Noise"}
    folder = tmp_path_factory.mktemp("pages")
    posters.write_page(folder, "all", states, ROOT / "book/_static/models")
    with (
        posters.served(folder) as origin,
        watched(browser, origin, viewport={"width": 800, "height": 20_000}) as page,
    ):
        page.add_init_script(COUNT)
        page.goto("/all.html")
        page.wait_for_function(f"document.querySelectorAll('.gu-live').length === {len(states)}", timeout=120_000)
        yield page


def test_nothing_runs_on(page):
    for name in ("Play", "Walk", "Start", "Run", "New noise", "Complete", "New round", "Other noise"):
        for each in page.get_by_role("button", name=name, exact=True).all():
            each.dispatch_event("click")
    page.wait_for_timeout(300)
    assert page.evaluate("live.size") > 40
    page.evaluate("views.forEach(({ dispose }) => dispose())")
    page.wait_for_timeout(1000)  # what waits for a frame or a timer ends with it
    left = page.evaluate("[...live.values()]")
    assert [each for each in left if "InjectedScript" not in each] == []  # Playwright's own
    assert page.evaluate("views.filter(({ model }) => model.listeners.size).map(({ name }) => name)") == []
    calls = page.evaluate("calls")
    page.wait_for_timeout(1000)
    assert page.evaluate("calls") == calls
    assert page.locator(".gu-live, canvas").count() == 0

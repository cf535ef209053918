"""No widget is silent, or loads for ever: whatever fails, one line says what and what to do, and the poster stays."""

import gzip
import json
import re
from contextlib import contextmanager
from functools import partial
from http.server import ThreadingHTTPServer
from itertools import pairwise
from threading import Event, Thread
from time import sleep

import nbformat
import notebook_widget
import pytest
import still_picture
from conftest import ROOT, Quiet, watched
from ipywidgets import FloatSlider, jslink
from ipywidgets.embed import embed_data
from refresh_widgets import refresh

from gen_utils.page import widgets

STATE, VIEW = notebook_widget.STATE, notebook_widget.VIEW
VENDOR = ROOT / "book/_static/vendor"
RATE = 100_000  # bytes a second, of a slow line
HTML = """<!doctype html><html lang="en" data-content_root="./"><head><title>Widgets</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<link rel="stylesheet" href="./_static/course.css"><script src="./_static/widgets.js"></script></head>
<body><article class="bd-content">BODY<p id="below">The text below.</p></article></body></html>"""
# A notebook elsewhere, which has no site of ours around it: `answer` says what its kernel does.
NOTEBOOK = """<!doctype html><html lang="en"><head><title>Notebook</title><link rel="icon" href="data:,"></head><body>
<div class="output"><img alt="Poster" src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="></div>
<script type="module">
const state = JSON.parse(`STATE`);
const module = URL.createObjectURL(new Blob([state._esm], { type: "text/javascript" }));
const widget = (await import(module)).default;
const listeners = new Set();
const model = {
    get: (name) => state[name],
    set: (name, value) => {
        state[name] = value;
        for (const [event, heard] of listeners) if (event === `change:${name}`) heard();
    },
    on: (event, heard) => listeners.add([event, heard]),
    off: () => {},
    save_changes: () => {},
};
globalThis.answers = false;
globalThis.asked = [];
const answer = [{ outputs: [{ name: "x", dims: [1, 1, 28, 28] }] }, [new DataView(new ArrayBuffer(4 * 784))]];
const invoke = (command, message, { signal }) => new Promise((resolve, reject) => {
    asked.push(command);
    signal.addEventListener("abort", () => reject(signal.reason));
    const look = () => (answers ? resolve(answer) : requestAnimationFrame(look));
    look();
});
const experimental = location.search === "?kernel" ? { invoke } : undefined;
widget.render({ model, el: document.body.appendChild(document.createElement("div")), experimental });
globalThis.model = model;
</script></body></html>"""


class Handler(Quiet):
    """Serve a folder; a slow line compresses what hosts compress, and a gate holds the second half of one file."""

    rate, gate = None, None

    def do_GET(self):  # noqa: N802
        path = self.translate_path(self.path)
        if not path.endswith((".wasm", ".mjs", ".onnx")) or not (self.rate or self.gate):
            return super().do_GET()
        with open(path, "rb") as file:
            data = file.read()
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        if self.rate and not path.endswith(".onnx"):
            data = gzip.compress(data, 6)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        half = len(data) // 2 if self.gate and path.endswith(".wasm") else len(data)
        for part in (data[:half], data[half:]):
            for at in range(0, len(part), RATE // 10):
                self.wfile.write(part[at : at + RATE // 10])
                if self.rate:
                    sleep(0.1)  # the line, not the test
            if part and half < len(data):
                self.gate.wait()


def cells(name):
    """A notebook's cells that show a widget, and its widgets' states, with the package's programs."""
    notebook = nbformat.read(ROOT / f"notebooks/{name}.ipynb", as_version=4)
    refresh(notebook)
    for cell in notebook.cells:
        shown = {kind: data for output in cell.get("outputs", []) for kind, data in output.get("data", {}).items()}
        if VIEW in shown:
            yield cell, shown, notebook.metadata.widgets[STATE]["state"]


def shown_as(*found):
    """A page of the book with such cells."""
    body = "".join(notebook_widget.page(*each) for each in found)
    return HTML.replace("BODY", body.replace(still_picture.VIEW, still_picture.LINE + still_picture.VIEW))


def in_script(data):
    return json.dumps(data).replace("</", r"<\/")


def joined(plane):
    """A page with a slider of Jupyter's own that moves the plane's point."""
    widget = widgets.GraphWidget({})
    widget.add_traits(x=type(widgets.LatentPlane.x)(0.0).tag(sync=True))
    slider = FloatSlider(description="joined", min=-4, max=4, step=0.5)
    link = jslink((slider, "value"), (widget, "x"))
    data = embed_data([slider, link], drop_defaults=False)
    state = data["manager_state"]
    model = plane[2][plane[1][VIEW]["model_id"]]
    layout = model["state"]["layout"].removeprefix("IPY_MODEL_")
    state["state"] |= {widget.model_id: model, layout: plane[2][layout]}
    views = [*data["view_specs"][:1], {**plane[1][VIEW], "model_id": widget.model_id}]
    scripts = [(STATE, state), *((VIEW, view) for view in views)]
    texts = [f'<script type="{kind}">{in_script(text)}</script>' for kind, text in scripts]
    return HTML.replace("BODY", f'<div class="cell_output">{"".join(texts)}</div>')


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    (folder / "_static").symlink_to(ROOT / "book/_static")
    chapter = cells("04_variational_autoencoders")
    plane = next(each for each in chapter if "LatentPlane" in str(each[1]["text/plain"]))
    (folder / "plane.html").write_text(shown_as(plane), encoding="utf-8")
    (folder / "joined.html").write_text(joined(plane), encoding="utf-8")
    state = json.dumps(plane[2][plane[1][VIEW]["model_id"]]["state"]).replace("\\", "\\\\")
    state = state.replace("`", "\\`").replace("${", "\\${").replace("</", "<\\/")
    (folder / "notebook.html").write_text(NOTEBOOK.replace("STATE", state), encoding="utf-8")

    class Own(Handler):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Own, directory=folder)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        server.handler = Own
        yield server
        server.shutdown()


@pytest.fixture
def visit(browser, server):
    """Function that opens a page whose troubles are expected, but for questions to other hosts."""
    server.handler.rate = server.handler.gate = None

    @contextmanager
    def visit(name="plane", prepare=lambda page: None, policy=None, **options):
        with watched(browser, f"http://127.0.0.1:{server.server_port}", troubles=(troubles := []), **options) as page:
            if policy:
                page.route("**/*.html", partial(answer_with, policy))
            prepare(page)
            page.goto(f"/{name}.html" if "?" not in name else f"/{name.replace('?', '.html?')}")
            page.mouse.move(2, 2)  # somebody is there
            yield page
        assert [trouble for trouble in troubles if trouble.startswith(("another", "uncaught"))] == []

    return visit


def answer_with(policy, route):
    response = route.fetch()
    route.fulfill(response=response, headers={**response.headers, "content-security-policy": policy})


def until(page, true):
    while not true():
        page.wait_for_timeout(50)


def assert_says(page, words):
    """One line says so, under the poster, which stays."""
    page.get_by_text(words).wait_for()
    line, poster = page.locator(".gu-status:visible, .gu-trouble:visible"), page.locator("img").first
    assert line.count() == 1
    assert poster.is_visible()
    assert line.bounding_box()["y"] >= poster.bounding_box()["y"] + poster.bounding_box()["height"]
    assert page.locator(".gu-live").count() == 0


def assert_lives(page):
    """The widget is there, without a line and without its poster."""
    page.locator(".gu-live").wait_for()
    assert page.locator(".gu-live").get_attribute("data-backend") == "browser"
    assert page.locator(".gu-status:visible, .gu-trouble:visible, .gu-still:visible, img:visible").count() == 0


# ---- Policies, and browsers that lack something ------------------------------------------------------------------

STRICT = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; script-src 'self'"


def test_a_policy_without_eval_does_no_harm(visit):
    with visit(policy=f"{STRICT} blob: 'wasm-unsafe-eval'") as page:
        assert_lives(page)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (f"{STRICT} blob:", "security policy forbids WebAssembly; who runs the site can allow 'wasm-unsafe-eval'"),
        (f"{STRICT} 'wasm-unsafe-eval'", "who runs the site can allow 'blob:' in script-src"),
        (
            f"{STRICT} blob: 'wasm-unsafe-eval'; connect-src 'none'",
            "this site's security policy (connect-src) forbids",
        ),
    ],
)
def test_what_a_policy_forbids_is_named(visit, policy, words):
    with visit(policy=policy) as page:
        assert_says(page, words)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["IntersectionObserver", "ResizeObserver", "CSSStyleSheet"])
def test_a_browser_that_is_too_old_is_told(visit, name):
    with visit(prepare=lambda page: page.add_init_script(f"delete globalThis.{name}")) as page:
        assert_says(page, f"could not start: {name} is not defined")


@pytest.mark.slow
def test_a_browser_without_webassembly_is_told(visit):
    with visit(prepare=lambda page: page.add_init_script("delete globalThis.WebAssembly")) as page:
        assert_says(page, "this browser has no WebAssembly")
        assert page.get_by_role("button").count() == 0  # no use


@pytest.mark.slow
def test_a_page_whose_script_is_lost_says_so(visit):
    with visit(prepare=lambda page: page.route("**/widgets.js", lambda route: route.abort())) as page:
        assert page.get_by_text("needs this page's JavaScript, which has not run").is_visible()
        assert page.locator("img").is_visible()


# ---- Files that don't come ---------------------------------------------------------------------------------------

FILES = ["ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm", "04_plane_decoder.onnx"]


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_a_blocked_file_is_named_and_asked_for_again(visit, file):
    with visit(prepare=lambda page: page.route(f"**/{file}*", lambda route: route.abort())) as page:
        assert_says(page, f"{file} could not be loaded: the connection failed, or something on the way blocks it")
        assert page.get_by_text("It goes on trying.").is_visible()
        page.unroute(f"**/{file}*")
        page.get_by_role("button", name="Try again now").click()
        assert_lives(page)


@pytest.mark.slow
def test_a_missing_file_is_asked_for_again_by_itself_and_by_other_widgets(visit):
    asked = []

    def missing(route):
        asked.append(route.request.url)
        return route.fulfill(status=404) if len(asked) < 3 else route.continue_()

    with visit(prepare=lambda page: page.route("**/04_plane_decoder.onnx*", missing)) as page:
        assert_says(page, "04_plane_decoder.onnx could not be loaded: the server answered 404")
        assert_lives(page)
    assert len(asked) == 3


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_a_stalled_file_is_waited_for_then_asked_for_again(visit, file):
    held = []

    def prepare(page):
        page.clock.install()
        page.route(f"**/{file}*", lambda route: held.append(route))

    with visit(prepare=prepare) as page:
        until(page, lambda: held)
        page.clock.fast_forward(9000)
        assert_says(page, "Nothing has come for some seconds")
        page.clock.fast_forward(30_000)
        assert_says(page, f"{file} could not be loaded: nothing came for 30 seconds")
        page.get_by_role("button", name="Try again now").click()
        until(page, lambda: len(held) == 2)
        page.clock.fast_forward(9000)
        assert_says(page, "Nothing has come for some seconds")
        held[-1].continue_()
        assert_lives(page)
    assert len(held) == 2


@pytest.mark.slow
def test_what_has_come_is_shown(visit, server):
    server.handler.gate = Event()
    with visit() as page:
        assert_says(page, re.compile(r"Loading the model into this page: 7\.1 of 14\.2 MB\."))
        server.handler.gate.set()
        assert_lives(page)


def test_the_size_of_what_travels_compressed_is_known():
    sizes = re.search(
        r"MODULE_BYTES, WASM_BYTES\] = \[(\w+), (\w+)\]",
        (ROOT / "gen_utils/page/lib/graphs.js").read_text(encoding="utf-8"),
    )
    assert [int(size.replace("_", "")) for size in sizes.groups()] == [
        (VENDOR / "ort" / name).stat().st_size for name in FILES[:2]
    ]


@pytest.mark.slow
def test_a_slow_line_shows_progress_and_succeeds(visit, server):
    server.handler.rate = RATE
    with visit() as page:
        page.evaluate("""() => {
            globalThis.seen = [];
            new MutationObserver(() => seen.push(document.querySelector(".gu-status")?.innerText)).observe(
                document.body, { subtree: true, childList: true, characterData: true });
        }""")
        assert_lives(page)
        seen = page.evaluate("seen")
    shown = [float(found[1]) for text in seen if (found := re.search(r"page: ([\d.]+) of 14\.\d MB", text or ""))]
    assert len(set(shown)) > 20
    assert all(after > before - 0.1 for before, after in pairwise(shown))  # less the small file that is done
    assert not any("could not" in (text or "") for text in seen)


# ---- A live notebook, and its kernel -----------------------------------------------------------------------------


def no_cdn(page):
    page.clock.install()
    page.route("https://**", lambda route: route.abort())


@pytest.mark.slow
def test_a_notebook_without_a_kernel_says_so(browser, server):
    with watched(browser, f"http://127.0.0.1:{server.server_port}", troubles=[]) as page:
        no_cdn(page)
        page.goto("/notebook.html")
        assert_says(page, "this page has no kernel")


@pytest.mark.slow
def test_a_kernel_that_does_not_answer_is_named_and_asked_again(browser, server):
    with watched(browser, f"http://127.0.0.1:{server.server_port}", troubles=[]) as page:
        no_cdn(page)
        page.goto("/notebook.html?kernel")
        page.wait_for_function("globalThis.asked?.length")
        page.clock.fast_forward(9000)
        assert_says(page, "The kernel does not answer.")
        page.clock.fast_forward(30_000)
        page.wait_for_function("asked.length === 2")
        page.evaluate("globalThis.answers = true")
        page.locator(".gu-live").wait_for()
        assert page.locator(".gu-status").count() == 0

        page.evaluate("globalThis.answers = false; model.set('x', 1)")  # it dies while the widget lives
        page.wait_for_function("asked.length === 3")
        page.clock.fast_forward(9000)
        page.get_by_text("The kernel does not answer.").wait_for()
        page.evaluate("globalThis.answers = true")
        page.locator(".gu-status").wait_for(state="detached")


# ---- Sliders of Jupyter's own, which html-manager brings to life -------------------------------------------------


def handle(page):
    return page.locator(".noUi-handle")


@pytest.mark.slow
def test_a_slider_of_jupyter_s_own_moves_the_plane(visit):
    with visit("joined") as page:
        page.locator(".gu-live").wait_for()
        handle(page).press("ArrowRight")
        page.wait_for_function("JSON.parse(document.querySelector('.gu-image').dataset.z)[0] === 0.5")


@pytest.mark.slow
@pytest.mark.parametrize("file", ["require.js", "anywidget/index.js", "embed-amd.js"])
def test_what_jupyter_s_own_widgets_need_is_asked_for_again(visit, file):
    with visit("joined", lambda page: page.route(f"**/{file}*", lambda route: route.abort())) as page:
        page.get_by_text("could not be loaded").first.wait_for()
        page.unroute(f"**/{file}*")
        page.get_by_role("button", name="Try again now").first.click()
        page.locator(".gu-live").wait_for()
        assert page.locator(".gu-trouble").count() == 0


@pytest.mark.slow
def test_jupyter_s_own_widgets_wait_for_a_slow_file_and_name_a_policy(visit):
    held = []

    def prepare(page):
        page.clock.install()
        page.route("**/anywidget/index.js*", lambda route: held.append(route))

    with visit("joined", prepare) as page:
        until(page, lambda: held)
        page.clock.fast_forward(9000)
        page.get_by_text("The widget is still loading").first.wait_for()
        page.unroute("**/anywidget/index.js*")  # lets it go on
        page.locator(".gu-live").wait_for()
        assert page.locator(".gu-trouble").count() == 0
    with visit("joined", policy=f"{STRICT} blob: 'wasm-unsafe-eval'") as page:
        page.get_by_text("security policy forbids 'unsafe-eval'").first.wait_for()

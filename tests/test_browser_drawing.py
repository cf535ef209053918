"""The drawing pad in a real browser: digits go through its canvas and are read; the posterior widget follows it."""

import base64
import json
import subprocess
import time
from functools import partial
from http.server import ThreadingHTTPServer
from threading import Thread

import matplotlib as mpl
import numpy as np
import pytest
import torch
from conftest import ROOT, Quiet, watched
from test_browser import COPY, READ

from gen_utils import data, plots, pretrained
from gen_utils.classifier import LeNet
from gen_utils.models.vae import VAE
from gen_utils.page import export, widgets
from gen_utils.page.graphs.drawing import prepare

pytestmark = pytest.mark.slow

mpl.use("agg")
S = 280
PAD = """
import { drawingPad } from "./lib/drawing_pad.js";
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const scaled = (values, factor, to) => {
    for (let i = 0; i < to.length; i++) to[i] = values[i] * factor;
    return to;
};
globalThis.changes = 0;
const pad = drawingPad({ label: "Pad", examples: bytes("EXAMPLES"), onchange: () => (globalThis.changes += 1) });
document.body.append(pad.element);
globalThis.pad = pad;
globalThis.put = (text) => {
    const image = new ImageData(280, 280);
    bytes(text).forEach((ink, i) => image.data.set([255 - ink, 255 - ink, 255 - ink, 255], 4 * i));
    document.querySelector(".gu-ink").getContext("2d").putImageData(image, 0, 0);
};
globalThis.read = () => {
    const reader = new FileReader(); // a canvas holds 8 bits a pixel: nothing is lost as bytes
    return new Promise((resolve) => {
        reader.onload = () => resolve(reader.result.split(",")[1]);
        reader.readAsDataURL(new Blob([scaled(pad.ink().data, 255, new Uint8ClampedArray(280 * 280))]));
    });
};
// Strokes as the browser would report them, and as quickly as it can take them.
globalThis.draw = (lines) => {
    const canvas = document.querySelector(".gu-ink");
    const box = canvas.getBoundingClientRect();
    canvas.setPointerCapture = () => {}; // no such pointer
    const send = (type, [x, y]) => {
        const at = { clientX: box.left + (x * box.width) / 280, clientY: box.top + (y * box.height) / 280 };
        canvas.dispatchEvent(new PointerEvent(type, { ...at, pointerId: 77, button: 0, bubbles: true }));
    };
    for (const line of lines) {
        send("pointerdown", line[0]);
        line.slice(1).forEach((point) => send("pointermove", point));
        send("pointerup", line.at(-1));
    }
    delete canvas.setPointerCapture;
};
"""
WIDGET = """
import widget from "./posterior.js";
const state = await (await fetch("./state.json")).json();
const listeners = {};
const model = {
    get: (name) => state[name],
    on: (event, heard) => (listeners[event] = heard),
    off: () => {},
};
globalThis.assign = (name, value) => {
    state[name] = value;
    listeners[`change:${name}`]();
};
widget.render({ model, el: document.body.appendChild(document.createElement("div")) });
"""
HTML = """<!doctype html><html lang="en" data-content_root="./"><head><title>Pad</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="./posterior.css"></head>
<body><script type="module" src="./NAME.js"></script></body></html>"""


@pytest.fixture(scope="module")
def images():
    return data.mnist()


@pytest.fixture(scope="module")
def models():
    plane = pretrained.load(VAE(latent_dim=2), "04_plane").requires_grad_(False)
    return plane, pretrained.load(LeNet(), "classifier").requires_grad_(False)


@pytest.fixture(scope="module")
def widget(images, models):
    """The widget as chapter 4 shows it."""
    plane, classifier = models
    x, z = images.test[:1], torch.zeros(1, 2)
    return widgets.PosteriorPlane(
        export.export(plane.encode, {"x": x}, ["mu", "sigma"], "00_encoder"),
        export.export(lambda z: plane.decode(z).sigmoid(), {"z": z}, ["x"], "00_decoder"),
        export.export(prepare, {"ink": torch.zeros(1, 1, S, S)}, ["x"], "00_prepare"),
        export.export(lambda x: classifier(x).softmax(1), {"x": x}, ["p"], "00_classifier"),
        plane.encode(images.test[:500])[0].numpy(),
        images.test_labels[:500].numpy(),
        images.test[:5],
    )


@pytest.fixture(scope="module")
def origin(widget, tmp_path_factory):
    """Origin of two bare pages: `pad.html` with the pad alone, `widget.html` with the widget and all it loads."""
    if not (ROOT / "book/_static/vendor/installed").exists():
        subprocess.run(["make", "book/_static/vendor/installed"], cwd=ROOT, check=True)
    folder = tmp_path_factory.mktemp("pages")
    (folder / "_static/vendor").mkdir(parents=True)
    (folder / "_static/vendor/ort").symlink_to(ROOT / "book/_static/vendor/ort")
    (folder / "_static/models").symlink_to(widget._graphs["prepare"].path.parent)
    state = {key: value for key, value in widget.get_state().items() if not key.startswith(("_", "layout"))}
    (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
    (folder / "posterior.css").write_text(widget._css, encoding="utf-8")
    (folder / "lib").symlink_to(ROOT / "gen_utils/page/lib")
    (folder / "posterior.js").write_text(str(widget._esm), encoding="utf-8")
    (folder / "pad.js").write_text(PAD.replace("EXAMPLES", widget.examples), encoding="utf-8")
    (folder / "widget.js").write_text(WIDGET, encoding="utf-8")
    for name in ("pad", "widget"):
        (folder / f"{name}.html").write_text(HTML.replace("NAME", name), encoding="utf-8")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def page(browser, origin):
    with watched(browser, origin, viewport={"width": 700, "height": 700}, has_touch=True) as page:
        page.goto("/pad.html")
        page.wait_for_function("globalThis.pad")
        yield page


@pytest.fixture
def rng():
    seed = time.time_ns() % 2**32
    print(f"seed {seed}")  # shown when the test fails
    return np.random.default_rng(seed)


def ink(page):
    """What the pad says is drawn on it."""
    values = np.frombuffer(base64.b64decode(page.evaluate("read()")), np.uint8)
    return values.reshape(1, 1, S, S) / np.float32(255)


def put(page, drawing):
    page.evaluate("put", base64.b64encode((255 * drawing).round().astype(np.uint8).tobytes()).decode())


def read(widget, drawing):
    return widget.run("classifier", x=widget.run("prepare", ink=drawing)["x"])["p"].argmax()


def placed(image, rng):
    """A digit on a pad, larger or smaller, anywhere."""
    side = int(rng.integers(112, S + 1))
    at, beside = (int(n) for n in rng.integers(0, S - side + 1, size=2))
    large = torch.nn.functional.interpolate(image[None], size=(side, side), mode="bilinear")
    pad = np.zeros((S, S), np.float32)
    pad[at : at + side, beside : beside + side] = large[0, 0]
    return pad


def test_two_hundred_digits_put_on_the_canvas_are_read(page, widget, images, rng):
    chosen = rng.choice(10_000, 200, replace=False)
    right = []
    for i in chosen:
        put(page, drawing := placed(images.test[i], rng))
        found = ink(page)
        right.append(read(widget, found) == images.test_labels[i])
        assert np.abs(found - drawing).max() < 0.6 / 255
    print(f"{100 * np.mean(right):.1f} % of 200 digits read, as pixels")
    assert np.mean(right) >= 0.95


# ---- As strokes: a digit thinned to lines one pixel wide, and the lines followed with the mouse ------------------


def thinned(image):
    """Skeleton of an image's ink (Zhang and Suen 1984), three times as fine as its pixels."""
    ink = torch.nn.functional.interpolate(image[None], scale_factor=3, mode="bilinear")[0, 0].numpy() > 0.6
    ink = np.pad(ink, 1)
    while True:
        before = ink
        for odd in (False, True):
            around = np.stack([np.roll(ink, shift, axis=(0, 1)) for shift in RING])
            turns = (~around & np.roll(around, -1, axis=0)).sum(0)
            north, _, east, _, south, _, west, _ = around
            needed = north & west & (east | south) if odd else east & south & (north | west)
            n = around.sum(0)
            ink = ink & ~((n >= 2) & (n <= 6) & (turns == 1) & ~needed)
        if (ink == before).all():
            return ink[1:-1, 1:-1]


RING = [(1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1)]  # a shift by (1, 0) brings the north


def strokes(image):
    """Lines of points (x, y) on the pad that go once along everything in the skeleton."""
    left = {tuple(point) for point in np.argwhere(thinned(image))}
    done, lines = set(), []
    near = lambda p, among: [q for d in RING if (q := (p[0] + d[0], p[1] + d[1])) in among]  # noqa: E731
    while left:
        # Go on from what is drawn; else begin at an end of a line; else anywhere.
        start = min(left, key=lambda p: (not near(p, done), len(near(p, left)), p))
        line = [*near(start, done)[:1], start]
        left.remove(start)
        while following := near(line[-1], left):
            heading = np.subtract(line[-1], line[-2]) if len(line) > 1 else np.zeros(2)
            line.append(max(following, key=lambda q: float(heading @ np.subtract(q, line[-1]))))
            left.remove(line[-1])
        line += [q for q in near(line[-1], {*done, *line}) if q not in line[-3:]][:1]  # closes a loop
        done |= set(line)
        points = (np.array(line, float)[:, ::-1] + 0.5) * 10 / 3
        lines.append([*points[:-1:3].tolist(), points[-1].tolist()])
    return lines


def test_two_hundred_digits_drawn_as_strokes_are_read(page, widget, images, rng):
    right = []
    for i in rng.choice(10_000, 200, replace=False):
        page.evaluate("(lines) => { pad.clear(); draw(lines); }", strokes(images.test[i]))
        right.append(read(widget, ink(page)) == images.test_labels[i])
    print(f"{100 * np.mean(right):.1f} % of 200 digits read, as strokes")
    assert np.mean(right) >= 0.95


def on_screen(page, points):
    box = page.locator(".gu-ink").bounding_box()
    return [(box["x"] + x * box["width"] / S, box["y"] + y * box["height"] / S) for x, y in points]


def test_the_mouse_draws_what_these_strokes_draw(page, widget, images, rng):
    for i in rng.choice(10_000, 3, replace=False):
        lines = strokes(images.test[i])
        page.evaluate("(lines) => { pad.clear(); draw(lines); }", lines)
        expected = ink(page)
        page.evaluate("pad.clear()")
        for line in lines:
            first, *others = on_screen(page, line)
            page.mouse.move(*first)
            page.mouse.down()
            for point in others:
                page.mouse.move(*point)
            page.mouse.up()
        assert np.abs(ink(page) - expected).mean() < 0.005
    before = ink(page)
    page.mouse.move(*on_screen(page, [(20, 20)])[0])  # no button is down
    page.mouse.down(button="right")
    page.mouse.move(*on_screen(page, [(90, 20)])[0])
    page.mouse.up(button="right")
    assert (ink(page) == before).all()


def test_a_finger_draws_and_a_second_one_does_not(page):
    devtools = page.context.new_cdp_session(page)

    def touch(kind, *points):
        touches = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(on_screen(page, points))]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    page.evaluate("document.body.style.height = '3000px'")
    touch("touchStart", (140, 200))
    for y in range(190, 60, -20):
        touch("touchMove", (140, y))
    touch("touchStart", (140, 70), (40, 40))
    touch("touchMove", (140, 70), (40, 200))
    touch("touchEnd")
    drawn = ink(page)[0, 0]
    assert drawn[75:195, 130:150].min() == 1
    assert drawn[:, :100].max() == 0
    assert page.evaluate("scrollY") == 0  # a stroke upwards does not scroll the page


def test_the_pen_is_round_smooth_and_as_wide_as_mnist_s(page):
    page.evaluate("draw([[[60, 140], [220, 140]]])")
    drawn = ink(page)[0, 0]
    assert drawn[:, 140].sum() == pytest.approx(S / 12, abs=1)
    columns = drawn.max(0).nonzero()[0]
    assert (columns.min(), columns.max()) == pytest.approx((60 - S / 24, 219 + S / 24), abs=1)
    assert drawn[128:132, 49:51].max() < 0.5  # round ends
    page.evaluate("pad.clear(); draw([[[140, 140]]])")  # a mere touch leaves a dot
    assert ink(page).sum() == pytest.approx(np.pi * (S / 24) ** 2, rel=0.02)
    page.evaluate("pad.clear(); draw([[[40, 240], [140, 40], [240, 240]]])")  # a sharp turn, rounded
    assert ink(page)[0, 0, 40 - 12 : 60].max() == 0
    assert page.evaluate("globalThis.changes") > 8


def test_the_keyboard_draws_too(page):
    canvas, cursor, note = page.locator(".gu-ink"), page.locator(".gu-cursor"), page.locator(".gu-hint")
    assert not cursor.is_visible()
    page.keyboard.press("Tab")
    assert canvas.evaluate("c => c === document.activeElement")
    assert cursor.is_visible()
    assert "The pen is up" in note.inner_text()
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    assert ink(page).max() == 0
    page.keyboard.press("Space")
    assert "The pen is down" in note.inner_text()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    for _ in range(5):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    assert "The pen is up" in note.inner_text()
    page.keyboard.press("ArrowDown")
    drawn = ink(page)[0, 0]
    assert drawn[140, 72:208].min() == 1
    assert drawn[140:170, 210].min() == 1
    rows, columns = np.nonzero(drawn > 0.5)
    assert (rows.min(), rows.max() + 1) == pytest.approx((140 - S / 24, 175 + S / 24), abs=1)
    assert (columns.min(), columns.max() + 1) == pytest.approx((70 - S / 24, 210 + S / 24), abs=1)
    box, around = cursor.bounding_box(), canvas.bounding_box()
    centre = [(box[a] + box[b] / 2 - around[a]) / around[b] * S for a, b in (("x", "width"), ("y", "height"))]
    assert centre == pytest.approx([210, 182], abs=1)

    page.keyboard.press("Space")
    page.keyboard.press("Tab")  # leaving the pad lifts the pen
    assert page.evaluate("document.activeElement.textContent") == "An example"
    assert not cursor.is_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "Clear"
    assert ink(page).max() == 0
    for key in ("ArrowLeft", "ArrowUp"):  # the pen stays on its paper
        canvas.focus()
        for _ in range(45):
            page.keyboard.press(key)
    page.keyboard.press("Space")
    assert ink(page)[0, 0, :8, :8].min() == 1


def test_the_first_stroke_erases_what_was_shown(page):
    line = [[60, 140], [220, 140]]
    page.evaluate("(line) => { pad.clear(); draw([line]); }", line)
    alone, ghost = ink(page), page.locator(".gu-ghost")
    page.get_by_role("button", name="An example").click()
    assert ghost.count() == 1
    assert ink(page).max() == 1  # pale on the paper, whole as ink
    page.evaluate("(line) => draw([line])", line)
    assert ghost.count() == 0
    assert (ink(page) == alone).all()
    page.evaluate("draw([[[140, 60], [140, 220]]])")  # the second adds to it
    assert (ink(page) >= alone).all()
    assert ink(page).sum() > 1.5 * alone.sum()
    page.get_by_role("button", name="An example").click()
    page.locator(".gu-ink").press("Space")  # a dot in the middle
    assert ink(page).sum() == pytest.approx(np.pi * (S / 24) ** 2, rel=0.02)


def test_examples_come_in_turn_and_targets_fit_a_finger(page, widget, images):
    for k in (1, 2, 3, 4, 0, 1):
        page.get_by_role("button", name="An example").click()
        found = widget.run("prepare", ink=ink(page))["x"]
        assert np.abs(found - images.test[k].numpy()).max() < 1e-5  # the very image
    heights = page.locator("button, canvas").evaluate_all("all => all.map(e => e.getBoundingClientRect().height)")
    assert min(heights) >= 44
    named = page.locator(".gu-ink").evaluate(
        "c => [c.getAttribute('role'), c.ariaLabel, getComputedStyle(c).touchAction]"
    )
    assert named[::2] == ["application", "none"]
    assert "arrow keys" in named[1]


# ---- The widget on a page of its own ---------------------------------------------------------------------------


@pytest.fixture
def live(browser, origin):
    with watched(browser, origin, viewport={"width": 760, "height": 900}) as page:
        page.goto("/widget.html")
        page.wait_for_selector(".gu-live")
        yield page


def shown(page):
    return json.loads(page.locator(".gu-map").get_attribute("data-posterior"))


def pixels(canvas):
    return 1 - np.array(canvas.evaluate(READ)).reshape(28, 28, 4)[..., 0] / 255


def check(page, models, x):
    """The page must show what PyTorch makes of the prepared image x."""
    plane, classifier = models
    mu, sigma = plane.encode(x)
    found = shown(page)
    assert found["mu"] == pytest.approx(mu[0].tolist(), abs=1e-3)
    assert found["sigma"] == pytest.approx(sigma[0].tolist(), abs=1e-3)
    p = classifier(x).softmax(1)[0]
    assert found["p"] == pytest.approx(p.tolist(), abs=1e-3)
    prepared, decoded = page.locator(".gu-image").all()
    assert np.abs(pixels(prepared) - x[0, 0].numpy()).max() < 0.6 / 255
    assert np.abs(pixels(decoded) - plane.decode(mu).sigmoid()[0, 0].numpy()).max() < 1.5 / 255
    assert f"reads {p.argmax()} with probability {p.max():.2f}" in page.locator(".gu-reading").inner_text()
    heights = page.locator(".gu-bar").evaluate_all("all => all.map(e => e.getBoundingClientRect().height)")
    assert np.argmax(heights) == p.argmax()


def test_the_widget_shows_what_pytorch_computes(live, models, images):
    assert live.locator(".gu-live").get_attribute("data-backend") == "browser"
    check(live, models, images.test[:1])
    live.get_by_role("button", name="An example").click()
    live.wait_for_function("() => document.querySelector('.gu-reading').innerText.includes('reads 2')")
    check(live, models, images.test[1:2])
    live.evaluate("assign('example', 4)")  # as Python would
    live.wait_for_function("() => document.querySelector('.gu-reading').innerText.includes('reads 4')")
    check(live, models, images.test[4:5])
    live.get_by_role("button", name="Clear").click()
    live.get_by_text("Nothing is drawn").wait_for()
    assert np.isfinite(shown(live)["mu"]).all()

    first, *others = on_screen(live, [(140, y) for y in range(40, 240, 20)])
    live.mouse.move(*first)
    live.mouse.down()
    for point in others:
        live.mouse.move(*point)
    live.mouse.up()
    live.get_by_text("A classifier reads 1").wait_for()


# Medians, not means: the lines that lead to the ellipse from two sides have its colour.
MIDDLE = f"""(c, [r, g, b]) => {{
    const data = ({COPY})(c);
    const [x, y] = [[], []];
    for (let i = 0; i < data.length / 4; i++) {{
        if (data[4 * i] !== r || data[4 * i + 1] !== g || data[4 * i + 2] !== b) continue;
        x.push(((i % c.width) + 0.5) / c.width);
        y.push((Math.floor(i / c.width) + 0.5) / c.height);
    }}
    return [x, y].map((values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]);
}}"""


def test_the_ellipse_stands_where_the_posterior_is(live, widget, models, images):
    mu = models[0].encode(images.test[:1])[0][0]
    colour = [int(plots.COLOURS["latent"][i : i + 2], 16) for i in (1, 3, 5)]
    x, y = live.locator(".gu-map").evaluate(MIDDLE, colour)
    found = [(2 * x - 1) * widget.limit, (1 - 2 * y) * widget.limit]
    assert found == pytest.approx(mu.tolist(), abs=0.15)


@pytest.mark.parametrize(
    ("examples", "error", "message"),
    [
        (np.zeros((1, 1, 28, 28)), TypeError, "examples: expected a float tensor .* got ndarray"),
        (torch.zeros(1, 28, 28), ValueError, r"examples: expected .* got shape \(1, 28, 28\)"),
        (torch.full((1, 1, 28, 28), 2.0), ValueError, r"examples: expected values in \[0, 1\], got \[2, 2\]"),
    ],
)
def test_the_widget_refuses_bad_examples(widget, examples, error, message):
    with pytest.raises(error, match=message):
        widgets.PosteriorPlane(*widget._graphs.values(), np.zeros((1, 2)), np.zeros(1, int), examples)


def test_the_widget_s_state_holds_no_weights(widget):
    assert repr(widget) == "PosteriorPlane()"
    assert len(json.dumps(widget.get_state(), allow_nan=False)) < 100_000
    assert set(widget.get_state("graphs")["graphs"]) == {"encoder", "decoder", "prepare", "classifier"}

"""The built site in a real browser: its widgets compute what PyTorch computes, on any screen, from nobody else."""

import json
import re
from contextlib import ExitStack
from functools import cache

import nbformat
import numpy as np
import pytest
import torch
from conftest import ROOT, watched
from widget_page import PHONE, still

from gen_utils import pretrained
from gen_utils.models.vae import VAE
from gen_utils.page import widgets
from gen_utils.plots import COLOURS

CHAPTERS = re.findall(r"file: (notebooks/\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
CHAPTER_4 = "notebooks/04_variational_autoencoders"
OUTPUTS = ".cell_output:has(script[type='application/vnd.jupyter.widget-view+json'])"
RUNTIME = re.compile(r"/vendor/(require|embed-amd|anywidget|ort)\b|\.onnx|\.wasm")
FONTS = "[...document.styleSheets].flatMap(s => [...s.cssRules]).filter(r => r instanceof CSSFontFaceRule).length"
WIDE = {"width": 1280, "height": 900}
FOCUSABLE = "button, input, select, [tabindex='0']"
LIMIT = 4.0  # of the latent plane


# Pixels of a canvas, from a copy: reading a canvas itself changes how the browser keeps it.
COPY = """(c) => {
    const copy = new OffscreenCanvas(c.width, c.height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(c, 0, 0);
    return copy.getImageData(0, 0, c.width, c.height).data;
}"""
READ = f"(c) => [...({COPY})(c)]"
# Mean place of the pixels of one colour, as fractions of the canvas.
CENTRE = f"""(c, [r, g, b]) => {{
    const data = ({COPY})(c);
    let [n, x, y] = [0, 0, 0];
    for (let i = 0; i < data.length / 4; i++) {{
        if (data[4 * i] !== r || data[4 * i + 1] !== g || data[4 * i + 2] !== b) continue;
        n += 1;
        x += (i % c.width) + 0.5;
        y += Math.floor(i / c.width) + 0.5;
    }}
    return [x / n / c.width, y / n / c.height];
}}"""


def read_down(page):
    """Read the page down to its end, so that every widget lives; their number."""
    page.mouse.move(2, 2)  # somebody is there
    outputs = page.locator(OUTPUTS).all()
    for output in outputs:
        output.evaluate("e => e.scrollIntoView({ block: 'center' })")
        output.locator(".gu-live").wait_for()
    return len(outputs)


def wake(page, chapter):
    """Do that in a chapter, whose widgets are known, and one of which opens it."""
    cells = nbformat.read(ROOT / f"{chapter}.ipynb", as_version=4).cells
    assert read_down(page) == 1 + sum("widget" in cell.metadata.get("tags", []) for cell in cells) > 1


def opened(browser, address, **options):
    """Function that opens a chapter, once, and wakes its widgets."""
    with ExitStack() as stack:

        @cache
        def open_chapter(chapter):
            page = stack.enter_context(watched(browser, address, **options))
            page.goto(f"/{chapter}.html")
            wake(page, chapter)
            page.locator(".hero").evaluate("e => e.remove()")  # what opens it stands in its section once more
            return page

        yield open_chapter


@pytest.fixture(scope="module")
def live(browser, address):
    yield from opened(browser, address, viewport=WIDE)


@pytest.fixture(scope="module")
def phone(browser, address):
    yield from opened(browser, address, viewport=PHONE, has_touch=True)


@cache
def sliders_model():
    return pretrained.load(VAE(latent_dim=24), "04_vae")


@cache
def plane_model():
    return pretrained.load(VAE(latent_dim=2), "04_plane")


def pixels(canvas):
    """What a canvas of a picture shows, 0 on light paper to 1 in dark ink."""
    rgba = torch.tensor(canvas.evaluate(READ)).reshape(-1, 4)
    assert (rgba[:, 3] == 255).all()
    assert (rgba[:, :3] == rgba[:, :1]).all()
    return 1 - rgba[:, 0] / 255


def read(widget):
    """Values of the sliders by their labels, in the order of their units; each agrees with the number beside it."""
    rows = widget.get_by_role("slider").evaluate_all(
        "all => all.map(s => [s.ariaLabel, Number(s.value), s.closest('label').querySelector('output').textContent])"
    )
    for label, value, shown in rows:
        digits = len(shown.partition(".")[2])
        assert abs(float(shown) - value) <= 0.0501, label  # a plane's slider stops at tenths, its point does not
        assert not re.fullmatch(r"-[0.]+", shown), label
        assert digits in (1, 2)
    return {label: float(shown) for label, _, shown in sorted(rows, key=lambda row: int(row[0].split()[-1]))}


def check(widget, model, z):
    """Wait until the widget has decoded z; then picture, sliders and PyTorch must agree."""
    picture = widget.get_by_role("img")
    settled = "([c, z]) => JSON.parse(c.dataset.z).every((value, k) => Math.abs(value - z[k]) < 1e-9)"
    widget.page.wait_for_function(settled, arg=[picture.element_handle(), z])
    assert list(read(widget).values()) == pytest.approx(z, abs=1e-9)
    with torch.no_grad():
        x = model.decode(torch.tensor([z])).sigmoid().flatten()
    difference = (pixels(picture) - x).abs().max()
    assert difference < 0.6 / 255, f"{255 * difference:.2f} grey levels for z = {z}"


def where(widget):
    return [float(value) for value in json.loads(widget.get_by_role("img").get_attribute("data-z"))]


def sliders_widget(page):
    drawing = page.get_by_role("button", name="Draw z from the prior")
    return page.locator(".gu-widget").filter(has=drawing, has_not=page.locator(".gu-choice"))


def plane_widget(page):
    return page.locator(".gu-widget").filter(has=page.locator(".gu-plane"))


# ---- Every widget of every chapter -------------------------------------------------------------------------------


def test_every_widget_of_the_package_is_in_a_chapter():
    cells = [cell for chapter in CHAPTERS for cell in nbformat.read(ROOT / f"{chapter}.ipynb", as_version=4).cells]
    shown = {
        output.data.get("text/plain") for cell in cells for output in cell.get("outputs", []) if "data" in output
    }
    classes = [getattr(widgets, name) for name in widgets.__all__]
    kinds = {c.__name__ for c in classes if issubclass(c, widgets.GraphWidget)} - {"GraphWidget"}
    assert {kind for kind in kinds if f"{kind}()" not in shown} == set()


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_widgets_cost_nothing_until_one_is_near(visit, chapter):
    page = visit(viewport={"width": 800, "height": 500})
    urls = []
    page.on("request", lambda request: urls.append(request.url))
    page.goto(f"/{chapter}.html", wait_until="networkidle")
    assert [url for url in urls if RUNTIME.search(url)] == []
    page.wait_for_function("globalThis.MathJax?.startup?.promise?.then(() => true)")  # formulas bring their fonts
    fonts = page.evaluate(FONTS)
    wake(page, chapter)
    assert page.evaluate(FONTS) == fonts > 0  # a new one would have the whole page laid out again
    assert len(urls) == len(set(urls))  # widgets share what they load


@pytest.mark.slow
def test_a_page_that_is_only_opened_loads_no_widget(visit):
    page = visit(viewport=WIDE)
    page.goto("/book/index.html", wait_until="networkidle")
    output = page.locator(OUTPUTS).first
    assert output.bounding_box()["y"] < WIDE["height"]  # in sight
    assert output.locator("img").first.is_visible()
    assert page.locator(".gu-widget").count() == 0
    page.mouse.move(2, 2)
    page.locator(".gu-live").wait_for()


HEIGHTS = "[...document.querySelectorAll('.cell_output:has(> .gu-still)')].map(e => e.getBoundingClientRect().height)"


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("chapter", ["book/index", *CHAPTERS])
def test_the_text_below_stays_where_it_is_when_a_widget_comes_to_life(visit, chapter, width):
    page = visit(viewport={"width": width, "height": 900})
    held = []
    page.route("**/*.wasm", lambda route: held.append(route))
    page.goto(f"/{chapter}.html")
    before = page.evaluate(HEIGHTS)
    output = page.locator(OUTPUTS).first
    output.evaluate("e => e.scrollIntoView({ block: 'center' })")
    page.mouse.move(2, 2)
    output.get_by_text("Loading the model").wait_for()
    while not held:
        page.wait_for_timeout(50)
    assert page.evaluate(HEIGHTS) == before
    page.unroute("**/*.wasm")  # lets it go on
    assert read_down(page) == len(before) > 0
    # It says how much higher or lower than `make heights` found; a reader notices no two pixels.
    after = [float(height) for height in still(page, f"{HEIGHTS}.join()").split(",")]
    assert after == pytest.approx(before, abs=2)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_widget_lives_in_the_browser(live, chapter):
    page = live(chapter)
    for output in page.locator(OUTPUTS).all():
        assert output.locator(".gu-live").get_attribute("data-backend") == "browser"
        posters = output.locator("img")
        assert posters.count() > 0
        assert not any(poster.is_visible() for poster in posters.all())
        assert output.locator("canvas").first.is_visible()


# ---- Chapter 4's widgets against PyTorch -----------------------------------------------------------------------


@pytest.mark.slow
def test_sliders_show_what_pytorch_computes(live, draws):
    widget = sliders_widget(live(CHAPTER_4))
    z = where(widget)
    keys = ["ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown", "PageUp", "PageDown", "Home", "End"]
    for unit in draws.sample(range(24), 8):
        slider = widget.get_by_role("slider", name=f"Latent unit {unit + 1}", exact=True)
        for key in draws.choices(keys, weights=[8, 8, 8, 8, 4, 4, 1, 1], k=draws.randrange(1, 12)):
            slider.press(key)
            before, z[unit] = z[unit], float(slider.input_value())
            step = {"ArrowRight": 0.1, "ArrowUp": 0.1, "ArrowLeft": -0.1, "ArrowDown": -0.1, "Home": -6, "End": 6}
            if key in step:
                assert z[unit] == pytest.approx(np.clip(before + step[key], -3, 3))
        check(widget, sliders_model(), z)


@pytest.mark.slow
def test_draw_from_the_prior_is_the_noise_of_its_seed(live):
    widget = sliders_widget(live(CHAPTER_4))
    for seed in (1, 2):
        widget.get_by_role("button", name="Draw z from the prior").click()
        noise = np.clip(widgets.Noise(seed).normal(24).astype(float), -3, 3)
        check(widget, sliders_model(), (np.floor(10 * noise + 0.5) / 10).tolist())
    widget.get_by_role("button", name="Reset").click()
    check(widget, sliders_model(), [0.0] * 24)


def marked(plane):
    """Where the plane's point is drawn: the centre of all pixels in the colour of latents."""
    colour = [int(COLOURS["latent"][i : i + 2], 16) for i in (1, 3, 5)]
    x, y = plane.evaluate(CENTRE, colour)
    return [(2 * x - 1) * LIMIT, (1 - 2 * y) * LIMIT]


def check_plane(widget, model, z):
    """The picture is of z, about, the point is drawn there, and the rest agrees with it exactly."""
    picture = widget.get_by_role("img").element_handle()
    near = "([c, z]) => JSON.parse(c.dataset.z).every((value, k) => Math.abs(value - z[k]) < 0.03)"
    widget.page.wait_for_function(near, arg=[picture, z])
    check(widget, model, where(widget))
    if max(map(abs, z)) < 3.7:  # nearer to the edge a part of the ring is cut off
        assert marked(widget.locator(".gu-plane")) == pytest.approx(z, abs=0.05)


def on_screen(plane, z):
    plane.scroll_into_view_if_needed()
    box = plane.bounding_box()
    return box["x"] + (z[0] / LIMIT + 1) / 2 * box["width"], box["y"] + (1 - z[1] / LIMIT) / 2 * box["height"]


@pytest.mark.slow
def test_plane_follows_keys_mouse_and_sliders(live, draws):
    page = live(CHAPTER_4)
    widget = plane_widget(page)
    plane, reset = widget.locator(".gu-plane"), widget.get_by_role("button", name="Reset")
    reset.click()
    check_plane(widget, plane_model(), [0, 0])

    steps = {"ArrowRight": (0.1, 0), "ArrowLeft": (-0.1, 0), "ArrowUp": (0, 0.1), "ArrowDown": (0, -0.1)}
    keys = ["ArrowLeft"] * 3 + ["ArrowRight"] * 3 + draws.choices(list(steps), k=20)
    for i, key in enumerate(keys):
        plane.press(key)
        if i == 5:  # there and back again: exactly nought, not −0.00
            check(widget, plane_model(), [0.0, 0.0])
    check_plane(widget, plane_model(), [sum(steps[key][axis] for key in keys) for axis in (0, 1)])

    start, middle, target = ([draws.uniform(-3.5, 3.5) for _ in "xy"] for _ in range(3))
    page.mouse.move(*on_screen(plane, start))
    page.mouse.down()
    check_plane(widget, plane_model(), start)
    page.mouse.move(*on_screen(plane, middle), steps=5)
    page.mouse.move(*on_screen(plane, target), steps=5)
    check_plane(widget, plane_model(), target)
    x, y = on_screen(plane, [target[0], -LIMIT])
    page.mouse.move(x, y + 30)  # out of the plane, held by the button
    check_plane(widget, plane_model(), [target[0], -LIMIT])
    page.mouse.up()
    page.mouse.move(*on_screen(plane, start))
    check_plane(widget, plane_model(), [target[0], -LIMIT])

    z = where(widget)
    for axis, key, to in [(1, "End", LIMIT), (0, "Home", -LIMIT)]:
        slider = widget.get_by_role("slider", name=f"Latent unit {axis + 1}", exact=True)
        slider.press(key)
        z[axis] = to
        check_plane(widget, plane_model(), z)
        for _ in range(presses := draws.randrange(10, 30)):
            slider.press("ArrowLeft" if to > 0 else "ArrowRight")
        z[axis] -= presses * np.sign(to) / 10
        check_plane(widget, plane_model(), z)

    reset.click()
    check_plane(widget, plane_model(), [0, 0])


@pytest.mark.slow
def test_plane_follows_a_finger(phone, draws):
    page = phone(CHAPTER_4)
    widget = plane_widget(page)
    for _ in range(3):
        z = [draws.uniform(-3.5, 3.5) for _ in "xy"]
        page.touchscreen.tap(*on_screen(widget.locator(".gu-plane"), z))
        check_plane(widget, plane_model(), z)


# ---- For every reader: a phone, the dark, a keyboard, a screen reader, no JavaScript ------------------------------


def assert_fits(page, width):
    page.set_viewport_size({"width": width, "height": 700})
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    for widget in page.locator(".gu-widget").all():
        box = widget.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_phone_never_scrolls_sideways_and_targets_fit_a_finger(visit, phone, chapter):
    page = visit(viewport=PHONE, has_touch=True)
    page.goto(f"/{chapter}.html", wait_until="networkidle")
    for width in (320, 360, 390):
        assert_fits(page, width)  # before any widget lives
    page = phone(chapter)
    for width in (390, 360):
        assert_fits(page, width)
    targets = (
        page.locator(".gu-live")
        .locator(FOCUSABLE)
        .evaluate_all("""all => all.map((e) => {
        const { width, height } = e.getBoundingClientRect();
        return [e.ariaLabel ?? e.textContent, Math.min(width, height)];
    })""")
    )
    assert [(name, size) for name, size in targets if size < 44] == []


DRAWN = "canvas:not(.gu-image, .gu-ink)"  # pictures and paper stay as they are


def paint(page):
    return page.locator(DRAWN).evaluate_all("all => all.map(c => c.toDataURL())")


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_dark_theme(visit, live, chapter):
    """Text in the dark is for axe-core to judge, on every page, in tests/test_quality.py."""
    page = visit(viewport=WIDE, color_scheme="dark")
    page.goto(f"/{chapter}.html")
    assert page.locator("html").get_attribute("data-theme") == "dark"

    page = live(chapter)  # and switched while the widgets live
    light = paint(page)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    try:
        repainted = (
            "([drawn, light]) => [...document.querySelectorAll(drawn)].every((c, i) => c.toDataURL() !== light[i])"
        )
        page.wait_for_function(repainted, arg=[DRAWN, light])
    finally:
        page.evaluate("document.documentElement.dataset.theme = 'light'")
    assert light == paint(page)


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_keyboard_reaches_every_control_and_shows_where_it_is(live, chapter):
    page = live(chapter)
    for widget in page.locator(".gu-live").all():
        controls = widget.locator(FOCUSABLE)
        names = controls.evaluate_all("all => all.map(e => e.ariaLabel ?? e.textContent)")
        assert names
        assert all(names)
        assert len(set(names)) == len(names)
        # From whatever can be focused last before the widget, Tab enters it, visits each control and leaves it.
        widget.evaluate("""w => [...document.querySelectorAll("a[href], button, input, summary, [tabindex='0']")]
            .filter((e) => e.checkVisibility() && e.compareDocumentPosition(w) & Node.DOCUMENT_POSITION_FOLLOWING)
            .at(-1).focus()""")
        seen, kinds = [], set()
        for i, name in enumerate(names):
            control = controls.nth(i)
            kind = control.evaluate("e => e.tagName + e.type + e.className")
            control.scroll_into_view_if_needed()
            looked = None if kind in kinds else look(control)
            page.keyboard.press("Tab")
            seen.append(page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent"))
            assert looked is None or look(control) != looked, f"nothing shows that {name} has the focus"
            kinds.add(kind)
        assert seen == names
        page.keyboard.press("Tab")
        assert not widget.evaluate("w => w.contains(document.activeElement)")


def look(control):
    box = control.bounding_box()
    clip = {"x": box["x"] - 6, "y": box["y"] - 6, "width": box["width"] + 12, "height": box["height"] + 12}
    return control.page.screenshot(clip=clip)


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_canvases_and_groups_say_what_they_are(live, chapter):
    for widget in live(chapter).locator(".gu-live").all():
        canvases = widget.locator("canvas")
        described = canvases.evaluate_all("all => all.map(c => [c.getAttribute('role'), c.ariaLabel])")
        assert all(role in ("img", "application") and label for role, label in described)
        assert len({label for _, label in described}) == len(described)
        assert all(widget.get_by_role("group").evaluate_all("all => all.map(e => e.ariaLabel)"))


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_everything_is_there_without_javascript(visit, chapter):
    troubles = []
    page = visit(viewport=WIDE, java_script_enabled=False, troubles=troubles)
    page.goto(f"/{chapter}.html", wait_until="networkidle")
    outputs = page.locator(OUTPUTS).all()
    for output in outputs:
        assert output.locator("img").first.is_visible()
    images = page.locator("article img")
    for image in images.all():
        image.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    assert images.evaluate_all("all => all.filter(i => !i.complete || !i.naturalWidth).map(i => i.src)") == []

    cells = nbformat.read(ROOT / f"{chapter}.ipynb", as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    headings = re.findall(r"^#+ +(.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    shown = page.locator("article").locator("h1, h2, h3, h4").all_inner_texts()
    words = [re.sub(r"\$.*?\$|\\\(.*?\\\)|[^\w]+", "", heading.removesuffix("#")) for heading in shown]
    assert words == [re.sub(r"\$.*?\$|[^\w]+", "", heading) for heading in headings]
    hidden = page.locator("article").evaluate(
        """a => [...a.querySelectorAll("p, li, td, h1, h2, h3, figcaption, pre")]
        .filter((e) => e.textContent.trim() && !e.closest("details:not([open])") && !e.checkVisibility())
        .map((e) => e.outerHTML)"""
    )
    assert hidden == []
    assert [trouble for trouble in troubles if not trouble.endswith(".js csp")] == []  # scripts, as asked for


# ---- What must not run -----------------------------------------------------------------------------------------


def test_a_damaged_or_missing_model_is_not_run(visit):
    troubles = []
    page = visit(viewport=WIDE, troubles=troubles)
    intact = (ROOT / "book/_static/models/04_plane_decoder.onnx").read_bytes()
    middle = len(intact) // 2
    damaged = intact[:middle] + bytes([intact[middle] ^ 1]) + intact[middle + 1 :]  # one bit of one weight
    page.route("**/*.onnx*", lambda route: route.fulfill(status=404))
    page.route("**/04_plane_decoder.onnx*", lambda route: route.fulfill(body=damaged))
    page.goto(f"/{CHAPTER_4}.html")
    page.mouse.move(2, 2)
    for output in page.locator(OUTPUTS).all():
        output.scroll_into_view_if_needed()
        output.get_by_text("could not start").wait_for()
        assert output.locator("img").first.is_visible()
        assert output.locator("canvas, .gu-live").count() == 0
    assert any("integrity" in trouble for trouble in troubles)
    assert any("404" in trouble for trouble in troubles)

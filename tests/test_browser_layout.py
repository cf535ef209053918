"""Nothing jumps: every widget of the book is used on a page of its own, in two fonts and two widths."""

import json
from contextlib import ExitStack
from itertools import product

import posters
import pytest
from conftest import ROOT, watched

from gen_utils.page import widgets

STATE = "application/vnd.jupyter.widget-state+json"
FONTS = ("sans-serif", "serif")
WIDTHS = (360, 782)


def published():
    """Every widget that a notebook stores: its name, its class and its state."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for widget in json.loads(path.read_text(encoding="utf-8"))["metadata"]["widgets"][STATE]["state"].values():
            name = widget["state"].get("_anywidget_id", "").rpartition(".")[2]
            if name in widgets.__all__:
                yield f"{path.name[:2]}_{name}", getattr(widgets, name), widget["state"]


WIDGETS = {name: (source, state) for name, source, state in published()}
# Use every control once, and note each element that is elsewhere, or of another size, in any frame meanwhile. Of text
# only the height matters, and where it stands.
USE = """async ([font, width]) => {
    document.body.style.fontFamily = font;
    const widget = document.querySelector(".gu-widget");
    const frames = async (n) => { for (; n; n--) await new Promise(requestAnimationFrame); };
    await frames(3);
    const boxes = "button, input, select, canvas, .gu-buttons";
    const all = [...widget.querySelectorAll(`${boxes}, output, strong, p, .gu-caption, .gu-hint`)];
    const name = (e) => `${e.tagName} ${e.className} ${e.ariaLabel ?? ""} ${e.textContent.slice(0, 30)}`;
    const tenths = (value) => Math.round(10 * value) / 10;
    const place = (e) => {
        const [box, around] = [e.getBoundingClientRect(), widget.getBoundingClientRect()];
        const sizes = [box.x - around.x, box.y - around.y, box.height, box.width].map(tenths);
        return e.matches(boxes) ? sizes : sizes.slice(1, 3);
    };
    const before = all.map((e) => [name(e), place(e)]);
    const found = {};
    let [act, done] = ["nothing", false];
    const height = widget.offsetHeight;
    const look = () => {
        if (widget.offsetHeight !== height && !widget.querySelector(".gu-turing")) // its table of scores grows
            found[`after ${act}: widget`] ??= `${height} became ${widget.offsetHeight}`;
        all.forEach((e, i) => {
            const now = place(e);
            if (e.isConnected && now.some((value, k) => Math.abs(value - before[i][1][k]) > 0.5))
                found[before[i][0]] ??= `after ${act}: ${before[i][1]} became ${now}`;
        });
        if (!done) requestAnimationFrame(look);
    };
    look();
    for (const control of widget.querySelectorAll("button, input, select")) {
        if (!control.isConnected) continue;
        act = name(control);
        if (control.matches("button")) {
            control.click();
            await frames(12);
        } else if (control.matches("input")) {
            for (const value of [control.max, control.min]) {
                control.value = value;
                control.dispatchEvent(new Event("input", { bubbles: true }));
                await frames(4);
            }
        } else {
            for (const option of control.options) {
                control.value = option.value;
                control.dispatchEvent(new Event("change", { bubbles: true }));
                await frames(12);
            }
        }
    }
    done = true;
    if (document.scrollingElement.scrollWidth > width) found.scrolls = document.scrollingElement.scrollWidth;
    return found;
}"""


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for name, (source, state) in WIDGETS.items():
        current = state | {"_esm": str(source._esm), "_css": str(source._css)}
        posters.write_page(folder, name, {name: current}, ROOT / "book/_static/models")
    with posters.served(folder) as address:
        yield address


@pytest.mark.slow
@pytest.mark.parametrize("name", WIDGETS)
def test_nothing_jumps(browser, origin, name):
    found = {}
    with ExitStack() as stack:  # four pages at once: they spend their time on waiting for frames
        pages = {look: stack.enter_context(watched(browser, origin)) for look in product(FONTS, WIDTHS)}
        for (font, width), page in pages.items():
            page.set_viewport_size({"width": width, "height": 3000})
            page.goto(f"/{name}.html")
            page.wait_for_selector(".gu-live")
            page.evaluate(f"look => void (globalThis.moved = ({USE})(look))", [font, width])
        for (font, width), page in pages.items():
            if moved := page.evaluate("moved"):
                found[f"{font}, {width} pixels"] = moved
    assert found == {}, json.dumps(found, indent=1, ensure_ascii=False)

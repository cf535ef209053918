"""How the published pages are laid out, and how fast they are: what the book promises, measured in Chromium.

`make benchmark` runs this last, and `python -m benchmarks.page` alone, for about three minutes, on a machine with
nothing else to do. It reads the site that `make book` built and writes `gen_utils/benchmarks/page.json`.
"""

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from statistics import median
from threading import Thread
from typing import Any

from playwright.sync_api import Browser, Locator, Page, sync_playwright

from benchmarks.run import machine

ROOT = Path(__file__).resolve().parent.parent
SITE, RESULTS = ROOT / "_build/html", ROOT / "gen_utils/benchmarks/page.json"
WIDGETS = ".cell_output:has(script[type='application/vnd.jupyter.widget-view+json'])"
# Scroll to a widget and return the milliseconds until it lives.
WAKE = """async (output) => {
    const began = performance.now();
    output.scrollIntoView({ block: "center" });
    while (!output.querySelector(".gu-live")) await new Promise(requestAnimationFrame);
    return performance.now() - began;
}"""
# Move a slider back and forth, and return the milliseconds that each of 24 answers took.
ANSWERS = """async (canvas) => {
    const [times, slider] = [[], canvas.closest(".gu-widget").querySelector("input[type=range]")];
    for (let i = 0; i < 24; i++) {
        const answered = new Promise((done) => {
            const watch = new MutationObserver(() => { watch.disconnect(); done(); });
            watch.observe(canvas, { attributeFilter: ["data-ms"] });
        });
        slider.value = Number(slider.value) + (i % 2 ? -1 : 1) * Number(slider.step);
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        await answered;
        times.push(Number(canvas.dataset.ms));
    }
    return times;
}"""
# How often an attribute of a canvas changes in so many milliseconds: the milliseconds between two changes.
CHANGES = """(canvas, wait) => new Promise((done) => {
    const times = [];
    const watch = new MutationObserver(() => times.push(performance.now()));
    watch.observe(canvas, { attributeFilter: ["data-shown"] });
    setTimeout(() => { watch.disconnect(); done(times.slice(1).map((time, i) => time - times[i])); }, wait);
})"""


# Of a page, in a window of 1400 × 900, before anything is touched or opened: its height in windows, the height that
# its prose, figures and widgets take in per cent, the code that is open, the characters in a line of its text, and
# where its first widget begins, in windows.
LAYOUT = """() => {
    const article = document.querySelector("article");
    const height = (e) => {
        const { marginTop, marginBottom } = getComputedStyle(e);
        return e.getBoundingClientRect().height + Math.max(parseFloat(marginTop), 0) + parseFloat(marginBottom);
    };
    const all = (query) => [...article.querySelectorAll(query)].filter((e) => e.checkVisibility());
    const story = "h1, h2, h3, p, ul, ol, dl, table, div.math, figure, .widget, .hero, .sd-dropdown, .cards";
    const outermost = all(story).filter((e) => !e.parentElement.closest(`${story}, details`));
    const lengths = [];
    const plain = all("section > p:not(:has(.math))").filter((e) => e.textContent.length > 300);
    for (const paragraph of plain) {
        const range = document.createRange();
        range.selectNodeContents(paragraph);
        const lines = new Set([...range.getClientRects()].map(({ bottom }) => Math.round(bottom / 8))).size;
        lengths.push(paragraph.textContent.length / (lines - 0.5)); // the last line is half full
    }
    lengths.sort((a, b) => a - b);
    return {
        screens: document.scrollingElement.scrollHeight / innerHeight,
        story: (100 * outermost.reduce((sum, e) => sum + height(e), 0)) / article.getBoundingClientRect().height,
        code: all(".cell_input").length,
        line: lengths[lengths.length >> 1] ?? 0,
        widget: (document.querySelector(".hero .cell_output")?.getBoundingClientRect().top ?? 0) / innerHeight,
    };
}"""


class Quiet(SimpleHTTPRequestHandler):
    """A server that prints nothing."""

    def log_message(self, *_: Any) -> None:
        """Drop the message."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on localhost, and return its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def main() -> None:
    """Measure, print and keep."""
    if not (SITE / "index.html").exists():
        raise SystemExit("no site here: run `make book` first")
    about = machine()
    chromium = os.environ.get("CHROMIUM", "chromium")
    with sync_playwright() as playwright, served(SITE) as address:
        browser = playwright.chromium.launch(executable_path=shutil.which(chromium), args=["--disable-gpu"])
        rows = [row for chapter in chapters() for row in measure(browser, address, chapter)]
        versions = {"python": platform.python_version(), "torch": version("torch"), "chromium": browser.version}
        browser.close()
    date = datetime.now(UTC).date().isoformat()
    report = {"benchmark": "page", "date": date, "machine": about, "versions": versions, "code": digest()}
    RESULTS.write_text(json.dumps(report | {"rows": rows}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for row in rows:
        kept = "" if row["kept"] else "  NOT KEPT"
        print(f"{row['chapter']}  {row['what']}: {row['found']:g} {row['unit']}, promised {row['promised']:g}{kept}")


def chapters() -> list[str]:
    """List the chapters' pages, in order."""
    return sorted(path.name for path in (SITE / "notebooks").glob("*.html"))


def measure(browser: Browser, address: str, chapter: str) -> Iterator[dict[str, Any]]:
    """Open a chapter as a reader does, and measure what it promises."""
    context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(120_000)
    page = context.new_page()
    page.goto(f"/notebooks/{chapter}", wait_until="networkidle")
    page.set_viewport_size({"width": 1400, "height": 900})
    found = page.evaluate(LAYOUT)
    page.set_viewport_size({"width": 1280, "height": 900})
    number = chapter[:2]
    yield row(number, "height of the page", "screens", 34 if number == "06" else 26, found["screens"])
    yield row(number, "prose, figures and widgets take of it at least", "%", 65, found["story"])
    yield row(number, "blocks of code that are open", "", 14, found["code"])
    yield row(number, "a line of text has", "characters", 75, found["line"])
    yield row(number, "the first widget begins after", "screens", 0.5, found["widget"])
    page.mouse.move(2, 2)  # somebody is there
    alive = [output.evaluate(WAKE) for output in page.locator(WIDGETS).all()]
    yield row(number, "the slowest widget lives after", "ms", 2000, max(alive))
    page.locator(".hero").evaluate("e => e.remove()")  # what opens a chapter stands in its section once more
    widgets = page.locator(".gu-widget:has(input[type=range]):has(canvas[data-ms])").all()
    if widgets:
        slowest = max(median(widget.locator("canvas[data-ms]").first.evaluate(ANSWERS)) for widget in widgets)
        yield row(number, "the slowest slider answers after", "ms", 16, slowest)
    for name, (what, unit, promised, task) in TASKS.items():
        for widget in page.locator(name).all():
            widget.scroll_into_view_if_needed()
            yield row(number, what, unit, promised, task(page, widget))
    context.close()


def row(chapter: str, what: str, unit: str, promised: float, found: float) -> dict[str, Any]:
    """Compare a measurement with its promise: of a rate or a share it is the least, of all else the most."""
    kept = found >= promised if unit in ("a second", "%") else found <= promised
    return {
        "chapter": chapter,
        "what": what,
        "unit": unit,
        "promised": promised,
        "found": round(found, 1),
        "kept": kept,
    }


def press(widget: Locator, name: str) -> None:
    """Press a button of a widget."""
    widget.get_by_role("button", name=name, exact=True).click()


def training(page: Page, widget: Locator) -> float:
    """Count a GAN's training steps in a second."""
    step = "c => c.gan.step"
    canvas = widget.locator(".gu-map")
    press(widget, "Start")
    page.wait_for_timeout(500)
    before, began = canvas.evaluate(step), page.evaluate("performance.now()")
    page.wait_for_timeout(4000)
    rate = (canvas.evaluate(step) - before) / (page.evaluate("performance.now()") - began) * 1000
    press(widget, "Pause")
    return rate


def playing(page: Page, widget: Locator) -> float:
    """Count the pictures in a second while particles move."""
    press(widget, "100")
    widget.get_by_role("slider", name="Steps done").press("Home")
    press(widget, "Play")
    page.wait_for_timeout(300)
    return 1000 / median(widget.locator(".gu-map").first.evaluate(CHANGES, 2000))


def sampling(page: Page, widget: Locator) -> float:
    """Time twenty steps of the U-Net: the median of eight samples."""
    canvas = widget.locator("canvas[data-took]")
    return median(took(page, canvas, lambda: press(widget, "New noise")) for _ in range(8))


def round_of(source: str) -> Callable[[Page, Locator], float]:
    """Make a task that times a round of the Turing test with such images: the best of four."""

    def time(page: Page, widget: Locator) -> float:
        canvas = widget.locator("canvas[data-took]")
        other = widget.get_by_role("combobox", name="The source beside it")
        took(page, canvas, lambda: other.select_option(source))
        return min(took(page, canvas, lambda: press(widget, "New round")) for _ in range(4))

    return time


def completing(page: Page, widget: Locator) -> float:
    """Time the completion of a drawing: the median of three."""
    done = widget.locator(".gu-completions")
    return median(took(page, done, lambda: press(widget, "Complete"), "ms") for _ in range(3))


def estimating(page: Page, widget: Locator) -> float:
    """Time a hundred thousand draws."""
    slider = widget.get_by_role("slider").first
    chart = widget.locator(".gu-errors")
    slider.press("Home")
    took(page, chart, lambda: press(widget, "New noise"), "ms")
    return took(page, chart, lambda: slider.press("End"), "ms")


def drawing(page: Page, widget: Locator) -> float:
    """Time the answer to a change of the drawing."""
    return took(page, widget.locator("[data-ms]").first, lambda: press(widget, "Clear"), "ms")


def took(page: Page, element: Locator, act: Callable[[], Any], name: str = "took") -> float:
    """Act, and wait until the element says how many milliseconds the answer took."""
    before = element.get_attribute(f"data-{name}")
    act()
    page.wait_for_function(
        "([e, name, before]) => e.dataset[name] !== before", arg=[element.element_handle(), name, before]
    )
    return float(element.get_attribute(f"data-{name}") or "nan")


# By what only this widget has: what is measured, its unit, the promise, and the function that measures.
TASKS: dict[str, tuple[str, str, float, Callable[[Page, Locator], float]]] = {
    ".gu-widget:has(.gu-completions)": ("eight completions take", "ms", 2000, completing),
    ".gu-widget:has(.gu-errors)": ("100,000 draws take", "ms", 1500, estimating),
    ".gu-widget:has(.gu-gan)": ("the GAN's training steps", "a second", 200, training),
    ".gu-widget:has(.gu-sampler)": ("a sample in 20 steps takes", "ms", 500, sampling),
    ".gu-widget:has(.gu-particles)": ("pictures of moving particles", "a second", 30, playing),
    ".gu-live:has(.gu-turing)": ("a round with MADE takes", "ms", 1500, round_of("MADE")),
    ".gu-widget:has(.gu-turing)": ("a round with diffusion takes", "ms", 1500, round_of("diffusion")),
    ".gu-widget:has(.gu-ink)": ("a change of the drawing is answered after", "ms", 200, drawing),
}


def digest() -> dict[str, str | list[str]]:
    """Name the files that the widgets run, and the sha256 of all of them in a row."""
    folder = ROOT / "gen_utils/page"
    files = sorted(path.relative_to(ROOT) for end in ("js", "css") for path in folder.rglob(f"*.{end}"))
    together = b"".join((ROOT / file).read_bytes() for file in files)
    return {"sha256": hashlib.sha256(together).hexdigest(), "files": [str(file) for file in files]}


if __name__ == "__main__":
    main()

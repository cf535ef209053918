"""Measure how high each widget of the site is when it lives, at every width of its column: `make heights`.

From then on the site keeps that room for it, so that the text below stays where it is when a widget comes to life.
"""

import json
from pathlib import Path

from chromium import find_chromium
from playwright.sync_api import Page, sync_playwright
from posters import served

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build/html"
OUTPUTS = ".cell_output:has(> .gu-still)"
# Widths of a column, by the widest screen that has them: the styles ask for 576 and 600 pixels.
SCREENS = {576: (256, 544), 600: (545, 568), 1400: (569, 900)}
MEASURE = """(output, [from, to]) => {
    output.style.setProperty("--gu-room", "0px");
    const heights = [];
    for (let width = from; width <= to; width++) {
        output.parentElement.style.width = `${width}px`;
        heights.push([width, output.getBoundingClientRect().height]);
    }
    output.parentElement.style.width = output.style.cssText = "";
    return heights;
}"""
Points = list[tuple[int, float]]  # widths and heights, in CSS pixels


def measure(page: Page) -> list[Points]:
    """Heights of each widget of a page, when all live and have come to rest."""
    page.mouse.move(2, 2)
    outputs = page.locator(OUTPUTS).all()
    for output in outputs:
        output.evaluate("e => e.scrollIntoView({ block: 'center' })")
        output.locator(".gu-live").wait_for()
    page.wait_for_timeout(3000)  # for words that come with the first answers
    found: list[Points] = [[] for _ in outputs]
    for screen, widths in SCREENS.items():
        page.set_viewport_size({"width": screen, "height": 900})
        for output, points in zip(outputs, found, strict=True):
            points += output.evaluate(MEASURE, widths)
    return found


def lines(points: Points, most: float = 0.5) -> list[list[float]]:
    """Straight lines through the points, within `most`: where each begins, its height there, and how steep it is."""
    found = []
    while points:
        (x, y), n, slope = points[0], 1, 0.0
        for k in range(1, len(points)):
            steep = (points[k][1] - y) / (points[k][0] - x)
            if any(abs(y + steep * (a - x) - b) > most for a, b in points[1:k]):
                break
            n, slope = k + 1, steep
        found.append([x, round(y, 1), round(slope, 3)])
        points = points[n:]
    return found


def main() -> None:
    """Write the heights of all pages, by their names."""
    found = {}
    with sync_playwright() as playwright, served(SITE) as origin:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--disable-gpu"])
        for path in sorted(SITE.glob("*/*.html")):
            if "gu-still" in path.read_text(encoding="utf-8"):
                name = path.relative_to(SITE).with_suffix("").as_posix()
                page = browser.new_page()
                page.set_default_timeout(120_000)
                page.goto(f"{origin}/{name}.html")
                found[name] = [lines(points) for points in measure(page)]
                page.close()
        browser.close()
    rows = [f'"{name}": {json.dumps(heights)}' for name, heights in found.items()]
    (ROOT / "book/heights.json").write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()

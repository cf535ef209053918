"""Every page of the built site: what axe-core and Lighthouse say of it, what it weighs, where its links lead."""

import gzip
import json
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from chromium import find_chromium
from conftest import ROOT, watched
from test_browser import CHAPTERS, PHONE, WIDE, read_down

PAGES = list(
    dict.fromkeys(
        [*re.findall(r"(?:root|file): (\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8")), "genindex", "search"]
    )
)
CONFIG = (ROOT / "_config.yml").read_text(encoding="utf-8")
BASE, REPOSITORY = (re.search(rf"^  {key}: (\S+?)/?$", CONFIG, re.MULTILINE)[1] for key in ("baseurl", "url"))

# In megabytes, as a host sends them that compresses what is not compressed yet.
FIRST_LOAD = 2.1
ALL_ALIVE = 13.0  # with every widget of the page; 4 of them are onnxruntime-web
COMPRESSED = {".woff2", ".png", ".jpg", ".webp"}


@pytest.fixture(scope="module", params=PAGES)
def visited(request, browser, address, site):
    """A page that was read to its end, its widgets alive, and the megabytes that it took at first and in all."""

    @cache
    def weight(url):
        path = site / unquote(urlsplit(url).path).strip("/")
        data = path.read_bytes()
        return len(data if path.suffix in COMPRESSED else gzip.compress(data, 6)) / 1e6

    with watched(browser, address, viewport=WIDE) as page:
        urls = set()
        page.on("request", lambda request: urls.add(request.url))
        page.goto(f"/{request.param}.html", wait_until="networkidle")
        first = sum(weight(url) for url in urls if url.startswith(address))
        read_down(page)
        alive = sum(weight(url) for url in urls if url.startswith(address))
        yield SimpleNamespace(page=page, first=first, alive=alive)


@pytest.mark.slow
def test_its_weight(visited):
    print(f"{visited.page.url}: {visited.first:.2f} MB, with its widgets {visited.alive:.2f} MB")
    assert visited.first < FIRST_LOAD
    assert visited.alive < ALL_ALIVE


# ---- For every reader --------------------------------------------------------------------------------------------

# What axe-core objects to, once nothing moves any more, and what it could not tell about the colours of our widgets,
# but where there is no more than a dash. The page looks for what scrolls when something has changed: a window of
# another width, or a number that a widget writes when its graph has run.
AXE = """async (where) => {
    await new Promise((resolve) => {
        let calm;
        const changed = () => { clearTimeout(calm); calm = setTimeout(resolve, 400); };
        new MutationObserver(changed).observe(document.body, { subtree: true, childList: true });
        addEventListener("resize", changed);
        changed();
        setTimeout(resolve, 10_000);
    });
    await Promise.allSettled(document.getAnimations().map((animation) => animation.finished));
    const { violations, incomplete } = await axe.run(where ?? document);
    const covered = (selector) => { // does anything lie over the element, but what is in it?
        const element = document.querySelector(selector);
        element.scrollIntoView({ block: "center" });
        const { left, top, right, bottom } = element.getBoundingClientRect();
        for (let x = left + 1; x < right; x += 8)
            for (let y = top + 1; y < bottom; y += 4)
                if (!element.contains(document.elementFromPoint(x, y))) return true;
        return false;
    };
    const sure = ({ any, target }) => ({ // axe thinks now and then that the second line of a text lies under another
        nonBmp: () => true, elmPartiallyObscuring: () => !covered(target.join(" ")) }
        )[any[0]?.data?.messageKey]?.() ?? false;
    const unsure = incomplete.filter(({ id }) => id === "color-contrast").map(({ id, nodes }) =>
        ({ id, nodes: nodes.filter((node) => !sure(node)) }));
    const rows = ({ id, nodes }) => nodes.map(({ target, failureSummary }) => [id, target.join(" "), failureSummary]);
    return [...violations.flatMap(rows), ...unsure.flatMap(rows).filter(([, target]) => target.includes(".gu-"))];
}"""


def use(widget):
    """Move what can be moved and press what can be pressed, once each."""
    for slider in widget.get_by_role("slider").all():
        slider.press("ArrowRight")
    for plane in widget.locator("canvas[tabindex='0']").all():
        plane.press("ArrowUp")
    widget.locator("button").evaluate_all("all => all.forEach((button) => button.click())")


@pytest.mark.slow
def test_axe_finds_nothing(visited, node_modules):
    page = visited.page
    page.evaluate((node_modules / "axe-core/axe.min.js").read_text(encoding="utf-8"))
    page.evaluate("document.querySelectorAll('details:not(.menu)').forEach((d) => (d.open = true))")
    assert page.evaluate(AXE) == []  # wide and light; then both themes and both layouts have been seen
    for widget in page.locator(".gu-live").all():
        use(widget)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.set_viewport_size(PHONE)
    assert page.evaluate(AXE) == []
    page.locator(".menu > summary").click()  # it lies over the text, whose colours cannot be told then
    assert page.evaluate(AXE, ".bar") == []


@pytest.mark.slow
def test_lighthouse_gives_95_or_more(address, node_modules):
    """For the first page and a chapter: the others are of the same templates, and axe-core reads them too."""
    addresses = [f"{address}/{name}.html" for name in (PAGES[0], CHAPTERS[-1])]
    command = [Path(sys.executable).with_name("node"), ROOT / "tests/lighthouse.mjs", find_chromium(), *addresses]
    ran = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert ran.returncode == 0, ran.stderr
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [page["address"] for page in found] == addresses
    for page in found:
        print(page)
        assert page["scores"].keys() == {"accessibility", "best-practices", "seo"}
        assert min(page["scores"].values()) >= 0.95


# ---- The files of the site ---------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Links, anchors, images and loaded resources of an HTML file."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors, self.loads, self.images = [], set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors |= {given.get("id"), given.get("name")}
        if tag == "img":
            self.images.append(given)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "meta" and given.get("http-equiv") == "refresh":
            self.links.append(given["content"].partition("url=")[2])
        if tag == "meta" and given.get("property", given.get("name")) in ("og:image", "og:url", "twitter:image"):
            self.links.append(given["content"])
        if tag == "link":
            kinds = set(given["rel"].split())
            (self.links if {"canonical", "search", "author", "next", "prev"} & kinds else self.loads).append(
                given["href"]
            )
        if tag != "a" and given.get("src"):
            self.loads.append(given["src"])


@pytest.fixture(scope="module")
def pages(site):
    files = [path for path in site.rglob("*.html") if "_static" not in path.parts]
    return {path.relative_to(site).as_posix(): Page(path) for path in files}


def test_every_page_is_known_here(pages):
    assert set(pages) == {f"{name}.html" for name in PAGES} | {"index.html"}  # a bare redirection to the first


def test_links_and_anchors_resolve(site, pages):
    broken = []
    for name, page in pages.items():
        for link in page.links + page.loads:
            url = urlsplit(urljoin(f"{BASE}/{name}", link))
            if not url.geturl().startswith(f"{BASE}/"):
                continue
            target = unquote(url.path).removeprefix(urlsplit(BASE).path).strip("/") or "index.html"
            anchors = pages[target].anchors if target in pages else set()
            if not (site / target).is_file() or (url.fragment and unquote(url.fragment) not in anchors):
                broken.append((name, link))
    assert broken == []


def test_links_to_other_places_are_well_formed(pages):
    """No test asks the network; but what a link names in this repository must be there."""
    odd = []
    for name, page in pages.items():
        for link in {link for link in page.links if urlsplit(link).scheme and not link.startswith(f"{BASE}/")}:
            url = urlsplit(link)
            host = re.fullmatch(r"([\w-]+\.)+[a-z]{2,}", url.netloc)
            if url.scheme != "https" or not host or re.search(r"""[\s"<>`{}|\\^]|%(?![\dA-Fa-f]{2})""", link):
                odd.append((name, link))
            inside = re.search(rf"{re.escape(urlsplit(REPOSITORY).path)}/(?:blob|edit|tree)/[\w.-]+/(.+)", url.path)
            if inside and not (ROOT / unquote(inside[1])).exists():
                odd.append((name, link))
    assert odd == []


def test_pages_load_nothing_from_elsewhere(site, pages):
    elsewhere = re.compile(r"(?!data:)\w+:|//")
    assert [(name, src) for name, page in pages.items() for src in page.loads if elsewhere.match(src)] == []
    foreign = re.compile(r"""(?:url\(|@import)\s*["']?(?:https?:)?//[^"')]+""")
    assert {
        path.name: found
        for path in site.rglob("*.css")
        if (found := foreign.findall(path.read_text(encoding="utf-8")))
    } == {}


def test_every_image_has_alternative_text(pages):
    images = [(name, image) for name, page in pages.items() for image in page.images]
    bare = [(name, image) for name, image in images if not (image.get("alt") or "").strip()]
    assert bare == []

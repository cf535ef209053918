"""A chapter's page: its story is open, its checks and its code fold, and nothing of the notebook is lost."""

import re
from collections import Counter
from html import unescape

import nbformat
import pytest
from conftest import ROOT
from layers import headline, split

CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.mark.parametrize(
    ("source", "later", "program", "found"),
    [
        ("assert a\nassert b", set(), "", 2),
        ("x = f()\ny = x.mean()\nassert y > 0", {"x"}, "x = f()", 1),
        ("x = f()\ny = x.mean()\nassert y > 0", {"x", "y"}, "x = f()\ny = x.mean()", 1),
        ("x = f()\n# why\ntesting.assert_close(x, 1)", {"x"}, "x = f()", 1),
        ("for a, b in pairs:\n    gap = b - a\n    assert gap > 0", set(), "", 1),
        ("if quick:\n    train()\n    assert x", set(), "if quick:\n    train()\n    assert x", 0),
        ("assert a\nprint(a)", set(), "assert a\nprint(a)", 0),
        ("%pip install x\nx = 1", set(), "%pip install x\nx = 1", 0),
    ],
)
def test_checks_that_end_a_cell_are_parted_from_its_program(source, later, program, found):
    assert split(source, later)[::2] == (program, found)
    assert "\n".join(part for part in split(source, later)[:2] if part) == source


def test_a_fold_says_what_is_in_it():
    assert headline("x = 1\n# Two lines of\n# one sentence. Another\ny = 2") == "Two lines of one sentence. Another"
    assert headline("a, b = f()\n\ndef g(): ...") == "a, b, g"
    assert headline("print(1)") == ""


def lines(html):
    """Lines of code in HTML, with how often each stands there."""
    text = unescape(re.sub(r"<[^>]*>", "", html))
    return Counter(line.strip() for line in text.splitlines() if line.strip())


@pytest.fixture(scope="module", params=CHAPTERS)
def chapter(request, site):
    return (
        nbformat.read(ROOT / f"notebooks/{request.param}.ipynb", as_version=4),
        (site / f"notebooks/{request.param}.html").read_text(encoding="utf-8"),
    )


def test_all_code_is_on_the_page_and_little_of_it_open(chapter):
    notebook, page = chapter
    blocks = re.findall(r'<div class="cell_input.*?</pre>', page, re.DOTALL)
    written = lines("\n".join(c.source.replace("<", "&lt;") for c in notebook.cells if c.cell_type == "code"))
    assert lines("\n".join(blocks)) == written
    folded = re.sub(r"<details.*?</details>", "", page, flags=re.DOTALL)  # what folds in folds has no code after it
    shown = len(re.findall(r'<div class="cell_input', folded))
    tagged = sum("show" in cell.metadata.get("tags", []) for cell in notebook.cells)
    assert shown == tagged
    assert 8 <= tagged <= 14


def test_every_check_is_counted(chapter):
    _, page = chapter
    said = [int(n) for n in re.findall(r"<summary>(\d+) check", page)]
    assert f"{sum(said)} checks ✓" in page
    assert sum(said) > 40


def test_every_figure_has_a_number_and_says_what_to_see(chapter):
    notebook, page = chapter
    shown = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and "hide-cell" not in cell.metadata.get("tags", [])
        for outputs in [[output.get("data", {}) for output in cell.outputs]]
        if any("image/png" in data for data in outputs) and not any(VIEW in data for data in outputs)
    ]
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page, re.DOTALL)
    assert len(captions) == len(shown) > 5
    for i, (cell, text) in enumerate(zip(shown, captions, strict=True), start=1):
        assert re.match(rf'<a href="#fig-\d+-{i}">Fig\. \d+\.{i}</a>', text)
        assert len(cell.metadata.caption.split()) <= 40


def test_the_question_and_a_widget_come_first(chapter):
    notebook, page = chapter
    article = page[page.index("<article") :]
    opening = article[: article.index("<h2")]
    places = [opening.index(mark) for mark in ('class="kicker"', "<h1>", 'class="lead"', 'class="hero"', "<details")]
    assert places == sorted(places)
    assert f"{notebook.metadata.hero}()" in str([cell.get("outputs") for cell in notebook.cells])
    frames = re.findall(r'<div class="widget docutils container">(.*?)<details', article, re.DOTALL)
    assert len(frames) == sum("widget" in cell.metadata.get("tags", []) for cell in notebook.cells)
    assert all('class="try"' in frame and 'class="notice"' in frame for frame in frames)


def test_the_switches_open_all_code_and_change_the_colours_and_are_remembered(visit):
    page = visit(viewport={"width": 1280, "height": 900}, color_scheme="light")
    page.goto("/notebooks/07_comparison.html")
    folds = page.locator("details.fold")
    opened = page.locator("details.fold[open]")
    assert folds.count() > 40
    assert opened.count() == 0
    page.keyboard.press("c")
    assert opened.count() == folds.count()
    page.get_by_role("button", name="Dark colours").click()
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert opened.count() == folds.count()
    page.get_by_role("button", name="Read Code").click()
    assert opened.count() == 0
    page.locator("summary[aria-label=Contents]").click()
    page.keyboard.press("Escape")
    assert not page.locator(".menu").evaluate("menu => menu.open")

"""The book's own pages: what their heads say of them, the glossary, the benchmarks, what chapters cost."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import benchmark_table
import pytest
import yaml
from conftest import ROOT
from PIL import Image

from benchmarks.run import FAMILIES

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
SITE = CONFIG["html"]["baseurl"].rstrip("/") + "/"
GLOSSARY = (ROOT / "book/glossary.md").read_text(encoding="utf-8")
COSTS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))["metadata"].get("cost")
    for path in (ROOT / "notebooks").glob("*.ipynb")
}


class Page(HTMLParser):
    """Title, tags of the head, and text of an HTML file, by paragraphs and cells."""

    def __init__(self, path):
        super().__init__()
        self.named, self.canonical, self.texts, self.open = {}, [], [], []
        self.feed(path.read_text(encoding="utf-8"))
        self.title = self.text("title")[0]

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "meta" and "content" in given:
            key = given.get("name") or given.get("property") or given.get("http-equiv")
            self.named.setdefault(key, []).append(given["content"])
        if tag == "link" and given.get("rel") == "canonical":
            self.canonical.append(given["href"])
        if tag in ("p", "td", "th", "title", "dt"):
            self.open.append((tag, []))

    def handle_endtag(self, tag):
        if self.open and self.open[-1][0] == tag:
            kind, words = self.open.pop()
            self.texts.append((kind, " ".join("".join(words).split())))
            if self.open:
                self.open[-1][1].extend(words)

    def handle_data(self, data):
        if self.open:
            self.open[-1][1].append(data)

    def text(self, *kinds):
        return [text for kind, text in self.texts if kind in kinds]


@pytest.fixture(scope="module")
def pages(site):
    files = [path for path in site.rglob("*.html") if "_static" not in path.parts]
    return {path.relative_to(site).as_posix(): Page(path) for path in files}


def test_every_page_says_what_it_is(site, pages):
    assert {"book/index.html", "book/benchmarks.html", "book/glossary.html", "genindex.html"} < set(pages)
    said = {}
    for name, page in pages.items():
        (description,) = page.named["description"]
        assert 30 <= len(description) <= 250, (name, description)
        assert not re.search(r"\$|\\[a-z(]|trains from scratch", description), (name, description)
        assert page.named["og:description"] == [description], name
        assert page.named["twitter:card"] == ["summary_large_image"], name
        (card,) = page.named["og:image"]
        assert card.startswith(SITE), name
        with Image.open(site / card.removeprefix(SITE)) as image:
            assert [page.named[f"og:image:{side}"] for side in ("width", "height")] == [[str(s)] for s in image.size]
            assert image.size == (1200, 630)
        said.setdefault(description, []).append(name)
    assert sorted(said.pop(pages["book/index.html"].named["description"][0])) == ["book/index.html", "index.html"]
    assert [names for names in said.values() if len(names) > 1] == []


def test_every_page_has_one_address(pages):
    for name, page in pages.items():
        address = urljoin(SITE, "book/index.html" if name == "index.html" else name)
        assert page.canonical == page.named["og:url"] == [address], name
        assert page.named["og:title"][0] in page.title, name


def test_the_bare_address_leads_to_the_first_page(pages):
    assert pages["index.html"].named["refresh"] == ["0; url=book/index.html"]


@pytest.mark.parametrize("chapter", sorted(name for name, cost in COSTS.items() if cost))
def test_each_chapter_says_what_it_costs(chapter, pages):
    minutes = COSTS[chapter]["seconds"] / 60
    (said,) = [text for text in pages[f"notebooks/{chapter}.html"].text("p") if "is computed in" in text]
    assert abs(float(re.search(r"in ([\d.]+) minutes", said)[1]) - minutes) <= 0.0501
    cells = pages["book/teaching.html"].text("td")
    row = next(i for i, cell in enumerate(cells) if cell.startswith(f"{int(chapter[:2])} · "))
    assert abs(float(cells[row + 1]) - minutes) <= 0.0501


# ---- Glossary ----------------------------------------------------------------------------------------------------


def entries():
    """Terms of the glossary and what they mean; a letter after a colon is where the index lists the term."""
    block = re.search(r"^```\{glossary\}\n(.*?)^```$", GLOSSARY, re.MULTILINE | re.DOTALL)[1]
    split = (entry.split("\n  ", 1) for entry in block.strip().split("\n\n"))
    return {term.partition(" : ")[0]: meaning for term, meaning in split}


def test_glossary_is_in_alphabetical_order():
    terms = [term.casefold().replace("β", "beta") for term in entries()]
    assert len(terms) > 100
    assert terms == sorted(set(terms))


@pytest.mark.parametrize("term", entries())
def test_each_term_has_a_sentence_and_a_place(term):
    meaning = entries()[term]
    assert re.match(r"[A-Z$].+[^. ] \((\[[^]]+\]\([^)#]+#[^)]+\)( and )?)+\)\.$", meaning), meaning
    for chapter, anchor in re.findall(r"\]\(\.\./(notebooks/\S+?)#([^)]+)\)", meaning):
        assert (ROOT / chapter).exists()
        assert anchor == anchor.lower()


def test_index_lists_the_glossary(pages):
    listed = " ".join(pages["genindex.html"].text("td")).replace("’", "'")
    assert [term for term in entries() if term not in listed] == []


# ---- Benchmarks --------------------------------------------------------------------------------------------------


def test_every_family_has_its_table(pages):
    source = (ROOT / "book/benchmarks.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^```\{benchmark\} (\w+)$", source, re.MULTILINE)) == set(FAMILIES) | {"all", "page"}
    assert set(benchmark_table.LAYOUTS) == set(FAMILIES)
    page = pages["book/benchmarks.html"]
    notes = [text for text in page.text("p") if "make benchmark" in text]
    missing = [text for text in page.text("p") if text == "Not measured yet."]
    reports = [ROOT / f"gen_utils/benchmarks/{family}.json" for family in (*FAMILIES, "page")]
    assert len(missing) == sum(not path.exists() for path in reports)
    for path in filter(Path.exists, reports):
        report = json.loads(path.read_text(encoding="utf-8"))
        (note,) = [text for text in notes if f"{path.stem}.json" in text]
        assert report["machine"]["cpu"] in note
        assert (report["machine"]["gpu"] or "not measured on a GPU") in note
        assert all(f"{package} {version}" in note for package, version in report["versions"].items())
        assert "budget_seconds" not in report or f"BUDGET={report['budget_seconds']:g}" in note


def test_the_page_shows_what_was_measured(pages):
    cells = pages["book/benchmarks.html"].text("td")
    for row in json.loads((ROOT / "gen_utils/benchmarks/vae.json").read_text(encoding="utf-8"))["rows"]:
        at = cells.index(f"{-row['bound']:.2f} ± {row['standard_error']:.2f}")
        assert cells[at + 1] == f"{-row['elbo']:.2f}"
        assert cells[at + 3] == f"{row['parameters']:,}"


def test_what_to_notice_follows_from_the_numbers():
    ours = {"model": "gen_utils", "seconds": 60.0, "images_per_second": 300.0, "parameters": 7}
    peer = ours | {
        "model": "pythae",
        "images_per_second": 100.0,
        "elbo": -99.0,
        "bound": -95.0,
        "standard_error": 0.4,
    }
    other = peer | {"model": "pythae, lr 1e-3", "bound": -96.0}
    laid = benchmark_table.vae([ours | {"elbo": -91.0, "bound": -90.0, "standard_error": 0.3}, peer, other])
    assert "3.0 times as many images" in laid.notice
    assert "5.0 ± 0.5 nats higher" in laid.notice
    assert laid.line[1:] == ["90.0", "95.0", "pythae's VAE as it comes"]


@pytest.mark.parametrize(("gap", "said"), [(0.29, "nowhere"), (0.31, "only on the moons")])
def test_a_difference_counts_from_three_standard_errors_on(gap, said):
    ours = {"model": "gen_utils", "density": "moons", "divergence": 1.0, "standard_error": 0.06, "parameters": 7}
    near = ours | {"model": "zuko, NSF", "divergence": 1.0 + gap, "standard_error": 0.08}
    far = ours | {"model": "zuko, MAF", "divergence": 9.0}
    laid = benchmark_table.flows([ours, near, far])
    assert said in laid.notice
    assert laid.line[1:] == ["1.0000", f"{1 + gap:.4f}", "zuko's spline flow"]


# ---- Contents ----------------------------------------------------------------------------------------------------


def test_every_page_is_in_the_contents():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = {contents["root"]} | {page["file"] for part in contents["parts"] for page in part["chapters"]}
    written = {f"book/{path.stem}" for path in (ROOT / "book").glob("*.md")}
    written |= {f"notebooks/{name}" for name in COSTS}
    assert listed == written | {"genindex"}


def test_the_first_page_leads_to_every_other(site):
    first = (site / "book/index.html").read_text(encoding="utf-8")
    article = first[first.index("<article") : first.index("</article")]
    links = {urljoin("book/index.html", link).partition("#")[0] for link in re.findall(r'href="([^":]+)"', article)}
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    assert {f"{page['file']}.html" for part in contents["parts"] for page in part["chapters"]} <= links

"""The examples on the book's pages print what the pages say."""

import doctest
import re

import pytest
import torch
from conftest import ROOT

PAGES = sorted((ROOT / "book").glob("*.md"))
PRIMER = ROOT / "book/primer.md"
PYTHON = re.compile(r"^(`{3,})python\n(.*?)^\1$", re.MULTILINE | re.DOTALL)


def run(page):
    """Run a page's Python blocks in one namespace: the number of examples, and what went wrong, a text for each."""
    text = page.read_text(encoding="utf-8")
    blocks = list(PYTHON.finditer(text))
    wrong = [
        f"{page.name}:{text.count(chr(10), 0, block.start()) + 1}: no >>> in this python block, so nothing checks it"
        for block in blocks
        if ">>> " not in block[2]
    ]
    if len(blocks) != text.count("```python"):
        wrong.append(f"{page.name}: a python block is indented, or has more than its language in its first line")
    # Everything but code becomes empty lines, so that a failure names the line of the page.
    kept, end = [], 0
    for block in blocks:
        kept += ["\n" * text.count("\n", end, block.start(2)), block[2]]
        end = block.end(2)
    test = doctest.DocTestParser().get_doctest("".join(kept), {}, page.name, str(page), 0)
    wrong += [f"{page.name}:{e.lineno + 1}: skipped" for e in test.examples if doctest.SKIP in e.options]
    with torch.random.fork_rng():
        doctest.DocTestRunner(verbose=False).run(test, out=wrong.append)
    return len(test.examples), wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples(page):
    _, wrong = run(page)
    assert not wrong, "\n".join(wrong)


def test_the_primer_has_examples():
    assert PRIMER in PAGES
    assert PRIMER.read_text(encoding="utf-8").count(">>> ") > 50


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Two:\n```python\n>>> x = 2\n```\nand\n```python\n>>> x + 1\n3\n```\n", None),
        ("````{dropdown} Why?\n```python\n>>> 1 + 1\n2\n```\n````\n", None),
        ("Two:\n\n```python\n>>> 1 + 1\n3\n```\n", "line 4"),
        ("```python\n>>> 1 / 0\n```\n", "ZeroDivisionError"),
        ("```python\n>>> 1 + 1  # doctest: +SKIP\n3\n```\n", "skipped"),
        ("```python\nx = 2\n```\n\n```python\n>>> 2\n2\n```\n", "page.md:1: no >>>"),
        ("````{dropdown} Why?\n```python\n>>> 1 + 1\n3\n```\n````\n", "Expected"),
    ],
)
def test_a_wrong_page_is_caught(tmp_path, text, complaint):
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    count, wrong = run(page)
    assert count > 0
    assert complaint in "\n".join(wrong) if complaint else wrong == []

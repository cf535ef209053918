"""A chapter exported by `jupyter nbconvert`, read without network: no widget can live there, and none is silent."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT
from test_notebooks import SITE, VIEW, shows

CHAPTER = "05_gans"


@pytest.mark.slow
def test_each_widget_is_a_picture_with_the_address_of_its_page(browser, tmp_path):
    path = ROOT / f"notebooks/{CHAPTER}.ipynb"
    command = [Path(sys.executable).with_name("jupyter-nbconvert"), "--to", "html", "--output-dir", tmp_path, path]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto((tmp_path / f"{CHAPTER}.html").as_uri())
    cells = page.locator(".jp-CodeCell:has(script[type='application/vnd.jupyter.widget-view+json'])").all()
    stored = nbformat.read(path, as_version=4).cells
    assert len(cells) == sum(cell.cell_type == "code" and shows(cell, VIEW) for cell in stored) > 0
    for cell in cells:
        picture = cell.locator("img")
        assert picture.is_visible()
        assert picture.evaluate("(image) => image.complete && image.naturalWidth > 100 && image.height > 100")
        line = cell.locator("xpath=following-sibling::*[1]")
        assert line.is_visible()
        address = f"{SITE}notebooks/{CHAPTER}.html"
        assert line.get_by_role("link", name=address).get_attribute("href") == address
    context.close()

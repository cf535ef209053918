"""A poster is a screenshot of the widget itself, put where a line of text stood."""

import base64
import io
import os

import nbformat
import numpy as np
import posters
import pytest
from chromium import find_chromium
from conftest import ROOT
from PIL import Image
from refresh_widgets import refresh


@pytest.fixture
def notebook():
    """Chapter 3 with its plane alone."""
    notebook = nbformat.read(ROOT / "notebooks/03_autoencoders.ipynb", as_version=4)
    refresh(notebook)
    shown = [cell for cell in notebook.cells if "LatentPlane()" in str(cell.get("outputs"))]
    notebook.cells = shown[:1]
    line = io.BytesIO()
    Image.new("RGB", (300, 20)).save(line, "PNG")  # what a run of the notebook leaves
    output, _ = posters.shown(notebook.cells[0])
    output.data["image/png"] = base64.b64encode(line.getvalue()).decode()
    return notebook


def picture(notebook):
    output, _ = posters.shown(notebook.cells[0])
    return Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))


def test_a_poster_shows_the_widget(notebook):
    if find_chromium() is None:
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop("no Chromium: apt install chromium-headless-shell")
    before = picture(notebook)
    posters.add_posters(notebook, ROOT / "book/_static/models")
    found = picture(notebook)
    assert found.width == 2 * posters.COLUMN != before.width
    pixels = np.asarray(found.convert("RGB"))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100  # digits in ten colours, and a grey picture
    assert (pixels[:20, :20].mean(axis=(0, 1)) > 200).all()  # light


def test_without_chromium_it_says_what_is_missing(notebook, monkeypatch):
    monkeypatch.setenv("CHROMIUM", "no-such-browser")
    with pytest.raises(RuntimeError, match="apt install chromium-headless-shell"):
        posters.add_posters(notebook, ROOT / "book/_static/models")

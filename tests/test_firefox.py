"""The built site in Firefox, a browser of another kind: every widget lives there and computes what PyTorch computes.

Everything else about the pages is tested in Chromium.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import torch
from conftest import HARMLESS, ROOT
from test_browser import CHAPTER_4, CHAPTERS, plane_model, sliders_model


@pytest.fixture(scope="module")
def firefox():
    """Path of Firefox, or a skip that says how to get it; with CI set its absence is a failure."""
    names = [name] if (name := os.environ.get("FIREFOX")) else ["firefox-esr", "firefox"]
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop("no Firefox: apt install firefox-esr, or give its path in the variable FIREFOX")
    return path


def read(firefox, node_modules, address, chapter):
    """What tests/firefox.mjs finds in a chapter."""
    script = [Path(sys.executable).with_name("node"), ROOT / "tests/firefox.mjs"]
    ran = subprocess.run([*script, firefox, f"{address}/{chapter}.html"], capture_output=True, encoding="utf-8")
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


# One chapter for `make check`: starting Firefox takes longer than reading a page.
@pytest.mark.parametrize(
    "chapter", [pytest.param(name, marks=[] if name == CHAPTER_4 else pytest.mark.slow) for name in CHAPTERS]
)
def test_every_widget_lives_in_firefox(firefox, node_modules, address, chapter):
    found = read(firefox, node_modules, address, chapter)
    assert [trouble for trouble in found["troubles"] if HARMLESS not in trouble] == []
    cells = nbformat.read(ROOT / f"{chapter}.ipynb", as_version=4).cells
    widgets = found["widgets"]
    assert len(widgets) == 1 + sum("widget" in cell.metadata.get("tags", []) for cell in cells) > 1
    for widget in widgets:
        assert widget["backend"] == "browser"
        assert widget["posters"] == 0  # hidden, once it lives
    assert any(widget["used"] for widget in widgets) or chapter == CHAPTERS[-1]  # a game, without a slider
    assert found["wide"] == []  # on a phone
    if chapter == CHAPTER_4:
        assert_decoded_as_pytorch_does(widgets)


def assert_decoded_as_pytorch_does(widgets):
    models = {2: plane_model(), 24: sliders_model()}
    pictures = [picture for widget in widgets for picture in widget["decoded"] if len(picture["z"]) in models]
    assert {len(picture["z"]) for picture in pictures} == set(models)
    for picture in pictures:
        z = torch.tensor([picture["z"]])
        assert z.any()  # the plane's point and a slider were moved
        with torch.no_grad():
            x = models[z.shape[1]].decode(z).sigmoid().flatten()
        difference = (1 - torch.tensor(picture["pixels"]) / 255 - x).abs().max()
        assert difference < 0.6 / 255, f"{255 * difference:.2f} grey levels for z = {z}"

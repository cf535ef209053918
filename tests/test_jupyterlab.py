"""Widgets in JupyterLab with a live kernel and no network: the kernel computes what the browser can't."""

import json
import os
import secrets
import subprocess
import sys
from random import Random
from time import monotonic, sleep
from urllib.parse import urlsplit

import nbformat
import pytest
from conftest import PATIENCE
from test_browser import check, check_plane, plane_model, plane_widget, sliders_model, sliders_widget

from gen_utils.page.widgets import GraphWidget

pytestmark = pytest.mark.slow

CELLS = [
    """
import json

import torch
from ipywidgets import HTML, FloatSlider, jslink

from gen_utils import pretrained
from gen_utils.page import export, widgets
from gen_utils.models.vae import VAE


def decoder(name, latent_dim):
    model = pretrained.load(VAE(latent_dim=latent_dim), name)
    z = torch.zeros(1, latent_dim)
    return export.export(lambda z: model.decode(z).sigmoid(), {"z": z}, ["x"], f"{name}_decoder")


def echo(widget, *names):
    label = HTML()

    def report(_):
        label.value = f"Python: {json.dumps([getattr(widget, name) for name in names])}"

    widget.observe(report, names)
    return label
""",
    """
sliders = widgets.LatentSliders(decoder("04_vae", 24), [0.1] * 24)
sliders.show()
echo(sliders, "z")
""",
    """
plane = widgets.LatentPlane(decoder("04_plane", 2), [[1.0, 1.0], [-1.0, 2.0]], [3, 8])
plane.show()
joined = FloatSlider(description="joined", min=-4, max=4, step=0.5)
jslink((joined, "value"), (plane, "x"))
joined.observe(lambda change: setattr(sliders, "z", [change["new"]] * 24), "value")
display(joined, echo(plane, "x", "y"))
""",
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Address of JupyterLab, with settings of its own and a notebook to open."""
    folder = tmp_path_factory.mktemp("lab")
    work = folder / "work"
    work.mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in CELLS])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, work / "widgets.ipynb")
    names = ["HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"]
    token = secrets.token_hex()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"]
    command += ["--ServerApp.port=0", f"--ServerApp.root_dir={work}", f"--IdentityProvider.token={token}"]
    command += ["--LabApp.extension_manager=readonly"]
    settings = folder / "jupyter_config_dir/labconfig/default_setting_overrides.json"
    settings.parent.mkdir(parents=True)
    news = {"checkForUpdates": False, "fetchNews": "false"}
    settings.write_text(json.dumps({"@jupyterlab/apputils-extension:notification": news}), encoding="utf-8")
    environment = os.environ | {name: str(folder / name.lower()) for name in names}
    with (folder / "log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(command, cwd=work, env=environment, stdout=log, stderr=log)
    try:
        patience = monotonic() + 120
        while not (found := list((folder / "jupyter_runtime_dir").glob("jpserver-*.json"))):
            assert server.poll() is None, (folder / "log").read_text(encoding="utf-8")
            assert monotonic() < patience, (folder / "log").read_text(encoding="utf-8")
            sleep(0.1)
        origin = json.loads(found[0].read_text(encoding="utf-8"))["url"].rstrip("/")
        yield origin, f"/lab/tree/widgets.ipynb?token={token}"
    finally:
        server.terminate()  # shuts its kernels down first
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def test_widgets_work_with_a_kernel_and_no_cdn(browser, lab):
    origin, path = lab
    abroad, errors = [], []

    def stay(route):
        if route.request.url.startswith(f"{origin}/"):
            return route.continue_()
        abroad.append(route.request.url)
        return route.abort()

    context = browser.new_context(base_url=origin, viewport={"width": 1280, "height": 1800})
    context.set_default_timeout(PATIENCE)
    context.route("**/*", stay)
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()  # before, the menu's command would be lost
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    sliders, plane = sliders_widget(page), plane_widget(page)
    error = page.locator("[data-mime-type*=error]")
    for widget in (sliders, plane):
        widget.or_(error).first.wait_for()
        assert error.all_inner_texts() == []
        widget.scroll_into_view_if_needed()
        assert "gu-live" in widget.get_attribute("class")
        assert widget.get_attribute("data-backend") == "kernel"
    posters = page.locator(".jp-OutputArea-output img")
    assert posters.count() == 2
    assert not any(poster.is_visible() for poster in posters.all())
    assert {urlsplit(url).netloc for url in abroad} == {
        urlsplit(GraphWidget.cdn.default_value).netloc
    }  # asked, in vain

    draws, z = Random(), [0.0] * 24
    for unit in draws.sample(range(24), 3):
        slider = sliders.get_by_role("slider", name=f"Latent unit {unit + 1}", exact=True)
        for _ in range(draws.randrange(1, 12)):
            slider.press("ArrowLeft" if unit % 2 else "ArrowRight")
        z[unit] = float(slider.input_value())
        assert z[unit] != 0
    check(sliders, sliders_model(), z)
    page.get_by_text(f"Python: {json.dumps([z])}").wait_for()

    joined = page.locator(".noUi-handle")
    joined.press("ArrowRight")
    joined.press("ArrowRight")
    check_plane(plane, plane_model(), [1.0, 0.0])
    check(sliders, sliders_model(), [1.0] * 24)  # Python moves what the page shows
    plane.locator(".gu-plane").press("ArrowUp")
    check_plane(plane, plane_model(), [1.0, 0.1])
    page.get_by_text("Python: [1.0, 0.1]").wait_for()
    assert errors == []
    context.close()

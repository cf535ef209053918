"""The course on Colab's own versions: nothing there has to change, and the widgets run on them."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT
from nbclient import NotebookClient

CONSTRAINTS = ROOT / "tests/colab-constraints.txt"
COLAB_LIST = ROOT.parent / "shared/colab/pip-freeze.txt"
UV = Path(sys.executable).parent / "uv"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIRED = {re.match(r"[\w-]+", requirement)[0] for requirement in PROJECT["dependencies"]}
VIEW = "application/vnd.jupyter.widget-view+json"


def versions(text):
    """Names and versions of `pip freeze`; a direct reference counts when its file name holds the version."""
    found = re.findall(r"^([\w.-]+)(?:==| @ .*/\1-)(\d[\w.]*)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def uv(*arguments):
    # uv reads none of pip's settings: where pip has an index of its own, uv uses it too.
    environment = {"UV_DEFAULT_INDEX": index} if (index := os.environ.get("PIP_INDEX_URL")) else {}
    return subprocess.run(
        [UV, "-q", *arguments], cwd=ROOT, env=environment | os.environ, capture_output=True, encoding="utf-8"
    )


def resolve(constraints, *options):
    """Our requirements for Colab's Python, from metadata alone."""
    target = "--python-version=3.13 --python-platform=x86_64-manylinux_2_28 --no-build --no-header --no-annotate"
    return uv("pip", "compile", *target.split(), *options, f"--constraint={constraints}", "pyproject.toml")


@pytest.fixture(scope="session")
def resolution():
    # What an earlier run looked up is enough, and 20 times faster than asking the registry again.
    run = resolve(CONSTRAINTS, "--offline")
    return run if run.returncode == 0 else resolve(CONSTRAINTS)


def test_colab_has_to_change_nothing(resolution):
    assert resolution.returncode == 0, resolution.stderr
    colab, ours = versions(CONSTRAINTS.read_text(encoding="utf-8")), versions(resolution.stdout)
    assert {n: v for n, v in colab.items() if ours.get(n, v) != v} == {}
    assert colab.keys() <= ours.keys()  # a name nobody asks for would test nothing
    assert REQUIRED - colab.keys() == {"onnx", "onnx-ir", "onnxruntime", "onnxscript", "torchmetrics"}


def test_a_change_would_be_seen(resolution, tmp_path):
    other = tmp_path / "constraints.txt"
    other.write_text(
        re.sub(r"(?m)^numpy==.*$", "numpy==1.26.4", CONSTRAINTS.read_text(encoding="utf-8")), encoding="utf-8"
    )
    run = resolve(other, "--offline")
    assert run.returncode != 0
    assert "numpy==1.26.4" in run.stderr


@pytest.mark.skipif(not COLAB_LIST.exists(), reason="Colab's whole list lies beside the repository only sometimes")
def test_constraints_are_colabs(tmp_path):
    colab, ours = versions(COLAB_LIST.read_text(encoding="utf-8")), versions(CONSTRAINTS.read_text(encoding="utf-8"))
    assert {n: colab.get(n) for n in ours} == ours
    # The whole of it too, less NVIDIA's libraries, which belong to Colab's own build of torch.
    every = tmp_path / "constraints.txt"
    every.write_text(
        "".join(f"{n}=={v}\n" for n, v in colab.items() if not n.startswith("nvidia-")), encoding="utf-8"
    )
    run = resolve(every, "--offline")
    run = run if run.returncode == 0 else resolve(every)
    assert run.returncode == 0, run.stderr


@pytest.fixture(scope="session")
def colab():
    """A second environment: what Colab has and what the set-up cell adds, but torch from the one we run in."""
    if sys.version_info >= (3, 14):
        pytest.skip("Colab's versions are older than this Python: they have no wheels for it")
    packages = [r for r in PROJECT["dependencies"] if not r.startswith("torch")] + ["ipykernel"]
    folder = ROOT / "_build/colab"
    made_of = f"{sys.prefix} {sys.version} {packages}\n{CONSTRAINTS.read_text(encoding='utf-8')}"
    marker, python = folder / "made-of.txt", folder / "bin/python"
    if marker.exists() and marker.read_text(encoding="utf-8") == made_of:
        return python
    for arguments in (
        ("venv", "--clear", f"--python={sys.executable}", str(folder)),
        ("pip", "install", "--no-build", f"--python={python}", f"--constraint={CONSTRAINTS}", *packages),
        # The torch we borrow is newer than Colab's and wants a newer setuptools: ours.
        ("pip", "uninstall", f"--python={python}", "setuptools"),
    ):
        run = uv(*arguments)
        assert run.returncode == 0, run.stderr
    own, main = (sysconfig.get_path("purelib", vars={"base": str(b)}) for b in (folder, sys.prefix))
    # addsitedir appends, so what was installed above comes first; it reads our editable install's .pth too.
    Path(own, "main.pth").write_text(f"import site; site.addsitedir({main!r})\n", encoding="utf-8")
    marker.write_text(made_of, encoding="utf-8")
    return python


@pytest.fixture
def run_in_colab(colab, tmp_path, monkeypatch):
    spec = tmp_path / "kernels/colab/kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [str(colab), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "Colab", "language": "python"}), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))

    def run(cells):
        notebook = nbformat.v4.new_notebook(cells=cells)
        resources = {"metadata": {"path": str(ROOT / "notebooks")}}
        return NotebookClient(notebook, kernel_name="colab", timeout=600, resources=resources).execute()

    return run


def assert_alive(notebook):
    """Every cell tagged `widget` shows one, and the old ipywidgets and anywidget made it."""
    models = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    shown = [models[o.data[VIEW]["model_id"]] for c in notebook.cells for o in c.outputs if VIEW in o.get("data", {})]
    for cell in notebook.cells:
        if "widget" in cell.metadata.get("tags", []):
            assert any(VIEW in o.get("data", {}) for o in cell.outputs), cell.source
    assert all(o.output_type != "error" for c in notebook.cells for o in c.outputs)
    assert {m["model_module_version"] for m in models.values() if m["model_module"] == "anywidget"} == {"~0.9.*"}
    assert {m["model_module_version"] for m in models.values() if m["model_module"].endswith("controls")} <= {"1.5.0"}
    return shown


SMALL = """
import anywidget, IPython, ipykernel, ipywidgets, torch, traitlets

class Twice(anywidget.AnyWidget):
    _esm = "export default { render({ model, el }) { el.textContent = 2 * model.get('value'); } }"
    value = traitlets.Float(0.0).tag(sync=True)

twice, slider = Twice(), ipywidgets.FloatSlider(value=torch.ones(3).sum().item())
link = ipywidgets.jslink((slider, "value"), (twice, "value"))
display(twice)
print(anywidget.__version__, IPython.__version__, ipykernel.__version__, ipywidgets.__version__, torch.__file__)
ipywidgets.VBox([slider, twice])
"""


@pytest.mark.slow
def test_the_environment_is_colabs(run_in_colab):
    cell = nbformat.v4.new_code_cell(SMALL, metadata={"tags": ["widget"]})
    notebook = run_in_colab([cell])
    assert [m["model_name"] for m in assert_alive(notebook)] == ["AnyModel", "VBoxModel"]
    *found, torch = next(o.text for o in notebook.cells[0].outputs if o.output_type == "stream").split()
    pins = versions(CONSTRAINTS.read_text(encoding="utf-8"))
    assert found == [pins[n] for n in ("anywidget", "ipython", "ipykernel", "ipywidgets")]
    assert torch.startswith(sys.prefix)


def widget_cells(cells):
    """The cells that the widgets need: those tagged so, and the shipped weights instead of the training."""
    for cell in cells:
        saved = re.search(r"^pretrained\.save\((\w+), (.+)\)$", cell.source, re.MULTILINE)
        if saved and cell.cell_type == "code":
            model, name = saved.groups()
            made = re.search(rf"^{model} = .+$", cell.source, re.MULTILINE)[0]
            yield nbformat.v4.new_code_cell(f"{made}\npretrained.load({model}, {name})")
        elif {"parameters", "widget-setup", "widget"} & {*cell.metadata.get("tags", [])}:
            yield cell


# Chapter 1's graphs and chapter 5's, with whole training steps, are exported on Colab's versions. The others are what
# the chapter published: an export takes much longer than all else that a widget needs.
EXPORTS = ("01_density_estimation", "05_gans")
PUBLISHED = f"""
import hashlib
from pathlib import Path

from gen_utils.page import export

def published(function, inputs, outputs, name, _export=export.export, **options):
    path = Path({str(ROOT / "book/_static/models")!r}, name + ".onnx")
    if not path.exists():
        return _export(function, inputs, outputs, name, **options)
    return export.Graph(path, hashlib.sha256(path.read_bytes()).hexdigest(), 0.0)

export.export = published
"""


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_widgets_of_a_notebook(path, run_in_colab):
    cells = nbformat.read(path, as_version=4).cells
    for cell in cells:
        if any(VIEW in o.get("data", {}) for o in cell.get("outputs", [])):
            assert "widget" in cell.metadata.get("tags", []), cell.source
    assert any("widget" in cell.metadata.get("tags", []) for cell in cells), "no cell is tagged `widget`"
    graphs = [] if path.stem in EXPORTS else [nbformat.v4.new_code_cell(PUBLISHED)]
    assert_alive(run_in_colab([*graphs, *widget_cells(cells)]))


@pytest.mark.slow
def test_the_set_up_cell_adds_only_us(colab, tmp_path):
    """What `%pip install …/main.zip` does where all we need is there: nothing but gen_utils itself."""
    archive = tmp_path / "main.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in {"pyproject.toml", "README.md", "gen_utils/__init__.py", *PROJECT["license-files"]}:
            file.write(ROOT / path, f"course-main/{path}")
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "pip", f"--python={colab}", "install", "-q", "--dry-run", "--no-index"]
    subprocess.run([*command, "--no-build-isolation", f"--report={report}", archive], check=True, cwd=tmp_path)
    added = {package["metadata"]["name"] for package in json.loads(report.read_text(encoding="utf-8"))["install"]}
    assert added == {"gen_utils"}

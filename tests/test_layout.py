"""Where things live: models know nothing of the page, imports go one way, and a student's reading fits an evening."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter

import pytest
from conftest import ROOT

PACKAGE = ROOT / "gen_utils"
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}
STUDENT = [PACKAGE / f"{name}.py" for name in ("base", "likelihoods", "nets", "train")]
STUDENT += (PACKAGE / "models").glob("*.py")


def imported(name):
    """The package's modules that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in FILES)
        elif isinstance(node, ast.ImportFrom) and node.module in FILES:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (inner if inner in FILES else node.module for inner in names)


def test_imports_have_no_circle():
    assert set(imported("gen_utils.models.vae")) >= {"gen_utils.base", "gen_utils.nets"}
    TopologicalSorter({name: set(imported(name)) - {name} for name in FILES}).prepare()


def test_families_do_not_import_the_page_nor_processes():
    for name in FILES:
        if name.startswith("gen_utils.models") or FILES[name] in STUDENT:
            outside = [
                other for other in imported(name) if other.startswith(("gen_utils.page", "gen_utils.distributed"))
            ]
            assert not outside, (name, outside)


@pytest.mark.parametrize("program", ["import gen_utils.models", "MODULES", "LOAD"])
def test_models_and_weights_need_neither_onnx_nor_widgets(program):
    modules = [name for name in FILES if name.startswith("gen_utils.models.")]
    load = "from gen_utils import pretrained; from gen_utils.classifier import LeNet; "
    load += "pretrained.load(LeNet(), 'classifier')"
    program = program.replace("MODULES", f"import {', '.join(modules)}").replace("LOAD", load)
    program += (
        "; import sys; print(*{'onnx', 'onnxruntime', 'onnxscript', 'ipywidgets', 'accelerate'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.split() == []


def test_what_a_student_reads_fits_an_evening():
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in STUDENT) <= 3300

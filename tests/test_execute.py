"""`make execute` publishes everything or nothing, whatever kills it and whenever."""

import base64
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import execute
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from conftest import ROOT
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

from gen_utils import output, plots

pytestmark = pytest.mark.slow

TOOL = ROOT / "tools/execute.py"

PARAMETERS = "STEPS = 1"
MAKE = """
from gen_utils.output import output_folder

for folder, name in {"weights": "00_new.safetensors", "models": "00_new.onnx", "posters": "00_new.png"}.items():
    (output_folder() / folder).mkdir(parents=True, exist_ok=True)
    (output_folder() / folder / name).write_text(f"{folder} of {STEPS} steps")
"""
# The same without the second that importing the package takes.
MAKE_FAST = MAKE.replace(
    "from gen_utils.output import output_folder",
    f"import os, pathlib\noutput_folder = lambda: pathlib.Path(os.environ[{output.STAGING!r}])",
)
MADE = {"weights/00_new.safetensors": "weights", "models/00_new.onnx": "models", "posters/00_new.png": "posters"}


def put_notebook(root, *sources, name="00_tiny", **metadata):
    cells = [new_code_cell(source, id=f"cell-{i}") for i, source in enumerate(sources)]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = root / f"notebooks/{name}.ipynb"
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel, **metadata}), path)
    return path


@pytest.fixture
def tree(tmp_path):
    """A repository in small: what an earlier run published, no notebook yet."""
    root = tmp_path / "tree"
    for home in execute.HOMES.values():
        (root / home).mkdir(parents=True)
    weights = root / "gen_utils/weights"
    (weights / "00_old.safetensors").write_bytes(b"old weights")
    (weights / "00_new.safetensors").write_bytes(b"earlier weights")
    (root / "book/_static/models/00_new.onnx").write_bytes(b"earlier graph")
    (root / "book/_static/posters/00_new.png").write_bytes(b"earlier poster")
    (weights / "digests.json").write_text("{}", encoding="utf-8")
    return root


def published(root):
    """Every file of the tree outside _build, byte for byte."""
    files = (path for path in root.rglob("*") if path.is_file() and "_build" not in path.parts)
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def call(monkeypatch, root, *arguments):
    """Call main in this process."""
    monkeypatch.setenv(output.STAGING, "")  # main sets it: to be put back
    monkeypatch.setattr(sys, "argv", ["execute.py", "--root", str(root), *arguments])
    execute.main()


def start(root):
    """Start main in a process that may fail and be killed."""
    command = [sys.executable, TOOL, "--root", root]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")


def assert_digests(root):
    weights = root / "gen_utils/weights"
    digests = json.loads((weights / "digests.json").read_text(encoding="utf-8"))
    assert digests == {path.name: sha256(path.read_bytes()).hexdigest() for path in weights.glob("*.safetensors")}
    assert digests.keys() == {"00_new.safetensors", "00_old.safetensors"}


def test_what_ran_whole_is_published(tree, monkeypatch):
    notebook = put_notebook(tree, PARAMETERS, MAKE + "print(STEPS + 41)")
    monkeypatch.chdir(tree.parent)
    call(monkeypatch, tree.name)  # a relative path, while notebooks run in a folder of their own
    for file, folder in MADE.items():
        home = tree / execute.HOMES[folder]
        assert (home / Path(file).name).read_text(encoding="utf-8") == f"{folder} of 1 steps"
    assert_digests(tree)
    found = nbformat.read(notebook, as_version=4)
    assert [cell.execution_count for cell in found.cells] == [1, 2]
    assert found.cells[1].outputs[0].text == "42\n"
    # Its cost stays; timings and paths, which would make every commit differ, don't.
    assert found.metadata["cost"].keys() == {"seconds", "machine", "date"}
    text = notebook.read_text(encoding="utf-8")
    assert "papermill" not in text
    assert "start_time" not in text
    assert str(tree) not in text
    assert not (tree / "_build/ready").exists()
    assert not (tree / "_build/quick").exists()


def test_a_run_that_is_killed_changes_nothing(tree):
    sleep = "(output_folder() / 'pid').write_text(str(os.getpid()))\nimport time; time.sleep(99)"
    put_notebook(tree, PARAMETERS, MAKE_FAST + sleep)
    before = published(tree)
    run = start(tree)
    pid = tree / "_build/quick/pid"
    end = time.monotonic() + 120
    try:
        while not (pid.exists() and pid.read_text(encoding="utf-8")):
            assert time.monotonic() < end and run.poll() is None  # noqa: PT018
            time.sleep(0.05)
        run.send_signal(signal.SIGKILL)
        assert run.wait(60) == -signal.SIGKILL
        assert all((tree / "_build/quick" / file).exists() for file in MADE)
        assert published(tree) == before
    finally:
        run.kill()
        if pid.exists():
            with suppress(ProcessLookupError):  # the kernel outlives its parent for a while
                os.kill(int(pid.read_text(encoding="utf-8")), signal.SIGKILL)
        run.communicate(timeout=120)
    assert published(tree) == before


def test_a_notebook_that_fails_publishes_nothing(tree):
    put_notebook(tree, PARAMETERS, MAKE_FAST, name="00_first")
    put_notebook(tree, PARAMETERS, MAKE_FAST + "raise RuntimeError('this cell fails')", name="01_second")
    before = published(tree)
    run = start(tree)
    output, _ = run.communicate(timeout=120)
    assert run.returncode not in (0, None)
    assert "this cell fails" in output
    assert published(tree) == before
    assert not (tree / "_build/ready").exists()


def test_full_takes_its_parameters_from_the_notebook_and_stays_under_build(tree, monkeypatch):
    put_notebook(tree, PARAMETERS, MAKE_FAST, profiles={"full": {"STEPS": 1000}})
    put_notebook(tree, "STEPS = 2", "raise SystemExit('not asked for')", name="01_other")
    before = published(tree)
    call(monkeypatch, tree, "--profile", "full", "00_tiny")
    assert published(tree) == before
    for file, folder in MADE.items():
        assert (tree / "_build/full" / file).read_text(encoding="utf-8") == f"{folder} of 1000 steps"
    ran = nbformat.read(tree / "_build/full/notebooks/00_tiny.ipynb", as_version=4)
    assert "STEPS = 1000" in [cell.source.splitlines()[-1] for cell in ran.cells]
    assert {path.name for path in (tree / "_build").iterdir()} == {"full"}


def runs_at_once(source, target, profile):
    """Stand for `execute.execute`, where it matters only what the run leaves."""
    for file, folder in MADE.items():
        (target.parents[1] / folder).mkdir(parents=True)
        (target.parents[1] / file).write_text(f"new {folder}", encoding="utf-8")
    target.parent.mkdir()
    target.write_text(source.read_text(encoding="utf-8").replace("earlier", "new"), encoding="utf-8")


class Killed(BaseException):
    pass


@pytest.mark.parametrize("moves", range(5))
def test_a_move_that_was_killed_is_finished_by_the_next_call(tree, monkeypatch, moves):
    put_notebook(tree, PARAMETERS, "print('earlier')")
    with monkeypatch.context() as patch:
        replace, turns = os.replace, iter(range(moves))

        def dies(*arguments):
            if next(turns, None) is None:
                raise Killed
            replace(*arguments)

        def dies_half_way(path, text, *_, **__):
            path.write_bytes(text[:5].encode())
            raise Killed

        def runs_then_moves_die(*arguments):
            runs_at_once(*arguments)
            patch.setattr(os, "replace", dies)
            patch.setattr(Path, "write_text", dies_half_way)  # after the last move, while the digests are written

        patch.setattr(execute, "execute", runs_then_moves_die)
        with pytest.raises(Killed):
            call(patch, tree)
    with pytest.raises(SystemExit, match="2"):  # whatever it is asked to do next, it first finishes this
        call(monkeypatch, tree, "no_such_notebook")
    for file, folder in MADE.items():
        assert (tree / execute.HOMES[folder] / Path(file).name).read_text(encoding="utf-8") == f"new {folder}"
    assert "print('new')" in (tree / "notebooks/00_tiny.ipynb").read_text(encoding="utf-8")
    assert_digests(tree)
    assert (tree / "gen_utils/weights/00_old.safetensors").read_bytes() == b"old weights"
    assert not (tree / "_build/ready").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["05_no_such"], "expected names out of ['00_tiny'], got ['05_no_such']"),
        (["--profile", "../notebooks"], "invalid choice: '../notebooks'"),
        (["--profile", "html"], "invalid choice: 'html'"),
    ],
)
def test_unknown_names_and_profiles_are_refused(tree, monkeypatch, capsys, arguments, message):
    put_notebook(tree, PARAMETERS, MAKE)
    (tree / "_build/html").mkdir(parents=True)
    before = published(tree)
    with pytest.raises(SystemExit) as refusal:
        call(monkeypatch, tree, *arguments)
    assert refusal.value.code != 0
    assert message in capsys.readouterr().err
    assert published(tree) == before
    assert (tree / "_build/html").exists()


def test_a_notebook_run_by_anyone_else_exports_to_a_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.delenv(output.STAGING, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folders = []
    for _ in range(2):
        output._temporary.cache_clear()
        folders.append(output.output_folder())
        assert output.output_folder() == folders[-1]  # one for the whole notebook
    output._temporary.cache_clear()
    assert [folder.parent for folder in folders] == [tmp_path, tmp_path]
    assert folders[0] != folders[1]


def test_a_lean_picture_looks_the_same():
    figure, ax = plots.figure()
    ax.imshow(np.linspace(0, 1, 600).reshape(20, 30), cmap="gray_r")
    ax.plot([0, 29], [0, 19], color=plots.COLOURS["latent"])
    content = io.BytesIO()
    figure.savefig(content)
    plt.close(figure)
    lean = base64.b64decode(execute.lean(base64.b64encode(content.getvalue()).decode()))
    assert len(lean) < 0.6 * len(content.getvalue())
    before, after = (
        np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"), int) for png in (content.getvalue(), lean)
    )
    seen = before[..., 3] > 0  # where nothing is, the colour of nothing may change
    assert np.abs(before - after)[..., 3].max() < 40
    assert np.abs(before - after)[seen].mean() < 4

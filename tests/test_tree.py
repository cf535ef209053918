"""A run that leaves the tree other than it was fails, whichever worker changed it."""

import shutil
import subprocess
import sys

import pytest
from conftest import ROOT


@pytest.mark.parametrize(
    ("written", "workers", "status"),
    [("_build/new.txt", ["-n", "1"], 0), ("new.txt", ["-n", "1"], 1), ("old.txt", [], 1)],
)
@pytest.mark.slow
def test_a_run_that_changes_the_tree_fails(tmp_path, written, workers, status):
    (tmp_path / "tests").mkdir()
    (tmp_path / "_build").mkdir()
    (tmp_path / "old.txt").write_text("old", encoding="utf-8")
    shutil.copy(ROOT / ".gitignore", tmp_path)
    shutil.copy(ROOT / "tests/conftest.py", tmp_path / "tests")
    shutil.copy(ROOT / "tools/chromium.py", tmp_path)
    (tmp_path / "torch.py").write_text(
        "get_num_threads = set_num_threads = print", encoding="utf-8"
    )  # in place of the large one
    (tmp_path / "tests/test_it.py").write_text(
        f"def test_it():\n    open({written!r}, 'w').write('new')", encoding="utf-8"
    )
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *workers], cwd=tmp_path, capture_output=True, encoding="utf-8"
    )
    assert "1 passed" in run.stdout, run.stdout + run.stderr
    assert run.returncode == status, run.stdout
    assert ("the run changed the tree" in run.stdout) == (status == 1)
    assert status == 0 or written in run.stdout

"""The package on other people's systems: another encoding, odd paths, no home, a folder that can only be read.

This file is also the program that is started there.
"""

import ast
import builtins
import hashlib
import io
import os
import shutil
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

ROOT = Path(__file__).resolve().parent.parent

ODD = "é ü'%&(1)"  # in the name of a folder


def read_only(folder):
    """From now on nothing outside `folder` can be written: a system that is read-only, a user without a home."""

    def refuse(event, arguments):
        if event == "open":
            path, mode, flags = arguments
            writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if flags else set(mode or "r") & set("wxa+")
        else:
            path, writes = arguments[0], event in ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate")
        if writes and not isinstance(path, int):
            path = os.path.abspath(os.fsdecode(path)) if event == "open" else os.fsdecode(path)
            # What is removed by a relative name stands in a folder that was opened, so it was found there.
            if os.path.isabs(path) and not path.startswith((folder, "/dev/")):
                raise PermissionError(13, f"{event}: read-only", path)

    sys.addaudithook(refuse)


def on_windows():
    """From now on text is in Windows' encoding where no other is named."""
    plain = io.open

    def windows_open(file, mode="r", buffering=-1, encoding=None, *others, **named):
        if "b" not in mode and encoding in (None, "locale"):
            encoding = "cp1252"
        return plain(file, mode, buffering, encoding, *others, **named)

    builtins.open = io.open = windows_open


def use(package, folder, system):
    """Use what touches files or prints, with the package in the folder `package`."""
    if system == "Windows":
        on_windows()
    warnings.filterwarnings("error", category=EncodingWarning, module="gen_utils")
    read_only(folder)
    import numpy as np

    import gen_utils
    from gen_utils import data, pretrained
    from gen_utils.distributed.__main__ import main
    from gen_utils.models.vae import VAE
    from gen_utils.output import output_folder
    from gen_utils.page import export, widgets

    assert gen_utils.__file__.startswith(package), gen_utils.__file__
    for module in walk_packages(gen_utils.__path__, "gen_utils."):
        import_module(module.name)
    letters, pages = "", [widget for widget in vars(widgets).values() if hasattr(widget, "_esm")]
    assert len(pages) >= 15
    for widget in pages:
        home = Path(sys.modules[widget.__module__].__file__).parent
        for text, file in ((widget._esm, "bundle.js"), (widget._css, "bundle.css")):
            assert str(text) == (home / file).read_bytes().decode("utf-8"), widget
            letters += str(text)
    assert not letters.isascii()
    images = data.mnist()
    model = pretrained.load(VAE(2), "04_plane")
    pretrained.save(model, "00_again")
    assert str(output_folder()).startswith(folder)
    # Not exported here: PyTorch's exporter fails where a name is not of the system's encoding.
    file = Path(folder, "04_plane_decoder.onnx")
    graph = export.Graph(file, hashlib.sha256(file.read_bytes()).hexdigest(), 0.0)
    widget = widgets.LatentPlane(graph, np.zeros((3, 2)), np.arange(3))
    assert widget.run("decoder", z=np.zeros((1, 2), np.float32))["x"].shape == (1, 1, 28, 28)
    widget.show()
    odd = os.fsdecode(ODD.encode())
    mine = Path(folder, f"{odd}.npz")
    np.savez(mine, x=(255 * images.test[:400, 0]).byte().numpy(), y=images.test_labels[:400].numpy())
    assert data.load(str(mine)).classes == 10
    out = Path(folder, odd)
    for _ in range(2):
        main(["gan_plane", "--out", str(out), "--steps", "2", "--batch-size", "16"])
    assert (out / "gan_plane.safetensors").is_file()


@pytest.mark.parametrize("system", ["C", pytest.param("Windows", marks=pytest.mark.slow)])
def test_it_works_in_another_encoding_from_an_odd_read_only_path_without_a_home(tmp_path, system):
    import matplotlib

    package, temporary = tmp_path / ODD / "gen_utils", tmp_path / f"temporary {ODD}"
    shutil.copytree(ROOT / "gen_utils", package, ignore=shutil.ignore_patterns("__pycache__"))
    temporary.mkdir()
    shutil.copy(ROOT / "book/_static/models/04_plane_decoder.onnx", temporary)
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    environment = kept | {
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONPATH": str(package.parent),
        "TMPDIR": str(temporary),
        "MPLCONFIGDIR": matplotlib.get_cachedir(),  # it takes long to list the fonts
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-X", "warn_default_encoding", __file__, package, temporary, system]
    done = subprocess.run(
        command, cwd=package.parent, env=environment, capture_output=True, encoding="utf-8", errors="replace"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "own data: 400 images in 10 classes from" in done.stdout
    assert "28 ? 28 grey" in done.stdout
    assert sorted(path.name for path in package.parent.iterdir()) == ["gen_utils"]


def test_a_user_who_is_not_there_has_no_images():
    from gen_utils import data

    with pytest.raises(FileNotFoundError, match="expected"):
        data.load("~nobody_of_this_name/images")


def without_encoding(tree):
    """Calls that read or write text in whatever encoding the system has; ruff's PLW1514 sees few of them."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        of = getattr(getattr(node.func, "value", None), "id", "")
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        place = 0 if isinstance(node.func, ast.Attribute) else 1  # of the mode: path.open(mode), open(path, mode)
        mode = given.get("mode") or [*node.args, *[ast.Constant("r")] * 2][place]
        text = isinstance(mode, ast.Constant) and "b" not in str(mode.value)  # archive.open(member) is binary
        if (
            (name == "read_text" and not node.args)
            or (name == "write_text" and len(node.args) < 2)
            or (name == "open" and of not in ("os", "Image", "tarfile", "gzip") and text)
            or getattr(given.get("text"), "value", None) is True
        ) and "encoding" not in given:
            yield node.lineno


def test_all_text_is_read_and_written_in_a_named_encoding():
    broken = "a.read_text()\nb.write_text('x')\nopen(c)\nd().open('w')\nopen(e, 'a')\nrun(f, text=True)"
    assert sorted(without_encoding(ast.parse(broken))) == [1, 2, 3, 4, 5, 6]
    names = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    found = {name: [*without_encoding(ast.parse((ROOT / name).read_bytes()))] for name in names.stdout.split()}
    assert {name: lines for name, lines in found.items() if lines} == {}


if __name__ == "__main__":
    use(*sys.argv[1:])

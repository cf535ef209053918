"""What a reader installs works on its own: data, weights and widgets inside, the rest of the course not."""

import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

import gen_utils

VERSION = gen_utils.__version__
FILES = {
    str(path.relative_to(ROOT))
    for path in (ROOT / "gen_utils").rglob("*")
    if path.is_file() and path.suffix != ".pyc"
}  # fmt: skip


def run(*command, **options):
    done = subprocess.run([*map(str, command)], capture_output=True, encoding="utf-8", check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The sdist, the wheel made from it, and the wheel made from the tree."""
    folder = tmp_path_factory.mktemp("dist")
    build = (sys.executable, "-m", "build", "--no-isolation", "--outdir")
    run(*build, folder, ROOT)
    run(*build, folder / "direct", "--wheel", ROOT)
    name = f"gen_utils-{VERSION}"
    wheel = f"{name}-py3-none-any.whl"
    assert {path.name for path in folder.iterdir()} == {f"{name}.tar.gz", wheel, "direct"}
    return {"sdist": folder / f"{name}.tar.gz", "wheel": folder / wheel, "direct": folder / "direct" / wheel}


def test_the_wheel_holds_the_package_with_its_files_and_nothing_else(made):
    with zipfile.ZipFile(made["wheel"]) as wheel:
        names = set(wheel.namelist())
        metadata = wheel.read(f"gen_utils-{VERSION}.dist-info/METADATA").decode()
    outside = {name for name in names if not name.startswith(f"gen_utils-{VERSION}.dist-info/")}
    assert outside == FILES
    for suffix in (
        "datasets/mnist.npz",
        "weights/digests.json",
        "page/widgets/opinion/bundle.js",
        "page/widgets/opinion/bundle.css",
    ):
        assert f"gen_utils/{suffix}" in names
    assert any(name.endswith(".safetensors") for name in names)
    licences = {name.partition("/licenses/")[2] for name in names if "/licenses/" in name}
    assert licences == {"LICENSE", "gen_utils/datasets/LICENSE-MNIST"}
    assert "License-Expression: MIT" in metadata
    assert made["wheel"].stat().st_size < 25_000_000


def test_the_wheel_is_the_same_by_way_of_the_sdist(made):
    contents = []
    for path in (made["wheel"], made["direct"]):
        with zipfile.ZipFile(path) as wheel:
            contents.append({info.filename: info.CRC for info in wheel.infolist()})
    assert contents[0] == contents[1]


def test_the_sdist_holds_what_it_takes_to_build(made):
    with tarfile.open(made["sdist"]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert names == FILES | {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "PKG-INFO", ".gitignore"}
    assert made["sdist"].stat().st_size < 25_000_000


# Run where nothing of the repository is near.
USE = """
import sys
from pathlib import Path
import numpy as np
import gen_utils
from gen_utils import data, pretrained
from gen_utils.page import export, widgets
from gen_utils.models.vae import VAE

home = Path(gen_utils.__file__).parent
assert home.is_relative_to(sys.prefix), home
assert len(data.mnist().train) == 60000
for name, latents in {"04_plane": 2, "04_vae": 24}.items():
    assert pretrained.load(VAE(latents), name).sample(1).shape == (1, 1, 28, 28)
graph = export.Graph(Path("x.onnx"), "00" * 32, 0.0)
plane = widgets.LatentPlane(graph, np.zeros((3, 2)), np.arange(3))
assert "InferenceSession" in plane._esm and ".gu-widget" in plane._css
print(home)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sdist", "wheel"])
def test_it_works_in_an_environment_of_its_own(made, kind, tmp_path):
    clean, home = tmp_path / "clean", tmp_path / "elsewhere"
    home.mkdir()
    venv.create(clean, with_pip=False)
    python = clean / "bin/python"
    own, main = (sysconfig.get_path("purelib", vars={"base": str(base)}) for base in (clean, sys.prefix))
    # What we depend on is borrowed from this environment. A path in a .pth comes after what is installed here, and
    # no .pth of the borrowed folder is read, so its editable install of this repository isn't there.
    Path(own, "borrowed.pth").write_text(main + "\n", encoding="utf-8")
    assert "No module named 'gen_utils'" in subprocess.run(
        [python, "-c", "import gen_utils"], cwd=home, capture_output=True, encoding="utf-8", check=False
    ).stderr  # fmt: skip
    run(
        *(sys.executable, "-m", "pip", f"--python={python}", "install", "--no-deps", "--no-index"),
        *("--no-build-isolation", "--ignore-installed", "--disable-pip-version-check", made[kind]),
    )
    used = run(python, "-W", "error", "-c", USE, cwd=home)
    assert used.strip() == str(Path(own, "gen_utils"))
    assert list(home.iterdir()) == []

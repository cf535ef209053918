"""The repository's address: the same in every place, and `make repository` changes them all."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import repository
from conftest import ROOT

import gen_utils

URL = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]
OWNER, NAME = repository.parse(URL)
SITE = "https://" + repository.site(OWNER, NAME)
OURS = {f"{OWNER}/{NAME}", SITE.removeprefix("https://")}
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TEXTS = {str(p.relative_to(ROOT)): t for p, t in repository.text_files(ROOT).items() if p != Path(__file__)}

# Only the course itself links to Colab or installs a branch's archive: those are ours whatever they say.
ALWAYS_OURS = re.compile(
    r"colab\.research\.google\.com/github/([\w.-]+/[\w.-]+)|github\.com/([\w.-]+/[\w.-]+)/archive/refs/heads"
)
ANY = re.compile(r"github\.com[/:]([\w.-]+/[\w-]+)|([\w-]+\.github\.io(?:/[\w-]+)?)")


def strays(text):
    """Addresses in `text` that mean this course and name another repository."""
    wrong = [m[0] for m in ALWAYS_OURS.finditer(text) if (m[1] or m[2]) != f"{OWNER}/{NAME}"]
    for m in ANY.finditer(text):
        address = m[1] or m[2]
        # Our name under another owner is an address from before a fork, or from after one.
        if address.split("/")[-1].lower() == NAME.lower() and address not in OURS:
            wrong.append(m[0])
    return wrong


def test_every_place_that_names_us_says_the_same():
    assert {path: wrong for path, text in TEXTS.items() if (wrong := strays(text))} == {}
    assert len(strays(f"https://github.com/of-a-fork/{NAME}, https://of-a-fork.github.io/{NAME}")) == 2
    assert len(strays("https://colab.research.google.com/github/of-a-fork/any/blob/main/x.ipynb")) == 1
    assert len(strays("https://github.com/of-a-fork/any/archive/refs/heads/main.zip")) == 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("_config.yml", rf"url:\s*[\"']?{re.escape(URL)}[\"']?$"),
        ("_config.yml", rf"baseurl:\s*[\"']?{re.escape(SITE)}/?[\"']?$"),
        ("CITATION.cff", rf"^repository-code: {re.escape(URL)}$"),
        ("CITATION.cff", rf"^url: {re.escape(SITE)}$"),
        ("README.md", re.escape(URL)),
        ("CONTRIBUTING.md", re.escape(URL)),
    ],
)
def test_known_place(path, line):
    assert re.search(line, TEXTS[path], re.MULTILINE), f"{path} must name {URL} or {SITE}"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_first_code_cell_installs_from_here(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    first = next("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    assert f"%pip install -q {URL}/archive/refs/heads/main.zip\n" in first + "\n"


@pytest.fixture
def fork(tmp_path):
    """A copy of the files that hold the address, as a repository of its own."""
    named = [p for p, t in TEXTS.items() if f"{OWNER}/{NAME}" in t or SITE.removeprefix("https://") in t]
    for path in {*named, "tools/repository.py"}:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    (tmp_path / "binary.npz").write_bytes(b"\0" + URL.encode())
    (tmp_path / "ignored.txt").write_text(URL, encoding="utf-8")
    (tmp_path / ".gitignore").write_text("ignored.txt\n__pycache__/\n", encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def change(fork, url):
    command = [sys.executable, "-B", fork / "tools/repository.py", url]
    return subprocess.run(command, capture_output=True, encoding="utf-8")


def contents(fork):
    return {p.relative_to(fork): p.read_bytes() for p in fork.rglob("*") if p.is_file() and ".git/" not in str(p)}


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://github.com/Some-One/my.fork_2", "https://some-one.github.io/my.fork_2"),
        (f"{URL}-2", "https://" + repository.site(OWNER, f"{NAME}-2")),  # holds the old address
        ("https://github.com/someone/someone.github.io", "https://someone.github.io"),
    ],
)
def test_a_fork_changes_every_place_and_back(fork, url, site):
    before = contents(fork)
    assert change(fork, url + ".git/").returncode == 0
    after = contents(fork)
    changed = {str(p) for p in before if before[p] != after[p]}
    assert {"pyproject.toml", "CITATION.cff"} <= changed
    assert not changed & {"binary.npz", "ignored.txt"}
    for path in changed:
        text = after[Path(path)].decode()
        without_new = text.replace(url.removeprefix("https://github.com/"), "").replace(site, "")
        assert f"{OWNER}/{NAME}" not in without_new, path
        assert SITE.removeprefix("https://") not in without_new, path
        if path.endswith((".ipynb", ".json")):
            json.loads(text)
    assert tomllib.loads(after[Path("pyproject.toml")].decode())["project"]["urls"]["Repository"] == url
    assert change(fork, URL).returncode == 0
    assert contents(fork) == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("https://github.com/a/b.git", "https://github.com/x/y.git"),
        ("git@github.com:a/b", "git@github.com:x/y"),
        ("See https://github.com/a/b.", "See https://github.com/x/y."),
        (
            "colab.research.google.com/github/a/b/blob/main/",
            "colab.research.google.com/github/x/y/blob/main/",
        ),
        ("https://a.github.io/b/index.html", "https://x.github.io/y/index.html"),
        ("github.repository == 'a/b'", "github.repository == 'x/y'"),
        ("a/b testing, https://github.com/a/b-c, github.com/a/b.js, ba.github.io/b", None),
    ],
)
def test_forms(before, after):
    assert repository.replace(before, ("a", "b"), ("x", "y")) == (after or before)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "someone/fork",
        "http://github.com/a/b",
        "https://gitlab.com/a/b",
        "https://github.com/a",
        "https://github.com/a/b/tree/main",
        "https://github.com/-a/b",
        "https://github.com/a/..",
        "https://github.com/a/b c",
    ],
)
def test_a_bad_url_changes_nothing(fork, url):
    before = contents(fork)
    run = change(fork, url)
    assert run.returncode != 0
    assert "expected https://github.com/OWNER/NAME, got " + repr(url) in run.stderr
    assert "Traceback" not in run.stderr
    assert contents(fork) == before


def test_citation_is_valid():
    command = ["check-jsonschema", "--builtin-schema", "vendor.citation-file-format", "CITATION.cff"]
    subprocess.run([Path(sys.executable).parent / command[0], *command[1:]], cwd=ROOT, check=True)


def test_one_version():
    version = gen_utils.__version__
    assert f"\nversion: {version}\n" in TEXTS["CITATION.cff"]
    assert re.search(rf"^## .*{re.escape(version)}", TEXTS["CHANGELOG.md"], re.MULTILINE)

"""Nobody can own the committed address; what is published names its own repository and commit, everywhere."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from urllib.parse import quote, urljoin

import pytest
import repository
import yaml
from conftest import ROOT
from IPython.core.inputtransformer2 import TransformerManager

import gen_utils

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FORK, COMMIT = "Some-One/my.fork_2", "0123456789abcdef0123456789abcdef01234567"
CODE, SITE = f"https://github.com/{FORK}", "https://some-one.github.io/my.fork_2"
COLAB = f"https://colab.research.google.com/github/{FORK}/blob/{COMMIT}"
# Only the course itself links to Colab, installs an archive, or is called by its name.
OURS = re.compile(
    r"colab\.research\.google\.com/github/([\w.-]+/[\w.-]+)|github\.com[/:]([\w.-]+/(?:[\w.-]+/archive/.|course\b))"
    r"|\b([\w-]{1,39}\.github\.io/course)|(generative-models-live/)"
)


def tracked(root=ROOT):
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, encoding="utf-8"
    ).stdout
    return [root / name for name in names.split("\0") if name and (root / name).is_file()]


def texts(paths):
    contents = ((path, path.read_bytes()) for path in paths)
    return {path: content.decode() for path, content in contents if b"\0" not in content}


def set_up_cell(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return next("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def test_the_committed_address_can_be_nobodys():
    url = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]
    assert url == f"https://github.com/{repository.NOBODY}"
    owner, host = repository.NOBODY.split("/")[0], repository.NOBODY.split("/")[0]
    assert not re.fullmatch(r"[A-Za-z\d-]+", owner)  # all that GitHub lets an account be called
    assert host.endswith(".invalid")  # RFC 6761: no resolver knows it
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    assert config["repository"] == {"url": url, "branch": "main"}
    assert config["html"]["baseurl"] == f"https://{repository.NOBODY}/"


def test_no_file_names_another_address():
    for path, text in texts(tracked()).items():
        if "tests" not in path.parts and path.name != "repository.py":
            found = {address for groups in OURS.findall(text) for address in groups if address}
            assert {address for address in found if not address.startswith(repository.NOBODY)} == set(), path
            if repository.NOBODY in text:
                assert any(path in ROOT.glob(pattern) for pattern in repository.FILES), path


@pytest.fixture(scope="module")
def stamped(tmp_path_factory):
    """A copy of the tree with the address of a fork, by the command of publish.yml."""
    root = tmp_path_factory.mktemp("stamped") / "tree"
    for path in tracked():
        copy = root / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    command = ["make", "stamp", f"GITHUB_REPOSITORY={FORK}", f"GITHUB_SHA={COMMIT}"]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    return root


def test_the_workflow_stamps_between_the_tests_and_the_site():
    jobs = yaml.safe_load((ROOT / ".github/workflows/publish.yml").read_text(encoding="utf-8"))["jobs"]
    runs = [step.get("run", "") for step in jobs["build"]["steps"]]
    assert [run for run in runs if run.startswith("make")] == ["make test", "make stamp", "make book"]


def test_nothing_is_left_in_a_stamped_tree_and_only_the_address_changed(stamped):
    changed = set()
    for path, text in texts(tracked(stamped)).items():
        before = (ROOT / path.relative_to(stamped)).read_text(encoding="utf-8")
        if text != before:
            changed.add(str(path.relative_to(stamped)))
            assert ".invalid" not in text
        if path.suffix == ".ipynb":
            old, new = json.loads(before.replace(f"https://{repository.NOBODY}", SITE)), json.loads(text)
            assert set_up_cell(path) == repository.set_up(FORK, COMMIT)
            first = next(i for i, cell in enumerate(old["cells"]) if cell["cell_type"] == "code")
            old["cells"][first]["source"] = new["cells"][first]["source"]
            assert new == old
            assert text == json.dumps(new, indent=1, ensure_ascii=False) + "\n"
    assert changed == {
        *("CITATION.cff", "_config.yml", "pyproject.toml", "book/index.md", "book/teaching.md"),
        *(f"notebooks/{path.name}" for path in NOTEBOOKS),
    }


class Addresses(HTMLParser):
    """Whatever a page leads to, and the texts of its code."""

    def __init__(self, path):
        super().__init__()
        self.found, self.canonical, self.url = [], [], []
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.found += [given[key] for key in ("href", "src", "content", "action") if given.get(key)]
        if given.get("rel") == "canonical":
            self.canonical.append(given["href"])
        if given.get("property") == "og:url":
            self.url.append(given["content"])


@pytest.mark.slow
def test_every_address_of_a_stamped_site_names_that_repository_and_commit(stamped, site):
    (stamped / "book/_static/vendor").symlink_to(ROOT / "book/_static/vendor")
    program = Path(sys.executable).with_name("jupyter-book")
    options = ["--all", "-W", "-n", "--keep-going", "--quiet"]
    built = subprocess.run([program, "build", ".", *options], cwd=stamped, capture_output=True, encoding="utf-8")
    assert built.returncode == 0, built.stdout + built.stderr
    html = stamped / "_build/html"
    assert {path.relative_to(html) for path in html.rglob("*.html")} == {
        path.relative_to(site) for path in site.rglob("*.html")
    }
    for path, text in ((path, path.read_bytes()) for path in html.rglob("*") if path.is_file()):
        assert repository.NOBODY.split("/")[0].encode() not in text, path
    for path in html.rglob("*.html"):
        name = str(path.relative_to(html))
        page = Addresses(path)
        if "_static" in path.parts:
            continue
        address = urljoin(f"{SITE}/", "book/index.html" if name == "index.html" else name)
        assert page.canonical == page.url == [address]
        ours = {url for url in page.found if FORK in url or SITE in url or "colab.research.google.com" in url}
        for url in ours:
            inside = re.match(rf"{re.escape(CODE)}/(?:blob|tree)/(\w+)(?:/(.+))?", url)
            if inside:
                assert inside[1] == COMMIT
                assert (ROOT / (inside[2] or ".")).exists()
        if name == "index.html":
            continue
        assert CODE in ours
        assert any(url.startswith(f"{CODE}/issues/new?title=Issue%20on%20page%20%2F{name}") for url in ours)
        chapter = re.fullmatch(r"notebooks/(\w+)\.html", name)
        colab = {url for url in ours if "colab.research.google.com" in url}
        assert colab == ({f"{COLAB}/notebooks/{chapter[1]}.ipynb"} if chapter else set())
        if chapter:
            assert f"{CODE}/archive/{COMMIT}.zip" in re.sub("<[^>]*>", "", page.text)
            assert set_up_cell(html / f"_sources/notebooks/{chapter[1]}.ipynb") == repository.set_up(FORK, COMMIT)
    first = re.sub("<[^>]*>", "", (html / "book/index.html").read_text(encoding="utf-8"))
    assert f"git clone {CODE} course" in first
    assert f"pip install {CODE}/archive/{COMMIT}.zip" in first
    (citation,) = (html / "_downloads").rglob("CITATION.cff")
    assert f"repository-code: {CODE}\nurl: {SITE}\n" in citation.read_text(encoding="utf-8")


def in_colab(source, monkeypatch, path, installed=False):
    """Run a set-up cell as Colab would, and return what it installs."""
    calls = []
    answer = path if isinstance(path, bytes) else json.dumps([{"path": path, "name": "x.ipynb"}]).encode()
    shell = type("Shell", (), {"run_line_magic": lambda self, name, line: calls.append((name, line))})()
    monkeypatch.setitem(sys.modules, "google.colab", gen_utils)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: installed or None)
    monkeypatch.setattr("socket.gethostbyname", lambda name: "172.28.0.12")
    monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: BytesIO(answer))
    scope = {"get_ipython": lambda: shell}
    exec(TransformerManager().transform_cell(source), scope)
    # IPython puts variables into a magic's line.
    return [(name, re.sub(r"{(\w+)}", lambda m: scope[m[1]], line)) for name, line in calls]


INSTALL = [("pip", f"install -q {CODE}/archive/{COMMIT}.zip")]
OPENED = f"https://github.com/{FORK}/blob/{COMMIT}/notebooks/05_gans.ipynb"


def test_every_notebook_has_the_same_set_up_cell():
    assert len({set_up_cell(path) for path in NOTEBOOKS}) == 1


@pytest.mark.parametrize("path", ["fileId=" + quote(OPENED, ""), "fileId=" + quote(OPENED), "fileId=" + OPENED])
def test_a_notebook_that_colab_opens_at_a_commit_installs_that_commit(path, monkeypatch):
    assert in_colab(set_up_cell(NOTEBOOKS[0]), monkeypatch, path) == INSTALL


def test_a_stamped_cell_installs_its_commit_wherever_it_was_opened(monkeypatch):
    assert in_colab(repository.set_up(FORK, COMMIT), monkeypatch, "fileId=1x") == INSTALL


@pytest.mark.parametrize("cell", [set_up_cell(NOTEBOOKS[0]), repository.set_up(FORK, COMMIT)])
def test_a_set_up_cell_leaves_an_installed_package_alone(cell, monkeypatch):
    assert in_colab(cell, monkeypatch, "fileId=" + OPENED, installed=True) == []


@pytest.mark.parametrize(
    "path",
    [
        "fileId=1jhUFTWabc",  # a copy in somebody's Drive
        "fileId=" + OPENED.replace(COMMIT, "main"),
        "fileId=https://example.org/?" + OPENED,
        "fileId=" + OPENED.replace(FORK, "a b; rm -rf ~/c"),
        "fileId=" + OPENED.replace(FORK, "../x"),
        b"[]",
        b"not JSON",
        b'{"error": 1}',
        b'[{"path": null}]',
    ],
)
def test_an_unstamped_copy_from_elsewhere_refuses_in_words(path, monkeypatch):
    with pytest.raises(RuntimeError, match=r"does not say where its package is\. Open it by the link"):
        in_colab(set_up_cell(NOTEBOOKS[0]), monkeypatch, path)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("See https://github.com/{}.", f"See {CODE}."),
        ("https://github.com/{}/blob/main/x.md", f"{CODE}/blob/{COMMIT}/x.md"),
        ("https://github.com/{}/archive/main.zip", f"{CODE}/archive/{COMMIT}.zip"),
        ("https://{}/index.html", f"{SITE}/index.html"),
        (
            "repository:\n  url: https://github.com/{}\n  branch: main\n",
            f'repository:\n  url: {CODE}\n  branch: "{COMMIT}"\n',
        ),
        ("https://github.com/a/b/blob/main/x, branch: main", None),
    ],
)
def test_forms(before, after):
    before = before.format(repository.NOBODY)
    assert repository.stamp(before, FORK, COMMIT) == (after or before)


def test_a_user_s_own_site_has_no_folder():
    assert repository.site("Someone", "someone.github.io") == "https://someone.github.io"


@pytest.mark.parametrize(
    ("name", "commit", "wrong"),
    [
        ("", COMMIT, "REPOSITORY"),
        ("someone", COMMIT, "REPOSITORY"),
        ("a/b/c", COMMIT, "REPOSITORY"),
        ("-a/b", COMMIT, "REPOSITORY"),
        ("a/..", COMMIT, "REPOSITORY"),
        ("a/b c", COMMIT, "REPOSITORY"),
        ("a/b\n", COMMIT, "REPOSITORY"),
        ('a/b"; import os', COMMIT, "REPOSITORY"),
        ("a/b.git", COMMIT, "REPOSITORY"),
        (repository.NOBODY, COMMIT, "REPOSITORY"),
        ("é/b", COMMIT, "REPOSITORY"),
        (FORK, "", "SHA"),
        (FORK, "main", "SHA"),
        (FORK, COMMIT[:-1], "SHA"),
        (FORK, COMMIT.upper(), "SHA"),
        (FORK, COMMIT + "\n", "SHA"),
    ],
)
def test_what_could_be_code_is_refused_and_nothing_written(name, commit, wrong, tmp_path):
    config = tmp_path / "_config.yml"
    config.write_text(f"url: https://github.com/{repository.NOBODY}\n", encoding="utf-8")
    got = re.escape(repr(commit if wrong == "SHA" else name))
    with pytest.raises(ValueError, match=f"GITHUB_{wrong}: expected .*, got {got}"):
        repository.main(tmp_path, name, commit)
    assert repository.NOBODY in config.read_text(encoding="utf-8")


def test_the_command_says_what_it_wants():
    command = [sys.executable, "-B", ROOT / "tools/repository.py"]
    run = subprocess.run(command, capture_output=True, encoding="utf-8", env={"GITHUB_REPOSITORY": "a"})
    assert run.returncode != 0
    usage = "make stamp GITHUB_REPOSITORY=OWNER/NAME GITHUB_SHA=COMMIT: "
    assert run.stderr.startswith(usage + "GITHUB_REPOSITORY: expected OWNER/NAME, got 'a'")


def test_citation_is_valid():
    command = ["check-jsonschema", "--builtin-schema", "vendor.citation-file-format", "CITATION.cff"]
    subprocess.run([Path(sys.executable).parent / command[0], *command[1:]], cwd=ROOT, check=True)


def test_one_version():
    version = gen_utils.__version__
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(
        rf"^## .*{re.escape(version)}", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )

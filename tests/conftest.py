"""The site, built afresh and served on localhost, and a browser that remembers whatever goes wrong in its pages."""

import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from fcntl import LOCK_EX, flock
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import zip_longest
from pathlib import Path
from random import Random
from threading import Thread
from time import time_ns

import pytest
from chromium import find_chromium
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

import gen_utils  # noqa: F401  (before torch is loaded, for its setting of OpenMP; kernels inherit it)

settings.register_profile("same", derandomize=True)  # a commit is green or red, not one today and the other tomorrow
settings.load_profile("same")

ROOT = Path(__file__).resolve().parent.parent
# html-manager's JSON checker complains of html-manager's own schema.
HARMLESS = "strict mode: use allowUnionTypes to allow union type keyword"
PATIENCE = 120_000  # ms that a test waits for what must come: no busy machine takes as long


def tree():
    """What git sees: changed and unknown files, and the digest of every change."""
    commands = (["git", "status", "--porcelain"], ["git", "diff"])
    return [subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8").stdout for command in commands]


TREE_BEFORE = tree()


def cost(notebook):
    """Seconds that `make execute` took."""
    return json.loads(notebook.read_text(encoding="utf-8"))["metadata"].get("cost", {"seconds": 0})["seconds"]


def group(path):
    """What one worker runs: a file, or the two files of a widget, which use the same exports."""
    return re.sub(r"^test_(browser|widgets)_", "", path.stem).removesuffix("_sampler")


class GroupScheduling(LoadScopeScheduling):
    """One worker runs a whole group."""

    def _split_scope(self, nodeid):
        return group(Path(nodeid.partition("::")[0]))


def pytest_xdist_make_scheduler(config, log):
    """Hand out groups where there are several workers."""
    return GroupScheduling(config, log)


def pytest_collection_modifyitems(items):
    """Groups stay together, in such an order that no core waits.

    A browser waits half of its time, so browser files and notebooks alternate; then come files with many slow tests,
    and short ones last.
    """
    costs = {path: cost(path) for path in (ROOT / "notebooks").glob("*.ipynb")}
    groups = {}
    for item in items:
        groups.setdefault(group(item.path), []).append(item)
    notebooks, browsers, others = [], [], []
    for members in groups.values():
        fixtures = {fixture for item in members for fixture in getattr(item, "fixturenames", [])}
        (notebooks if members[0].path in costs else browsers if "browser" in fixtures else others).append(members)
    notebooks.sort(key=lambda members: -costs[members[0].path])
    browsers.sort(key=lambda members: -len(members))
    others.sort(key=lambda members: -sum(item.get_closest_marker("slow") is not None for item in members))
    mixed = [members for pair in zip_longest(notebooks, browsers, fillvalue=[]) for members in pair]
    items[:] = [item for members in [*mixed, *others] for item in members]


def change(config):
    """What git sees after a run that left it other than it was; only a run of everything is asked."""
    some = config.args_source is pytest.Config.ArgsSource.ARGS  # beside these, their author may well be editing
    return "" if some or tree() == TREE_BEFORE else "\n".join(tree())


def pytest_sessionfinish(session):
    """Fail a run that changed the tree, whether in a test or in a notebook, and in whichever worker."""
    if not hasattr(session.config, "workerinput") and change(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    """Say why it failed."""
    if found := change(config):
        terminalreporter.section("the run changed the tree", red=True)
        terminalreporter.write_line(found)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Models this small run ten times faster on one thread than on two."""
    import torch  # here, because what precedes gen_utils at the top would load it too early

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True, scope="module")
def output(tmp_path_factory):
    """Folder of what a module's tests export; `make execute` names its own in the same way."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("output")
        patch.setenv("GEN_UTILS_STAGING", str(folder))
        yield folder


@pytest.fixture(scope="session")
def site(request, tmp_path_factory):
    """Folder of the site, built as `make book` builds it, once for all workers."""
    if not (ROOT / "book/_static/vendor/installed").exists():
        subprocess.run(["make", "book/_static/vendor/installed"], cwd=ROOT, check=True)
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if hasattr(request.config, "workerinput") else own) / "book"
    with folder.with_suffix(".lock").open("w", encoding="utf-8") as lock:
        flock(lock, LOCK_EX)
        if not (folder / "built").exists():
            program = Path(sys.executable).with_name("jupyter-book")
            options = ["--path-output", folder, "--all", "-W", "-n", "--keep-going", "--quiet"]
            built = subprocess.run([program, "build", ".", *options], cwd=ROOT, capture_output=True, encoding="utf-8")
            assert built.returncode == 0, built.stdout + built.stderr
            (folder / "built").touch()
    return folder / "_build/html"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def address(site):
    """Origin that the site is served from."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def node_modules():
    """Folder of what the tests run under Node."""
    folder = ROOT / "node_modules"
    if not (folder / "installed").exists():
        subprocess.run(["make", "node_modules/installed"], cwd=ROOT, check=True)
    return folder


# Of the module, not the session: while Playwright runs, its event loop is this thread's, and others need their own.
@pytest.fixture(scope="module")
def browser():
    """Chromium, or a skip that says how to get it; with CI set its absence is a failure."""
    path = find_chromium()
    if path is None:
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop("no Chromium: apt install chromium-headless-shell, or give its path in the variable CHROMIUM")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--disable-gpu"])
        yield chromium
        chromium.close()


@contextmanager
def watched(browser, origin, troubles=None, **options):
    """A page of its own context. Trouble in it fails the test, unless the test takes a list of it to judge itself."""
    found = [] if troubles is None else troubles

    def console(message):
        if message.type in ("error", "warning") and HARMLESS not in message.text:
            found.append(f"console {message.type}: {message.text} {message.location['url']}")

    def request(request):
        if not request.url.startswith((f"{origin}/", "data:", "blob:")):
            found.append(f"another origin: {request.url}")

    context = browser.new_context(base_url=origin, **options)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.on("console", console)
    page.on("pageerror", lambda error: found.append(f"uncaught: {error}"))
    page.on("request", request)
    page.on(
        "requestfailed", lambda request: found.append(f"failed: {request.url.partition('?')[0]} {request.failure}")
    )
    page.on("response", lambda response: response.status < 400 or found.append(f"{response.status}: {response.url}"))
    try:
        yield page
        if troubles is None:
            assert found == []
    finally:
        context.close()


@pytest.fixture
def visit(browser, address):
    """Function that opens a blank watched page; `page.goto("/path")` then goes to the site."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(watched(browser, address, **options))


@pytest.fixture
def draws():
    """Random numbers that differ from run to run."""
    seed = time_ns()
    print(f"drawn with seed {seed}")  # shown when the test fails
    return Random(seed)

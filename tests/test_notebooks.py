"""The notebooks' habits: what a reader, `pytest --nbval` and the published page rely on."""

import ast
import copy
import hashlib
import itertools
import re

import nbformat
import pytest
import refresh_widgets
import yaml
from conftest import ROOT

VIEW = "application/vnd.jupyter.widget-view+json"
MAX_LINES = 25
SITE = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["html"]["baseurl"]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell):
    return cell.metadata.get("tags", [])


def shows(cell, kind):
    return any(kind in output.get("data", {}) for output in cell.outputs)


def asserts(cell):
    """Whether a cell can fail: an assert statement or one of torch.testing's."""
    tree = ast.parse(re.sub(r"^(\s*)%.*", r"\1pass", cell.source, flags=re.MULTILINE))
    return any(
        isinstance(node, ast.Assert) or (isinstance(node, ast.Attribute) and node.attr == "assert_close")
        for node in ast.walk(tree)
    )


def complaints(notebook):
    """Everything that breaks a habit, as lines of text."""
    cells = code_cells(notebook)
    found = []
    for number, cell in enumerate(cells, 1):
        lines = cell.source.splitlines()
        if cell.execution_count != number:
            found.append(f"cell {number}: executed as {cell.execution_count}: run `make execute`")
        if not lines:
            found.append(f"cell {number}: empty")
        if len(lines) > MAX_LINES and "hide-input" not in tags(cell):
            found.append(f"cell {number}: {len(lines)} lines, at most {MAX_LINES}")
        if any(output.output_type == "error" or output.get("name") == "stderr" for output in cell.outputs):
            found.append(f"cell {number}: an error or a warning is stored")
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        if shows(cell, "image/png"):
            if len(alt) < 40:
                found.append(f"cell {number}: a figure without alternative text")
            if re.match(r"(?i)(a |the )?(figure|plot|image|picture|chart)\b", alt):
                found.append(f"cell {number}: alternative text that says that it is a figure, not what it shows")
        if shows(cell, VIEW) and not (shows(cell, "image/png") and "widget" in tags(cell)):
            found.append(f"cell {number}: a widget without poster or tag")
        if "nbval-ignore-output" in tags(cell) and not (number < len(cells) and asserts(cells[number])):
            found.append(f"cell {number}: output ignored and the next code cell asserts nothing")
        if "nbval-skip" in tags(cell):
            found.append(f"cell {number}: skipped")
        text = [output.get("text", "") or {**output.get("data", {}), "image/png": ""} for output in cell.outputs]
        if re.search(r"0x[0-9a-f]{6}|/tmp/|/home/|PosixPath", str(text)):
            found.append(f"cell {number}: an address or a path in its output")
    return found


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def test_habits_are_kept(notebook):
    assert complaints(notebook) == []


def test_a_notebook_is_lean_and_knows_its_cost(notebook):
    assert len(nbformat.writes(notebook)) < 1_000_000
    assert notebook.metadata.cost.seconds > 0
    assert set(notebook.metadata.profiles) == {"full", "smoke"}


def test_stored_widgets_have_the_package_s_javascript(notebook):
    stored = copy.deepcopy(notebook)
    refresh_widgets.refresh(notebook)
    assert notebook == stored, "run `make widgets`"


def test_set_up_comes_first_and_parameters_second(notebook):
    first, second = code_cells(notebook)[:2]
    assert "google.colab" in first.source
    assert "parameters" in tags(second)
    assigned = [node for node in ast.parse(second.source).body if isinstance(node, ast.Assign)]
    names = {target.id for node in assigned for target in node.targets}
    assert names >= {"SEED", "DATASET"}
    # What the full profile changes must be a parameter, or papermill would set a name that nobody reads.
    for profile in notebook.metadata.profiles.values():
        assert set(profile) <= names


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_below_each_widget_stands_where_it_lives(path):
    """For GitHub, a PDF, an export, an editor without the widgets' extension; the page itself leaves the line out."""
    cells = nbformat.read(path, as_version=4).cells
    below = [line for cell, line in itertools.pairwise(cells) if cell.cell_type == "code" and shows(cell, VIEW)]
    assert below
    for line in below:
        assert line.cell_type == "markdown"
        assert "remove-cell" in tags(line)
        assert line.source.endswith(f"the published page of this chapter: <{SITE}notebooks/{path.stem}.html>.")


def graphs(value):
    """Name and digest of every graph in a widget's state."""
    if isinstance(value, dict):
        if value.keys() >= {"file", "sha256"}:
            yield value["file"], value["sha256"]
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from graphs(part)


def test_stored_widgets_ask_for_the_graphs_that_are_there(notebook):
    """Chapters share graphs; one that is executed alone may publish a file with which the others' no longer agree."""
    asked = dict(graphs(notebook.metadata.widgets))
    models = ROOT / "book/_static/models"
    assert asked == {file: hashlib.sha256((models / file).read_bytes()).hexdigest() for file in asked}
    assert asked


def test_a_chapter_begins_with_its_title_and_a_question(notebook):
    opening = notebook.cells[0].source
    assert opening.startswith("# ")
    assert "?" in opening


def test_every_citation_is_in_the_bibliography(notebook):
    known = set(re.findall(r"@\w+\{([^,]+),", (ROOT / "book/references.bib").read_text(encoding="utf-8")))
    cited = set(re.findall(r"\{cite[:\w]*\}`([^`]+)`", "\n".join(cell.source for cell in notebook.cells)))
    assert cited
    assert {key.strip() for keys in cited for key in keys.split(",")} <= known


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        ({"metadata": {"tags": ["nbval-ignore-output"]}}, "asserts nothing"),
        ({"source": "x = 1\n" * 26}, "26 lines"),
        (
            {"outputs": [nbformat.v4.new_output("display_data", {"image/png": "", "text/plain": ""})]},
            "alternative text",
        ),
        ({"outputs": [nbformat.v4.new_output("stream", name="stderr", text="careful")]}, "warning"),
        ({"outputs": [nbformat.v4.new_output("stream", text="<object at 0x7f00aa11>")]}, "address"),
        ({"outputs": [nbformat.v4.new_output("display_data", {VIEW: {}})]}, "widget without"),
        ({"execution_count": 3}, "executed as 3"),
        ({"source": ""}, "empty"),
        ({"metadata": {"tags": ["nbval-skip"]}}, "skipped"),
    ],
)
def test_a_broken_habit_is_found(broken, complaint):
    fields = {"source": "x = 1", "execution_count": 1} | broken
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(**fields)])
    assert complaint in "\n".join(complaints(notebook))

"""Each exercise: "not yet" to its starter and to plausible wrong answers, "right" to its solution."""

import ast
import importlib.util
import re

import nbformat
import pytest
import torch
from conftest import ROOT

from gen_utils.exercises import agree, exercise

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def tagged(notebook, tag):
    return [cell.source for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def imports(notebook):
    """The import statements of a notebook: all that an exercise may lean on, besides its own cells."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            tree = ast.parse(re.sub(r"^(\s*)%.*", r"\1pass", cell.source, flags=re.MULTILINE))
            yield from (ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))


def wrong_answers(stem):
    """What tests/wrong_answers/<chapter>.py offers, by the name of the check that must refuse it."""
    path = ROOT / f"tests/wrong_answers/{stem}.py"
    spec = importlib.util.spec_from_file_location("wrong_answers", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.WRONG


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def chapter(request):
    notebook = nbformat.read(request.param, as_version=4)
    cells = [tagged(notebook, tag) for tag in ("starter", "check", "solution")]
    return "\n".join(imports(notebook)), list(zip(*cells, strict=True)), wrong_answers(request.param.stem)


def test_there_are_four_and_each_has_two_wrong_answers(chapter):
    _, exercises, wrong = chapter
    names = {re.search(r"^def (check_\w+)\(", check, re.MULTILINE)[1] for _, check, _ in exercises}
    assert len(names) == len(exercises) >= 4
    assert set(wrong) == names
    assert all(len(answers) >= 2 for answers in wrong.values())


def test_verdicts(chapter, capsys):
    setting, exercises, wrong = chapter
    for starter, check, solution in exercises:
        names = {}
        exec(setting, names)
        exec(starter, names)
        exec(check, names)  # defines the check and asks it about the starter
        assert capsys.readouterr().out.startswith("Not yet."), check
        exec(solution, names)
        assert capsys.readouterr().out == "Right.\n", solution
        name = re.search(r"^def (check_\w+)\(", check, re.MULTILINE)[1]
        for answer in wrong[name]:
            names[name](answer)
            said = capsys.readouterr().out
            assert said.startswith("Not yet. Expected"), f"{name} {answer.__name__}: {said}"  # a verdict, not a crash


def test_what_the_page_shows_is_what_was_said():
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        for tag, begins in (("check", "Not yet."), ("solution", "Right.")):
            for cell in notebook.cells:
                if tag in cell.metadata.get("tags", []):
                    assert cell.outputs[0].text.startswith(begins)


def test_a_verdict_on_an_answer_that_crashes(capsys):
    @exercise
    def check(answer):
        answer()

    check(lambda: 1 / 0)
    assert capsys.readouterr().out == "Not yet. ZeroDivisionError: division by zero\n"
    check(lambda: None)
    assert capsys.readouterr().out == "Right.\n"


def test_agree_tells_what_differs():
    truth = torch.tensor([1.0, 200.0])
    agree(truth.clone() + torch.tensor([0.0, 0.01]), truth, "hint")
    for found, message in (
        (..., "Expected a tensor, got ellipsis"),
        (torch.ones(3), r"Expected shape \(2,\), got \(3,\)"),
        (torch.tensor([1.0, 201.0]), "Expected 200 where you have 201. hint"),
        (torch.tensor([1.001, 200.0]), "Expected 1 where you have 1.001. hint"),
        (torch.tensor([torch.nan, 200.0]), "Expected 1 where you have nan. hint"),
    ):
        with pytest.raises(AssertionError, match=message):
            agree(found, truth, "hint")

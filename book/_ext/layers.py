"""Lay a notebook out as story, proof and program: prose, figures and widgets are open, checks and code fold.

Nothing is taken away: every cell is on the page, one click off. Cells that no prose parts are laid out together:

- First what is open: code tagged `show`, printed numbers, figures (each with a number and its cell's `caption`),
  widgets. Then one line that unfolds their other code, and one that unfolds their checks: "✓ 3 checks". Statements
  that only check something count as checks, whether they fill a cell or end it.
- A widget has a frame: what to try above it, what to notice below, and the code that makes it in the frame's foot.
- What comes before the first section becomes the chapter's opening: the question, a widget to begin with (`hero` in
  the notebook's metadata names its class), what the chapter teaches, and the set-up.
"""

import ast
import json
import re
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from notebook_widget import VIEW, hero
from sphinx.application import Sphinx

SHORT = 72  # characters of a fold's line
WORDS_A_MINUTE = 130  # of prose with formulas and pictures
EXERCISE = {"starter": "Start from this code", "check": "The check of your answer", "solution": "Solution"}


class Fold(nodes.General, nodes.Element):
    """A `details` element: `summary` is its line."""


class Frame(nodes.General, nodes.Element):
    """A `figure` element."""


class Caption(nodes.General, nodes.Element):
    """Its `figcaption`."""


def fold(kind: str, summary: str, *children: nodes.Node) -> Fold:
    """Fold some nodes."""
    return Fold("", *children, summary=summary, classes=["fold", kind])


# ---- What code says ----------------------------------------------------------------------------------------------


def parse(source: str) -> list[ast.stmt]:
    """Parse a cell; lines for the shell or for IPython do nothing here."""
    return ast.parse(re.sub(r"^(\s*)[%!].*", r"\1pass", source, flags=re.MULTILINE)).body


def names(code: list[ast.stmt], context: type) -> set[str]:
    """Find the names that code reads (`ast.Load`) or binds (`ast.Store`)."""
    found = (node for statement in code for node in ast.walk(statement) if isinstance(node, ast.Name))
    return {node.id for node in found if isinstance(node.ctx, context)}


def checks(statement: ast.stmt) -> int:
    """Count the checks in a statement that does nothing else but to prepare them; 0 if it does something else."""
    match statement:
        case ast.Assert():
            return 1
        case ast.Expr(ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name))) if name.startswith("assert_"):
            return 1
        case ast.For() | ast.If() | ast.With():
            inside = [checks(each) for each in statement.body]
            helpers = [isinstance(each, ast.Assign | ast.AugAssign) for each in statement.body]
            return sum(inside) if all(n or helps for n, helps in zip(inside, helpers, strict=True)) else 0
    return 0


def split(source: str, later: set[str]) -> tuple[str, str, int]:
    """Part code from the checks that end it, and count these.

    Values that are named for a check go with it, if they are not among the names that later cells read.
    """
    statements = parse(source)
    first, found = len(statements), 0
    for i, statement in reversed(list(enumerate(statements))):
        n = checks(statement)
        helps = isinstance(statement, ast.Assign | ast.AugAssign) and not names([statement], ast.Store) & later
        if not n and not (found and helps):
            break
        first, found = i, found + n
    if not found:
        return source, "", 0
    lines = source.splitlines()
    line = statements[first].lineno - 1
    while line and lines[line - 1].startswith("#"):  # a comment goes with what it is about
        line -= 1
    return "\n".join(lines[:line]).rstrip(), "\n".join(lines[line:]), found


def headline(source: str) -> str:
    """Say in one line what code does: its first comment, or else the names that it makes, if any."""
    lines = [line.strip() for line in source.splitlines()]
    for i, line in enumerate(lines):
        if line.startswith("# "):
            words = line[2:]
            for more in lines[i + 1 :]:  # the whole sentence
                if not more.startswith("# ") or words.endswith((".", ":", "?")):
                    break
                words += " " + more[2:]
            words = words.removesuffix(".")
            return words if len(words) <= SHORT else words[:SHORT].rpartition(" ")[0] + " …"
    made = []
    for statement in parse(source):
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            made.append(statement.name)
        elif isinstance(statement, ast.Assign):
            made += sorted(names([statement], ast.Store) - set(made))
    return ", ".join(made[:4]) + (", …" if made[4:] else "")


# ---- What becomes of cells ---------------------------------------------------------------------------------------


class Layers(NamedTuple):
    """What of a cell is open, its code that folds, and its checks."""

    story: list[nodes.Node]
    program: str
    proof: str
    found: int  # checks


def is_cell(node: nodes.Node) -> bool:
    """Tell code cells from prose."""
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code" and bool(node.children)


def tags_of(cell: nodes.container) -> list[str]:
    """Give a cell's tags."""
    return cell["cell_metadata"].get("tags", [])


def source_of(cell: nodes.container) -> str:
    """Give a cell's code."""
    return next(iter(cell.children[0].findall(nodes.literal_block))).astext()


def shows(cell: nodes.container, kind: str) -> bool:
    """Tell whether a cell has an output of a media type."""
    return any(node.get("mime_type") == kind for node in cell.findall(nodes.container))


def input_of(cell: nodes.container, text: str) -> nodes.container:
    """Copy a cell's input with a part of its lines."""
    copy = cell.children[0].deepcopy()
    block = next(iter(copy.findall(nodes.literal_block)))
    block.children, block.rawsource = [nodes.Text(text)], text
    return copy


def caption(text: str) -> Caption:
    """Write what a figure shows; formulas stand between dollars."""
    return Caption(
        "", *(nodes.math("", each) if i % 2 else nodes.Text(each) for i, each in enumerate(text.split("$")))
    )


def part(cell: nodes.container, later: set[str]) -> Layers:
    """Part a cell into layers."""
    code, *output = cell.children
    if tag := next(iter(EXERCISE.keys() & tags_of(cell)), None):
        # What a check answers is for those who can type.
        return Layers([fold("code", EXERCISE[tag], code, *(output if tag == "solution" else []))], "", "", 0)
    if "hide-cell" in tags_of(cell):
        prompt = cell["cell_metadata"].get("mystnb", {}).get("code_prompt_show", "The answer")
        return Layers([fold("code", prompt, *output, code)], "", "", 0)
    program, proof, found = split(source_of(cell), later)
    if shows(cell, VIEW):
        output = [nodes.container("", nodes.container("", *output, classes=["cell"]), classes=["widget"])]
    elif shows(cell, "image/png"):
        output = [Frame("", *output, caption(cell["cell_metadata"].get("caption", "")), classes=["fig"])]
    if program and "show" in tags_of(cell):
        return Layers([input_of(cell, program), *output], "", proof, found)
    return Layers(output, program, proof, found)


def gather(run: list[nodes.container], parts: list[Layers]) -> nodes.container:
    """Lay out a run of cells: what is open, then a line for their code and a line for their checks."""
    story = [node for each in parts for node in each.story]
    program = [(cell, each.program) for cell, each in zip(run, parts, strict=True) if each.program]
    proof = [(cell, each.proof) for cell, each in zip(run, parts, strict=True) if each.proof]
    lines = []
    if program:
        said = [line for _, text in program if (line := headline(text))]
        looks = any(isinstance(node, Frame) or "widget" in node.get("classes", []) for node in story)
        line = "Code" if looks or not said else said[0]
        lines.append(fold("code", line, *(input_of(cell, text) for cell, text in program)))
    if proof:
        said = [headline(text) for _, text in proof if text.startswith("# ")]
        found = sum(each.found for each in parts)
        line = f"{found} check" + "s" * (found > 1) + (f": {said[0]}" if said else "")
        lines.append(fold("proof", line, *(input_of(cell, text) for cell, text in proof)))
    for widget in story:
        if "widget" in widget.get("classes", []):
            widget.extend(lines)
            lines = []
    return nodes.container("", *story, *lines, classes=["cell"])


def lay_out(section: nodes.section, parts: dict[int, Layers]) -> None:
    """Lay out the runs of cells in a section, and put into a widget's frame what is said of it."""
    children: list[nodes.Node] = []
    for code, run in groupby(section.children, is_cell):
        cells = list(run)
        children += [gather(cells, [parts[id(cell)] for cell in cells])] if code else cells
    for i, child in enumerate(children):
        for widget in child.children if "cell" in child.get("classes", []) else []:
            if "widget" in widget.get("classes", []):
                frame(widget, children[:i], children[i + 1 : i + 2])
    section.children = [child for child in children if child.children or not isinstance(child, nodes.paragraph)]
    for child in section.children:
        child.parent = section


def frame(widget: nodes.container, above: list[nodes.Node], below: list[nodes.Node]) -> None:
    """Put into a widget's frame the words that say what to try, and those that say what to notice."""
    near = [each for each in reversed(above[-4:]) if isinstance(each, nodes.paragraph)]
    texts = [text for each in near for text in each.children if isinstance(text, nodes.Text) and "Try it: " in text]
    if texts:
        paragraph, (before, _, after) = texts[0].parent, texts[0].partition("Try it: ")
        place = paragraph.index(texts[0])
        widget.insert(0, nodes.paragraph("", "", nodes.Text(after), *paragraph[place + 1 :], classes=["try"]))
        paragraph.children = paragraph[:place] + ([nodes.Text(before.rstrip())] if before.strip() else [])
    if below and isinstance(below[0], nodes.paragraph) and below[0].astext().startswith("Notice"):
        words = nodes.paragraph("", "", *below[0].children, classes=["notice"])
        below[0].children = []
        widget.insert(next(i for i, each in enumerate(widget) if isinstance(each, Fold)), words)


# ---- The opening -------------------------------------------------------------------------------------------------


def sizes(notebook: dict) -> list[str]:
    """Say how long a chapter takes to read, and how many widgets it has."""
    words = sum(len("".join(c["source"]).split()) for c in notebook["cells"] if c["cell_type"] == "markdown")
    widgets = sum("widget" in cell["metadata"].get("tags", []) for cell in notebook["cells"])
    return [f"{5 * round(words / WORDS_A_MINUTE / 5)} min", f"{widgets} widget" + "s" * (widgets > 1)]


def question(texts: list[nodes.Node]) -> nodes.paragraph:
    """Take the question in bold out of the first words."""
    for bold in (bold for text in texts for bold in text.findall(nodes.strong)):
        if bold.astext().endswith("?"):
            bold.parent.remove(bold)
            return nodes.paragraph("", "", nodes.strong("", "", *bold.children), classes=["lead"])
    raise ValueError("expected a question in bold before the first section, found none")


def opening(path: Path, chapter: nodes.section, found: int) -> None:
    """Bring the question and something to play with before all else."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    title = next(i for i, child in enumerate(chapter) if isinstance(child, nodes.title))
    end = next(i for i, child in enumerate(chapter) if isinstance(child, nodes.section))
    above = chapter.children[title + 1 : end]
    cells = [child for child in above if is_cell(child)]
    cost = [child for child in above if "cost" in child.get("classes", [])]
    texts = [child for child in above if child not in cells + cost]
    goals = next(i for i, child in enumerate(texts) if child.astext().startswith("By the end of this chapter"))
    lead = question(texts[:goals])
    kind = notebook["metadata"]["hero"]
    tries = ""
    for widget in (each for each in chapter.findall(nodes.container) if "widget" in each["classes"]):
        if any(text.astext() == f"{kind}()" for text in widget.findall(nodes.literal_block)):
            tries = widget.children[0].astext()
            break
    parts = [f"Chapter {int(path.stem[:2])}", *sizes(notebook), f"{found} checks ✓"]
    chapter.children = [
        nodes.raw("", f'<p class="kicker">{" · ".join(parts)}</p>', format="html"),
        *chapter.children[: title + 1],
        lead,
        hero(path, kind, tries),
        *texts[:goals],
        fold("goals", "What you will learn, and what you need", *texts[goals:], *cost),
        *([fold("setup", "Set-up: imports, settings and data", *cells)] if cells else []),
        *chapter.children[end:],
    ]
    for child in chapter.children:
        child.parent = chapter


def layers(app: Sphinx, doctree: nodes.document) -> None:
    """Lay out a notebook."""
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    cells = [cell for cell in doctree.findall(nodes.container) if is_cell(cell)]
    for cell in cells:
        cell["hide_mode"] = None  # all of it folds here
    read = [names(parse(source_of(cell)), ast.Load) for cell in cells]
    parts = {id(cell): part(cell, set().union(*read[i + 1 :])) for i, cell in enumerate(cells)}
    chapter, *sections = doctree.findall(nodes.section)
    for section in sections:
        lay_out(section, parts)
    opening(path, chapter, sum(each.found for each in parts.values()))
    number = int(path.stem[:2])
    for i, each in enumerate(doctree.findall(Caption), start=1):
        each.parent["ids"] = [f"fig-{number}-{i}"]
        each.insert(0, nodes.raw("", f'<a href="#fig-{number}-{i}">Fig. {number}.{i}</a>', format="html"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    for node, tag in ((Fold, "details"), (Frame, "figure"), (Caption, "figcaption")):

        def begin(self: nodes.NodeVisitor, node: nodes.Element, tag: str = tag) -> None:
            summary = f"<summary>{self.encode(node['summary'])}</summary>\n" if tag == "details" else ""
            self.body.append(self.starttag(node, tag, "") + summary)

        def end(self: nodes.NodeVisitor, node: nodes.Element, tag: str = tag) -> None:
            self.body.append(f"</{tag}>\n")

        app.add_node(node, html=(begin, end))
    app.connect("doctree-read", layers, priority=600)  # the line on costs is there by then
    return {"parallel_read_safe": True}

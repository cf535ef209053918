"""Lay a notebook out as story, proof and program: prose, figures and widgets are open, checks and code fold.

Nothing is taken away: every cell is on the page, one click off.

- Statements that only check something become "✓ 2 checks", whether they fill a cell or end it.
- Other code folds into one line, unless its cell is tagged `show`. The code of a figure folds below the figure.
- A widget has a frame: the sentence that says what to try above it, the one that says what to notice below, and the
  code that makes it, with the export and its check, in the frame's foot.
- What comes before the first section becomes the chapter's opening: the question, a widget to begin with (`hero` in
  the notebook's metadata names its class), what the chapter teaches, and the set-up.
"""

import ast
import json
import re
from pathlib import Path

from docutils import nodes
from notebook_widget import first_widget
from sphinx.application import Sphinx

SHORT = 72  # characters of a fold's line
WORDS_A_MINUTE = 130  # of prose with formulas and pictures
VIEW = "application/vnd.jupyter.widget-view+json"


class Fold(nodes.General, nodes.Element):
    """A `details` element: `summary` is its line."""


class Frame(nodes.General, nodes.Element):
    """A `figure` element."""


class Caption(nodes.General, nodes.Element):
    """Its `figcaption`."""


def open_fold(self: nodes.NodeVisitor, node: Fold) -> None:
    """Write the line, and what it unfolds."""
    self.body.append(self.starttag(node, "details"))
    self.body.append(f"<summary>{self.encode(node['summary'])}</summary>\n")


def fold(kind: str, summary: str, *children: nodes.Node) -> Fold:
    """Fold some nodes."""
    return Fold("", *children, summary=summary, classes=["fold", kind])


# ---- What a cell says --------------------------------------------------------------------------------------------


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


def parse(source: str) -> ast.Module:
    """Parse a cell; lines for the shell or for IPython do nothing here."""
    return ast.parse(re.sub(r"^(\s*)[%!].*", r"\1pass", source, flags=re.MULTILINE))


def names(tree: ast.AST, context: type) -> set[str]:
    """Find the names that code reads (`ast.Load`) or binds (`ast.Store`)."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, context)}


def split(source: str, later: set[str]) -> tuple[str, str, int]:
    """Part code from the checks that end it, and count these.

    Values that are named for a check go with it, if they are not among the names that later cells read.
    """
    statements = parse(source).body
    first, found = len(statements), 0
    for i, statement in reversed(list(enumerate(statements))):
        n = checks(statement)
        helps = isinstance(statement, ast.Assign | ast.AugAssign) and not names(statement, ast.Store) & later
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
    """Say in one line what code does: its first comment, or else the names that it makes."""
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
    for statement in parse(source).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            made.append(statement.name)
        made += sorted(names(statement, ast.Store) - set(made)) if isinstance(statement, ast.Assign) else []
    return ", ".join(made[:4]) + (", …" if made[4:] else "") if made else lines[0][:SHORT]


# ---- What becomes of it ------------------------------------------------------------------------------------------


def input_of(cell: nodes.container, text: str) -> nodes.container:
    """Copy a cell's input with a part of its lines."""
    part = cell.children[0].deepcopy()
    block = next(iter(part.findall(nodes.literal_block)))
    block.children, block.rawsource = [nodes.Text(text)], text
    return part


def checked(cell: nodes.container, text: str, found: int) -> Fold:
    """Fold checks, with the comment that begins them."""
    said = f"{found} check" + "s" * (found > 1)
    return fold("proof", f"{said}: {headline(text)}" if text.startswith("# ") else said, input_of(cell, text))


def lay_out(cell: nodes.container, later: set[str]) -> int:
    """Fold the code of a cell, and say how many checks it holds."""
    tags = cell["cell_metadata"].get("tags", [])
    code, *output = cell.children
    source = next(iter(code.findall(nodes.literal_block))).astext()
    cell["hide_mode"] = None
    if "solution" in tags:
        parts, found = [fold("code", "Solution", code, *output)], 0
    elif "check" in tags:  # what it answers is for those who can type
        parts, found = [fold("code", "The check of your answer", code)], 0
    elif "starter" in tags:
        parts, found = [fold("code", "Start from this code", code), *output], 0
    else:
        program, proof, found = split(source, later)
        parts = list(output)
        if kind := pictured(cell):
            if kind == "figure":
                parts = [Frame("", *output, caption(cell["cell_metadata"].get("caption", "")), classes=["fig"])]
            if program:
                parts.append(fold("code", f"Code of the {kind}", input_of(cell, program)))
        elif program:
            above = input_of(cell, program)
            parts.insert(0, above if "show" in tags else fold("code", headline(program), above))
        if proof:
            parts.append(checked(cell, proof, found))
    cell.children = []
    cell.extend(parts)
    return found


def caption(text: str) -> Caption:
    """Write what a figure shows; formulas stand between dollars."""
    parts = [nodes.math("", part) if i % 2 else nodes.Text(part) for i, part in enumerate(text.split("$"))]
    return Caption("", *parts)


def pictured(cell: nodes.container) -> str:
    """Say what the output of a cell is, if it is to be looked at."""
    kinds = {node.get("mime_type") for node in cell.findall(nodes.container)}
    return "widget" if VIEW in kinds else "figure" if "image/png" in kinds else ""


# ---- Widgets -----------------------------------------------------------------------------------------------------


def cut(paragraph: nodes.paragraph, mark: str) -> nodes.paragraph | None:
    """Take what a paragraph says from a mark on out of it; None if the mark is not in it."""
    for i, child in enumerate(paragraph.children):
        if isinstance(child, nodes.Text) and mark in child:
            before, _, after = child.partition(mark)
            taken = nodes.paragraph("", "", nodes.Text(after.lstrip()))
            rest = paragraph.children[i + 1 :]
            paragraph.children = [*paragraph.children[:i], *([nodes.Text(before.rstrip())] if before.strip() else [])]
            taken.extend(rest)
            return taken
    return None


def frame_widget(cell: nodes.container) -> None:
    """Put around a widget what to try, what to notice, and how it is made."""
    section = cell.parent
    at = section.index(cell)
    cell["classes"].append("widget")
    for above in reversed(section.children[max(0, at - 6) : at]):
        if isinstance(above, nodes.paragraph) and (taken := cut(above, "Try it: ")):
            taken["classes"].append("try")
            cell.insert(0, taken)
            if not above.children:
                section.remove(above)
            break
    at = section.index(cell)
    # Cells that only export its graphs, just above, go to its foot.
    foot = next(each for each in cell.children if isinstance(each, Fold))
    while at and "widget-setup" in (tags := section[at - 1].get("cell_metadata", {}).get("tags", [])):
        maker = section[at - 1]
        if "cell" not in maker["classes"] or any(isinstance(each, Frame) for each in maker.children) or "show" in tags:
            break
        section.remove(maker)
        foot.insert(0, maker.children)
        at -= 1
    at = section.index(cell)
    below = section[at + 1] if at + 1 < len(section) else None
    if isinstance(below, nodes.paragraph) and below.astext().startswith("Notice"):
        section.remove(below)
        below["classes"].append("notice")
        cell.insert(cell.index(foot), below)


# ---- The opening -------------------------------------------------------------------------------------------------


def opening(app: Sphinx, chapter: nodes.section, found: int) -> None:
    """Bring the question and something to play with before all else."""
    path = Path(app.env.doc2path(app.env.docname))
    notebook = json.loads(path.read_text(encoding="utf-8"))
    tags = [tag for cell in notebook["cells"] for tag in cell["metadata"].get("tags", [])]
    words = sum(len("".join(c["source"]).split()) for c in notebook["cells"] if c["cell_type"] == "markdown")
    parts = [f"Chapter {int(path.stem[:2])}", f"{5 * round(words / WORDS_A_MINUTE / 5)} min"]
    parts += [f"{tags.count('widget')} widget" + "s" * (tags.count("widget") > 1), f"{found} checks ✓"]
    kicker = f'<p class="kicker">{" · ".join(parts)}</p>'
    chapter.insert(0, nodes.raw("", kicker, format="html"))

    title = next(i for i, child in enumerate(chapter) if isinstance(child, nodes.title))
    above = [child for child in chapter[title + 1 :] if not isinstance(child, nodes.section)]
    for child in above:
        chapter.remove(child)
    cells = [child for child in above if child.get("nb_element") == "cell_code"]
    for cell in cells:  # no folds within a fold
        for inner in [each for each in cell.children if isinstance(each, Fold)]:
            cell.replace(inner, inner.children)
    texts = [child for child in above if child not in cells]
    goals = next(i for i, child in enumerate(texts) if child.astext().startswith("By the end of this chapter you can"))
    lead = question(texts[:goals])
    opened = [lead]
    if hero := notebook["metadata"].get("hero"):
        opened.append(nodes.raw("", f'<div class="hero">{first_widget(path, hero)}</div>', format="html"))
    cost = [child for child in texts[:goals] if "cost" in child.get("classes", [])]
    story = [child for child in texts[:goals] if child not in cost]
    opened += [*story, fold("goals", "What you will learn, and what you need", *texts[goals:], *cost)]
    if cells:
        opened.append(fold("setup", "Set-up: imports, settings and data", *cells))
    chapter[title + 1 : title + 1] = opened
    for child in opened:
        child.parent = chapter


def question(texts: list[nodes.Node]) -> nodes.paragraph:
    """Take the question in bold out of the first words."""
    for text in texts:
        for bold in text.findall(nodes.strong):
            if bold.astext().endswith("?"):
                bold.parent.remove(bold)
                return nodes.paragraph("", "", nodes.strong("", "", *bold.children), classes=["lead"])
    raise ValueError("expected a question in bold before the first section, found none")


def layers(app: Sphinx, doctree: nodes.document) -> None:
    """Lay out a notebook."""
    if Path(app.env.doc2path(app.env.docname)).suffix != ".ipynb":
        return
    cells = [
        cell
        for cell in doctree.findall(nodes.container)
        if cell.get("nb_element") == "cell_code" and cell.children[:1] and next(cell.findall(nodes.literal_block), None)
    ]
    sources = [next(iter(cell.findall(nodes.literal_block))).astext() for cell in cells]
    read = [names(parse(source), ast.Load) for source in sources]
    found = sum(lay_out(cell, set().union(*read[i + 1 :])) for i, cell in enumerate(cells))
    for cell in cells:
        if pictured(cell) == "widget":
            frame_widget(cell)
    opening(app, next(iter(doctree.findall(nodes.section))), found)
    number = int(Path(app.env.docname).name[:2])
    for i, caption in enumerate(doctree.findall(Caption), start=1):
        caption.parent["ids"] = [f"fig-{number}-{i}"]
        link = f'<a href="#fig-{number}-{i}">Fig. {number}.{i}</a>'
        caption.insert(0, nodes.raw("", link, format="html"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_node(Fold, html=(open_fold, lambda self, node: self.body.append("</details>\n")))
    app.add_node(
        Frame,
        html=(
            lambda self, node: self.body.append(self.starttag(node, "figure")),
            lambda self, node: self.body.append("</figure>\n"),
        ),
    )
    app.add_node(
        Caption,
        html=(
            lambda self, node: self.body.append(self.starttag(node, "figcaption", "")),
            lambda self, node: self.body.append("</figcaption>\n"),
        ),
    )
    app.connect("doctree-read", layers, priority=600)  # the line on costs is there by then
    return {"parallel_read_safe": True}

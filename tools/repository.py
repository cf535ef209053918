"""Say in every file where this tree is published: python tools/repository.py, with two variables of GitHub's.

GITHUB_REPOSITORY is OWNER/NAME, GITHUB_SHA the commit. `publish.yml` calls it on what it has checked out, before it
builds the site; nothing that it writes is committed.

Committed is an address that nobody can own, so that a copy which was never published runs no stranger's code: its
owner has a full stop, which no account of GitHub's may have, and `.invalid` is resolved nowhere (RFC 6761).
"""

import json
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOBODY = "unpublished.invalid/course"
# What readers get to see: nothing else holds the address.
FILES = ("_config.yml", "CITATION.cff", "pyproject.toml", "book/*.md", "notebooks/*.ipynb")
REPOSITORY = re.compile(r"([A-Za-z\d](?:[-_]?[A-Za-z\d]){0,38})/([\w.-]{1,100})", re.ASCII)
COMMIT = re.compile(r"[\da-f]{40}", re.ASCII)


def site(owner: str, name: str) -> str:
    """Where GitHub Pages shows a repository."""
    host = f"{owner.lower()}.github.io"
    return f"https://{host}" if name.lower() == host else f"https://{host}/{name}"


def check(repository: str, commit: str) -> tuple[str, str]:
    """Owner and name; ValueError where one of the two texts could be anything else, since they end up in code."""
    found = REPOSITORY.fullmatch(repository)
    if not found or found[2] in {".", ".."} or found[2].endswith(".git"):
        raise ValueError(f"GITHUB_REPOSITORY: expected OWNER/NAME, got {repository!r}")
    if not COMMIT.fullmatch(commit):
        raise ValueError(f"GITHUB_SHA: expected the 40 digits of a commit, got {commit!r}")
    return found[1], found[2]


def stamp(text: str, repository: str, commit: str) -> str:
    """`text` with the real address and, where it names a version, the commit."""
    nobody = re.escape(NOBODY)
    text = re.sub(rf"(github\.com/{nobody}/(?:blob|tree|archive)/)main\b", rf"\g<1>{commit}", text)
    text = re.sub(rf"^(repository:\n  url: \S+{nobody}\n  branch: )main$", rf'\g<1>"{commit}"', text, flags=re.M)
    text = text.replace(f"github.com/{NOBODY}", f"github.com/{repository}")
    return text.replace(f"https://{NOBODY}", site(*check(repository, commit)))


def set_up(repository: str, commit: str) -> str:
    """The set-up cell of a notebook that knows where its package is."""
    return f"""import sys
from importlib.util import find_spec

# adds the course's package, changes nothing else
if "google.colab" in sys.modules and find_spec("gen_utils") is None:
    %pip install -q https://github.com/{repository}/archive/{commit}.zip"""


def stamp_notebook(text: str, repository: str, commit: str) -> str:
    """A notebook, as JSON, with that set-up cell."""
    notebook = json.loads(text)
    first = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    if "google.colab" not in "".join(first["source"]):
        raise ValueError("the first code cell of a notebook: expected Colab's set-up, found something else")
    first["source"] = set_up(repository, commit).splitlines(keepends=True)
    return stamp(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", repository, commit)


def main(root: Path, repository: str, commit: str) -> None:
    """Rewrite the files; nothing is written unless everything could be read."""
    check(repository, commit)
    changed = {}
    for path in sorted(path for pattern in FILES for path in root.glob(pattern)):
        text = path.read_text(encoding="utf-8")
        new = (stamp_notebook if path.suffix == ".ipynb" else stamp)(text, repository, commit)
        if new != text:
            changed[path] = new
    for path, new in changed.items():
        path.write_text(new, encoding="utf-8")
        print(path.relative_to(root))
    print(f"{len(changed)} files now say https://github.com/{repository} at {commit}; don't commit them")


if __name__ == "__main__":
    try:
        main(ROOT, os.environ.get("GITHUB_REPOSITORY", ""), os.environ.get("GITHUB_SHA", ""))
    except ValueError as error:
        sys.exit(f"make stamp GITHUB_REPOSITORY=OWNER/NAME GITHUB_SHA=COMMIT: {error}")

"""List whatever the course is made of, with versions and licences: `{licences}` on a page, and files beside it.

`make sbom` writes the same bill of materials, in CycloneDX's form, without building the site. Nothing in it is typed:
npm's packages come from package-lock.json, pip's from requirements.txt and from what is installed.
"""

import json
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parent.parent.parent
NODE = ROOT / "node_modules"
BILL, TEXTS = "_static/sbom.cdx.json", "_static/licences.txt"
WEB = {".js", ".css", ".woff", ".woff2", ".svg"}  # what a page is made of
UNKNOWN = "not stated"


class Package(NamedTuple):
    """One component, from "npm" or "pypi"."""

    registry: str
    name: str
    version: str
    licence: str


def npm(development: bool = False) -> list[Package]:
    """List npm's packages: those that come to the page, and with `development` also those that bundle and test."""
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    packages = {  # some lie in several places
        Package("npm", place.rpartition("node_modules/")[2], found["version"], found.get("license") or stated(place))
        for place, found in lock.items()
        if place and (development or not found.get("dev"))
    }
    return sorted(packages)


def stated(place: str) -> str:
    """Find the licence of a package whose lock entry has none: old ones keep a list of them."""
    path = ROOT / place / "package.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return " OR ".join(licence["type"] for licence in found.get("licenses", [])) or UNKNOWN


def pip() -> list[Package]:
    """List the pinned packages of Python that are installed here; some are for other systems alone."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    installed: dict[str, metadata.Distribution] = {}
    for found in metadata.distributions():
        if found.name:  # a removed package may leave an empty folder
            installed.setdefault(canonical(found.name), found)  # Python, too, takes the first of two
    names = sorted({canonical(name) for name in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)})
    return [python_package(installed[name]) for name in names if name in installed]


def canonical(name: str) -> str:
    """Write a name as PyPI does."""
    return re.sub(r"[-_.]+", "-", name).lower()


def python_package(found: metadata.Distribution) -> Package:
    """Read name, version and licence: a distribution states the last in one of three ways."""
    stated = found.metadata
    classes = [
        text.rpartition(" :: ")[2] for text in stated.get_all("Classifier", []) if text.startswith("License ::")
    ]
    first = (stated.get("License") or "").strip().partition("\n")[0]
    licence = stated.get("License-Expression") or " or ".join(classes) or first or UNKNOWN
    return Package("pypi", canonical(found.name), found.version.partition("+")[0], licence)


def served(app: Sphinx) -> list[metadata.Distribution]:
    """List the packages of Python whose scripts, styles and fonts may be in the site: theme and extensions."""
    modules = {name.partition(".")[0] for name in app.extensions} | {"sphinx", "pydata_sphinx_theme"}
    by_module = metadata.packages_distributions()
    names = sorted({canonical(name) for module in modules for name in by_module.get(module, [])})
    found = [metadata.distribution(name) for name in names]
    return [each for each in found if any(file.suffix in WEB for file in each.files or [])]


def bill(packages: list[Package]) -> dict:
    """Write packages as CycloneDX 1.6."""
    components = [
        {
            "type": "library",
            "name": package.name,
            "version": package.version,
            "purl": f"pkg:{package.registry}/{package.name.replace('@', '%40')}@{package.version}",
            "licenses": [{"license": {"name": package.licence}}],
        }
        for package in packages
    ]
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}


def texts(distributions: list[metadata.Distribution]) -> Iterator[str]:
    """Give the licences and notices that the served packages bring along, word by word."""
    for package in npm():
        for path in sorted((NODE / package.name).rglob("*")):
            if is_notice(path.name) and "node_modules" not in path.relative_to(NODE / package.name).parts:
                yield notice(package.name, path)
    for distribution in distributions:
        for file in sorted(distribution.files or []):
            if is_notice(file.name):
                yield notice(distribution.name, Path(str(distribution.locate_file(file))))


def is_notice(name: str) -> bool:
    """Tell a licence's text by the name of its file."""
    return bool(re.fullmatch(r"(?i)(?:.*[._-])?(?:licen[cs]es?|copying|notices?|ofl)(?:[.-][\w.-]+)?", name)) and (
        Path(name).suffix.lower() not in {".py", ".pyc", ".js", ".map", ".json", ".html"}
    )


def notice(name: str, path: Path) -> str:
    """Write one text under the name of its package."""
    text = path.read_text(encoding="utf-8", errors="replace").strip() if path.is_file() else ""
    return f"{'=' * 100}\n{name}: {path.name}\n{'=' * 100}\n{text}\n"


class Licences(SphinxDirective):
    """Two tables: what comes from npm and what from pip."""

    def run(self) -> list[nodes.Node]:
        """Lay them out."""
        lines = []
        for title, packages in (
            ("Libraries of the browser", npm()),
            ("Theme and extensions", [python_package(found) for found in served(self.env.app)]),
        ):
            rows = [f"| {package.name} | {package.version} | {package.licence} |" for package in packages]
            lines += [f"**{title}**", "", "| package | version | licence |", "|---|---|---|", *rows, ""]
        return self.parse_text_to_nodes("\n".join(lines))


def write(app: Sphinx, exception: Exception | None) -> None:
    """Put the bill and the texts beside the pages."""
    if exception is None and app.builder.name == "html":
        everything = json.dumps(bill([*npm(), *pip()]), indent=1) + "\n"
        Path(app.outdir, BILL).write_text(everything, encoding="utf-8")
        Path(app.outdir, TEXTS).write_text("\n".join(texts(served(app))), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_directive("licences", Licences)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True}


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(bill([*npm(development=True), *pip()]), indent=1) + "\n", encoding="utf-8")
    print(f"{target} lists {len(npm(development=True))} packages of npm and {len(pip())} of pip")

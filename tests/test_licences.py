"""What the site serves of npm's belongs to a package that is listed with its version and its licence."""

import hashlib
import json
import re
import subprocess
import sys
from importlib import metadata

import licences
import pytest
import vendor
from conftest import ROOT

VENDOR = ROOT / "book/_static/vendor"
# From the packages' own files.
KNOWN = {
    "mathjax": "Apache-2.0",
    "onnxruntime-web": "MIT",
    "requirejs": "MIT",
    "anywidget": "MIT",
    "@jupyter-widgets/html-manager": "BSD-3-Clause",
    "@fontsource-variable/source-code-pro": "OFL-1.1",
    "@fontsource-variable/source-sans-3": "OFL-1.1",
    "@fontsource-variable/source-serif-4": "OFL-1.1",
}


def digest(path):
    return hashlib.sha256(path.read_bytes()).digest()


def package(path):
    """The package of npm that a vendored file was copied from, found by its bytes."""
    for source in vendor.FILES:
        name = "/".join(source.split("/")[: 2 if source.startswith("@") else 1])
        if any(digest(each) == digest(path) for each in (licences.NODE / name).rglob(path.name) if each.is_file()):
            return name
    return None


@pytest.fixture(scope="session")
def vendored():
    if not (VENDOR / "installed").exists():
        subprocess.run(["make", "book/_static/vendor/installed"], cwd=ROOT, check=True)
    return [path for path in VENDOR.rglob("*") if path.is_file() and path.name != "installed"]


def test_every_vendored_file_belongs_to_a_listed_package_with_a_licence(vendored):
    listed = {each.name: each for each in licences.npm()}
    owners = {path.relative_to(VENDOR): package(path) for path in vendored}
    assert {path for path, owner in owners.items() if owner not in listed} == set()
    assert {name: listed[name].licence for name in owners.values()} == KNOWN


def test_the_command_writes_cyclonedx(vendored, tmp_path):
    subprocess.run([sys.executable, licences.__file__, tmp_path / "made/sbom.json"], check=True, capture_output=True)
    bill = json.loads((tmp_path / "made/sbom.json").read_text(encoding="utf-8"))
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    names = {(each["purl"], each["licenses"][0]["license"]["name"]) for each in bill["components"]}
    assert len(names) == len(bill["components"]) > 400
    assert all(each["type"] == "library" and each["name"] and each["version"] for each in bill["components"])
    assert ("pkg:npm/%40jupyter-widgets/html-manager@1.0.15", "BSD-3-Clause") in names
    torch = metadata.version("torch").partition("+")[0]
    assert f"pkg:pypi/torch@{torch}" in dict(names)
    assert licences.UNKNOWN not in dict(names).values()
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    pinned = {licences.canonical(name): v for name, v in re.findall(r"^([\w.-]+)==([^\s;]+)", pins, re.MULTILINE)}
    found = {each["name"]: each["version"] for each in bill["components"] if each["purl"].startswith("pkg:pypi/")}
    assert found == {name: pinned[name] for name in found}
    assert {"torch", "numpy", "jupyter-book", "pydata-sphinx-theme"} <= found.keys()

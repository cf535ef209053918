"""Repair what the theme and the extensions do to readers who hear a page or go through it by keys.

axe-core finds all of it but the last (tests/test_quality.py); none of it can be set right by an option or by a style.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

MATH = r'<span class="math[^>]*>[^<]*</span>'
REPAIRS = {
    # A name that isn't the text on it can't be called by voice. The text will do.
    r'<summary aria-label="Toggle hidden content">': "<summary>",
    r'(<button class="btn search-button-field[^>]*) aria-label="Search"': r"\1",
    r'(<i class="theme-switch[^>]*?) +title="[^"]*"': r"\1",
    # The title of the course stands outside of all landmarks.
    r'<div class="sidebar-primary-item"(?=>\s*<a class="navbar-brand)': r'\g<0> role="banner"',
    # An empty corner of a table heads nothing.
    r'<th class="head"><p></p></th>': "<td></td>",
    # Deprecated: WAI-ARIA 1.3 wants items of a list here.
    r'role="doc-biblioentry"': 'role="listitem"',
    # Browsers may begin a line with the comma behind a formula, or end it with the bracket before.
    rf"\(?{MATH}[.,;:!?)]+|\({MATH}": r'<span class="unbroken">\g<0></span>',
}


def repair(app: Sphinx, exception: Exception | None) -> None:
    """Rewrite every page that was built."""
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for found, better in REPAIRS.items():
            text = re.sub(found, better, text)
        page.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("build-finished", repair)
    return {"parallel_read_safe": True}

"""Say in each page's head what it is, for search engines and for those who share a link to it.

The description is the one in the page's front matter, or in its own words: the question in bold that its first
paragraph asks, or else its first sentences. The card is made by `make card`.
"""

import re
from html import escape, unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from docutils import nodes
from sphinx.application import Sphinx

CARD = "_static/card.png"
CARD_SHOWS = "Handwritten digits that come out of noise, from left to right, under the title of the course"
LONGEST = 160  # characters of a description that a search engine shows
# Pages that Sphinx makes itself: title and description.
MADE = {
    "genindex": ("Index", "Every term of the course from A to Z, each with a link to the sentence that explains it."),
    "search": ("Search", "Search every page of the course, in your browser and without a server."),
}


def describe(doctree: nodes.document) -> str:
    """Find what a page says of itself."""
    for meta in doctree.findall(nodes.meta):
        if meta.get("name") == "description":
            return meta["content"]
    # Neither the line on costs nor a picture.
    texts = (p for p in doctree.findall(nodes.paragraph) if "cost" not in p["classes"] and p.next_node(nodes.Text))
    first = next(texts)
    for bold in first.findall(nodes.strong):
        if bold.astext().endswith("?"):
            return plain(bold)
    sentences = re.split(r"(?<=[.!?:]) ", plain(first))
    whole = [" ".join(sentences[:n]) for n in range(len(sentences), 0, -1)]
    return next((text for text in whole if len(text) <= LONGEST), sentences[0])


def plain(node: nodes.Element) -> str:
    """Write a node as one line of text."""
    return " ".join(node.astext().split())


def tags(app: Sphinx, title: str, description: str, page: str) -> str:
    """Write a page's description, and its card for social networks, which want whole addresses."""
    base = app.config.html_baseurl.rstrip("/") + "/"
    properties = {
        "og:type": "website",
        "og:site_name": app.config.html_title,
        "og:title": title,
        "og:description": description,
        "og:url": urljoin(base, page),
        "og:image": urljoin(base, CARD),
        "og:image:width": "1200",
        "og:image:height": "630",
        "og:image:alt": CARD_SHOWS,
    }
    lines = [f'<meta property="{name}" content="{escape(text)}">' for name, text in properties.items()]
    lines.append('<meta name="twitter:card" content="summary_large_image">')
    return "\n".join(lines)


def add_tags(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document) -> None:
    """Add them to a page's head."""
    if page in MADE:
        title, description = MADE[page]
    else:
        title, description = unescape(re.sub("<[^>]*>", "", context["title"])), describe(doctree)
    head = context.get("metatags", "")
    if 'name="description"' not in head:
        head += f'<meta name="description" content="{escape(description)}">\n'
    context["metatags"] = head + tags(app, title, description, f"{page}.html")


def add_entrance(app: Sphinx, exception: Exception | None) -> None:
    """Make the bare address lead to the first page: it is the one that people share, so it has the card too."""
    if exception or app.builder.name != "html":
        return
    root = app.config.root_doc
    description = escape(describe(app.env.get_doctree(root)))
    title = escape(app.config.html_title)
    Path(app.outdir, "index.html").write_text(
        f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<meta http-equiv="refresh" content="0; url={root}.html">
<meta name="description" content="{description}">
<link rel="canonical" href="{urljoin(app.config.html_baseurl.rstrip("/") + "/", root)}.html">
{tags(app, app.config.html_title, describe(app.env.get_doctree(root)), f"{root}.html")}
</head>
<body><p>The course begins <a href="{root}.html">on its first page</a>.</p></body>
</html>
""",
        encoding="utf-8",
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("html-page-context", add_tags)
    app.connect("build-finished", add_entrance, priority=400)  # Jupyter Book makes a bare one where there is none
    return {"parallel_read_safe": True}

"""What the built site must be: every link leads somewhere, and no page loads anything from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOADING = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
}
"""Elements that make a browser fetch something, by the attribute that says what."""
FETCHED_RELATIONS = {
    "stylesheet",
    "icon",
    "preconnect",
    "dns-prefetch",
    "preload",
    "modulepreload",
    "prefetch",
    "manifest",
}
STYLE_ADDRESS = re.compile(r"url\(\s*['\"]?((?:https?:)?//[^)'\"]+)|@import\s+['\"]((?:https?:)?//[^'\"]+)")
DIAGRAM = "mermaid"
"""A class of blocks that the theme draws with a program from elsewhere."""


class Html(HTMLParser):
    """What matters of one page: its identifiers, links, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.identifiers: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.has_diagram = False
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note what an element says."""
        found = {name: value or "" for name, value in attributes}
        self.identifiers |= {found[name] for name in ("id", "name") if found.get(name)}
        self.has_diagram |= DIAGRAM in found.get("class", "").split()
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag in LOADING and LOADING[tag] in found:
            self.loaded.append(found[LOADING[tag]])
        if tag == "link" and FETCHED_RELATIONS & set(found.get("rel", "").split()):
            self.loaded.append(found.get("href", ""))


def problems(site: Path) -> list[str]:
    """Return what is wrong with a built site, one line each."""
    pages = {path: Html(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = [line for path, page in pages.items() for line in _of_page(site, path, page, pages)]
    for path in sorted(site.rglob("*.css")):
        for match in STYLE_ADDRESS.finditer(path.read_text(encoding="utf-8")):
            found.append(f"{path.relative_to(site)} loads {match[1] or match[2]}")
    return found if pages else [f"{site} has no pages"]


def _of_page(site: Path, path: Path, page: Html, pages: dict[Path, Html]) -> Iterator[str]:
    name = path.relative_to(site)
    if page.has_diagram:
        yield f"{name} has a diagram that is drawn by a program from elsewhere; make it a picture"
    yield from (f"{name} loads {address}" for address in page.loaded if _is_elsewhere(address))
    for address in dict.fromkeys([*page.links, *page.loaded]):
        parts = urlsplit(address)
        # The page for addresses that do not exist may be shown for any of them: its links begin at the root.
        if parts.scheme or parts.netloc or address.startswith("data:") or name.name == "404.html":
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        target = target / "index.html" if target.is_dir() else target
        if not target.is_file():
            yield f"{name} links to {address}, which is not there"
        elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].identifiers:
            yield f"{name} links to {address}, of which there is no such part"


def _is_elsewhere(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in ("http", "https")

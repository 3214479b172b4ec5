"""Figures of :mod:`resi.plot` as parts of the page: plain shapes that need no styles and no scripts."""

from __future__ import annotations

import importlib
import importlib.util
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree

from markupsafe import Markup

from resi.errors import UsageError
from resi.report.leaderboard import headline_scores
from resi.report.names import anchor

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

SVG = "http://www.w3.org/2000/svg"
LINK = "{http://www.w3.org/1999/xlink}href"
SHAPES = ("svg", "g", "path", "rect", "circle", "line", "polyline", "polygon", "text", "tspan", "use", "defs", "clipPath")
"""Elements of a figure; all others are left out."""
STYLE = re.compile(r"([\w-]+)\s*:\s*([^;]+)")
REFERENCE = re.compile(r"(url\(#|^#)([^)]*)")
DRAWN = {
    "ranks": "How the ranks of measures are distributed over tests, datasets and architectures; 1 is the best.",
    "critical_difference": "Mean ranks. Measures that a bar joins cannot be told from each other (Friedman and Nemenyi, 5 %).",
}


class Figure(NamedTuple):
    """A figure of one domain.

    Attributes
    ----------
    svg : Markup
        The drawing, made of known shapes and escaped text.
    """

    domain: str
    name: str
    caption: str
    anchor: str
    svg: Markup


def domain_figures(scores: pl.DataFrame) -> list[Figure]:
    """Return the figures of each domain, of trained models under the corrected protocol if there are any."""
    found = []
    for domain, name, drawn in draw(scores):
        link = anchor("figure", domain, name)
        found.append(Figure(domain, name, DRAWN[name], link, as_svg(drawn[0], drawn[1], link)))
    return found


def draw(scores: pl.DataFrame) -> list[tuple[str, str, Any]]:
    """Return the domain and name of each figure, with its SVG and what it is called; fewer where there is no ranking."""
    return []


def write_figures(scores: pl.DataFrame, folder: Path) -> list[Path]:
    """Write the figures of each domain; return the files."""
    return []


def as_svg(text: str, label: str, prefix: str) -> Markup:
    """Return a figure to be put into a page.

    Parameters
    ----------
    text : str
        SVG as matplotlib writes it.
    label : str
        What screen readers call it.
    prefix : str
        Stands before its ids, which must be unique on a page.
    """
    root = ElementTree.fromstring(text)  # noqa: S314 - written by matplotlib just now
    ElementTree.register_namespace("", SVG)
    width, height = (root.get(name, "100").removesuffix("pt") for name in ("width", "height"))
    root.attrib.pop("version", None)
    _clean(root, prefix)
    root.set("role", "img")
    root.set("aria-label", label)
    root.set("width", f"{float(width) * 4 / 3:.0f}")
    root.set("height", f"{float(height) * 4 / 3:.0f}")
    root.set("stroke-linejoin", "round")
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704 - made of shapes and escaped text


def _clean(element: ElementTree.Element, prefix: str) -> None:
    """Keep known shapes alone, with styles as attributes, which the page's policy does not forbid."""
    for child in list(element):
        if child.tag.removeprefix(f"{{{SVG}}}") in SHAPES:
            _clean(child, prefix)
        else:
            element.remove(child)
    for name, value in STYLE.findall(element.attrib.pop("style", "")):
        element.set(name, value.strip())
    for name, value in list(element.attrib.items()):
        if name == "id":
            element.set(name, f"{prefix}-{value}")
        elif name == LINK:
            del element.attrib[name]
            element.set("href", f"#{prefix}-{value.removeprefix('#')}")
        elif name.lower().startswith("on"):
            del element.attrib[name]
        elif "url(#" in value:
            element.set(name, REFERENCE.sub(rf"\g<1>{prefix}-\g<2>", value))

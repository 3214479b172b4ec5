"""Figures of :mod:`resi.plot` as parts of the page: plain shapes without styles and scripts."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree

import polars as pl
from markupsafe import Markup

from resi.choices import Protocol
from resi.console import PATIENCE_SECONDS, progress
from resi.errors import UsageError
from resi.groundings import GROUNDINGS
from resi.registry.labels import measure_label
from resi.report.leaderboard import conditions, headline_scores
from resi.report.names import anchor, file_name
from resi.report.tables import without_nan
from resi.results.schema import OWN, PUBLISHED, TRAINED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from matplotlib.figure import Figure as MatplotlibFigure

    from resi.plot.ranking import Ranks

SVG = "http://www.w3.org/2000/svg"
LINK = "{http://www.w3.org/1999/xlink}href"
SHAPES = (
    "svg",
    "g",
    "path",
    "rect",
    "circle",
    "line",
    "polyline",
    "polygon",
    "text",
    "tspan",
    "use",
    "defs",
    "clipPath",
    "pattern",
)
"""The elements of a figure that are kept; all others are removed."""
SCALE = 1.55
"""Pixels per point, chosen so that the smallest text is readable on a screen."""
LONGEST, CUT = 40, 24
"""The longest label of a measure in a figure, and the length of a shortened one, in letters."""
STYLE = re.compile(r"([\w-]+)\s*:\s*([^;]+)")
REFERENCE = re.compile(r"(url\(#|^#)([^)]*)")
DRAWN = {
    "ranks": "How the ranks of measures are distributed over tests, datasets and architectures; 1 is the best.",
    "critical_difference": "Mean ranks. A bar joins measures that cannot be distinguished (Friedman, Nemenyi, 5 %).",
}


class Figure(NamedTuple):
    """A figure of one domain.

    Attributes
    ----------
    svg : Markup
        The drawing, made of known shapes and escaped text.
    """

    domain: str
    caption: str
    anchor: str
    svg: Markup


def domain_figures(scores: pl.DataFrame) -> list[Figure]:
    """Return the figures of each domain, for trained models under the corrected protocol if there are any."""
    from resi.plot.canvas import svg_text

    found = []
    for domain, name, figure in draw(scores):
        link = anchor("figure", domain, name)
        found.append(Figure(domain, DRAWN[name], link, as_svg(svg_text(figure), f"{domain}: {DRAWN[name]}", link)))
    return found


def write_figures(scores: pl.DataFrame, folder: Path) -> list[Path]:
    """Write the figures of each domain, and the ranks in all domains, as PDF, SVG and PNG; return the files."""
    from resi import plot

    figures = [(file_name("figure", domain, name), figure) for domain, name, figure in draw(scores)]
    figures += [(name, plot.ranks(rows, **about)) for name, rows, about, _ in rankings(scores)]
    paths = []
    with progress("writing figures", len(figures), after=PATIENCE_SECONDS) as advance:
        for name, figure in figures:
            paths += [plot.save(figure, folder / f"{name}.{ending}") for ending in ("pdf", "svg", "png")]
            advance()
    return paths


def rankings(scores: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame, dict[str, Any], list[tuple[str, Ranks]]]]:
    """Yield the figure of ranks in all domains for each protocol and source of models with any ranked measure.

    Yields
    ------
    name : str
        Name of its files.
    rows : DataFrame
        The scores it is drawn from.
    about : dict
        Further arguments of :func:`resi.plot.ranks`.
    ranks : list of (str, Ranks)
        The ranks drawn for each domain.
    """
    from resi.plot.rank_boxes import ranks_by_domain

    known = _with_short_labels(without_nan(scores).filter(pl.col("test").is_in(list(GROUNDINGS))))
    parts = known.partition_by("protocol", "model_source", as_dict=True)
    for protocol, source in sorted(parts, key=lambda key: conditions(key[0], key[1])):
        about = {"protocol": protocol, "model_source": source}
        with contextlib.suppress(UsageError):
            found = ranks_by_domain(parts[protocol, source], **about)
            yield file_name("figure-ranks", conditions(protocol, source)), parts[protocol, source], about, found


def draw(scores: pl.DataFrame) -> Iterator[tuple[str, str, MatplotlibFigure]]:
    """Yield the domain and name of each figure with its drawing; nothing if too little is ranked."""
    from resi import plot

    known = _with_short_labels(headline_scores(scores))
    for (domain,), rows in known.sort("domain").group_by("domain", maintain_order=True):
        sources, protocols = rows["model_source"].unique().to_list(), rows["protocol"].unique().to_list()
        source = next((name for name in (TRAINED, OWN, PUBLISHED) if name in sources), None)
        protocol = Protocol.corrected if Protocol.corrected in protocols else Protocol.published
        for drawn, function in (("ranks", plot.ranks), ("critical_difference", plot.critical_difference)):
            with contextlib.suppress(UsageError):
                yield str(domain), drawn, function(rows, domain=str(domain), protocol=protocol, model_source=source)


def _with_short_labels(scores: pl.DataFrame) -> pl.DataFrame:
    """Return scores in which long labels of measures are shortened, as they would leave no room for the drawing."""
    labels = scores.select("measure", "parameters").unique().sort("measure", "parameters")
    long = {
        (measure, parameters): f"{label[:CUT]}…"
        for measure, parameters in labels.iter_rows()
        if len(label := measure_label(measure, parameters)) > LONGEST
    }
    if not long:
        return scores
    rows = [(*names, label) for names, label in long.items()]
    cut = pl.DataFrame(rows, schema=["measure", "parameters", "label"], orient="row")
    joined = scores.join(cut, on=["measure", "parameters"], how="left")
    return joined.with_columns(
        measure=pl.coalesce("label", "measure"),
        parameters=pl.when(pl.col("label").is_null()).then("parameters").otherwise(pl.lit("{}")),
    ).drop("label")


def as_svg(text: str, label: str, prefix: str) -> Markup:
    """Return a figure for embedding in a page.

    Parameters
    ----------
    text : str
        SVG as matplotlib writes it.
    label : str
        Its name for screen readers.
    prefix : str
        Prefix of its ids, which must be unique on a page.
    """
    root = ElementTree.fromstring(text)  # noqa: S314 - written by matplotlib just now
    ElementTree.register_namespace("", SVG)
    width, height = (root.get(name, "100").removesuffix("pt") for name in ("width", "height"))
    root.attrib.pop("version", None)
    _clean(root, prefix)
    root.set("role", "img")
    root.set("aria-label", label)
    root.set("width", f"{float(width) * SCALE:.0f}")
    root.set("height", f"{float(height) * SCALE:.0f}")
    root.set("stroke-linejoin", "round")
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704 - made of shapes and escaped text


def _clean(element: ElementTree.Element, prefix: str) -> None:
    """Keep only known shapes, with styles as attributes, which the page's policy allows."""
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

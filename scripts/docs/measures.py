"""The page of all measures: what each is, what changes it, how exact it is and what it costs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from scripts.docs import docstrings
from scripts.docs.markdown import definition, from_docstring, given, table, ticked
from scripts.docs.places import DOCS, anchor, link_from

from resi import registry
from resi.measures.cards import properties
from resi.measures.facts import INVARIANCES
from resi.registry.items import BUILT_IN_DISTRIBUTION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resi.measures.base import Measure

PAGE = "reference/measures.md"
YES = "✓"
PRECISIONS = ("float64", "float32", "bfloat16")


def measures() -> dict[str, type[Measure]]:
    """Return the measures that come with resi, by name."""
    known = registry.measures()
    origins = {name: known.origin(name) for name in known}
    return {name: entry.item for name, entry in origins.items() if entry.distribution == BUILT_IN_DISTRIBUTION}


def overview() -> str:
    """Return a table of all measures."""
    digits, rows = digits_of_measures(), []
    for name, measure in measures().items():
        marks = [YES if change in measure.invariances else "" for change in INVARIANCES]
        larger = "similar" if measure.larger_is_more_similar else "different"
        exact = _exact(name, measure, digits)
        rows.append(
            [
                f"[`{name}`](#{anchor('measure', name)})",
                larger,
                *marks,
                exact,
                measure.family,
                given(measure.cost, f"cost per pair of measure {name}", "cost of its class"),
            ]
        )
    changes = [change.replace("_", " ") for change in INVARIANCES]
    return table(["measure", "larger is more", *changes, "digits", "family", "cost of a pair"], rows)


def _exact(name: str, measure: type[Measure], digits: Mapping[str, Mapping[str, str]]) -> str:
    """Return the digits of ordinary data; of measures beside the benchmark's they need not have been counted."""
    found = digits.get(name, {}).get("ordinary", "" if measure.benchmark else "not counted")
    return given(found, f"digits of measure {name}", "docs/numerics.md, by nox -s numerics")


def invariances() -> str:
    """Return what the names of invariances mean."""
    return "".join(definition(f"`{name}`", f"{what}\n") + "\n" for name, what in INVARIANCES.items())


def each() -> str:
    """Return a section for every measure."""
    digits = digits_of_measures()
    return "\n".join(_section(name, measure, digits.get(name, {})) for name, measure in measures().items())


def _section(name: str, measure: type[Measure], digits: Mapping[str, str]) -> str:
    about = docstrings.of(measure)
    link = link_from(PAGE)
    text = given(from_docstring(about.text, link), f"definition of measure {name}", "the docstring of its class")
    notes = from_docstring(about.sections.get("Notes", ""), link)
    facts = properties(measure)
    for label, fact in (("paper", "reference"), ("cost per pair", "cost")):
        facts[label] = given(getattr(measure, fact), f"{label} of measure {name}", f"{fact} of its class")
    parts = [f"## `{name}` {{ #{anchor('measure', name)} }}", text, notes]
    parts.append(table(["", ""], [[f"**{label}**", value] for label, value in facts.items()]))
    parts.append(_parameters(name, measure, about))
    if digits:
        shown = [[situation, *counts.split()] for situation, counts in digits.items()]
        parts.append(
            f"Correct digits of {len(PRECISIONS)} precisions of the data ([how they are counted](../numerics.md)):"
        )
        parts.append(table(["data", *PRECISIONS], shown))
    return "\n\n".join(part for part in parts if part) + "\n"


def _parameters(name: str, measure: type[Measure], about: docstrings.Docstring) -> str:
    fields: tuple[Any, ...] = dataclasses.fields(measure)  # type: ignore[arg-type]
    if not fields:
        return ""
    known = about.about("Parameters")
    rows = []
    for field in fields:
        what = known[field.name].text if field.name in known else ""
        place = "Parameters of the docstring of its class"
        text = given(from_docstring(what, link_from(PAGE)), f"parameter {field.name} of measure {name}", place)
        rows.append([f"`measure.{name}.{field.name}`", f"`{field.default}`", text])
    return table(["parameter", "default", "meaning"], rows)


def digits_of_measures() -> dict[str, dict[str, str]]:
    """Return by measure and kind of data how many digits are correct, from the first table of docs/numerics.md."""
    text = (DOCS / "numerics.md").read_text(encoding="utf-8")
    lines = text.partition("<!-- begin: arithmetic -->")[2].partition("<!-- end")[0].strip().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    head, _, *rows = cells
    return {row[0].strip("`"): dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def families() -> str:
    """Return the families and their measures."""
    by_family: dict[str, list[str]] = {}
    for name, measure in measures().items():
        by_family.setdefault(measure.family, []).append(name)
    return table(["family", "measures"], [[family, ticked(*names)] for family, names in by_family.items()])

"""Description of a measure in words, from its docstring and its facts."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, NamedTuple

from resi.measures.facts import INVARIANCES

if TYPE_CHECKING:
    from resi.measures.base import Measure

# Headings of a numpy docstring.
SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.MULTILINE)
# Marks of reStructuredText: a role.
ROLE = re.compile(r":\w+:`~?\.?([^`]+)`")


class Definition(NamedTuple):
    """A measure's docstring without marks of reStructuredText.

    Attributes
    ----------
    text : str
        Up to the first section.
    notes : str
        Its notes, such as limits of interpretation; empty if it has none.
    """

    text: str
    notes: str


def definition(measure: type[Measure]) -> Definition:
    """Return the description of a measure from its docstring."""
    plain = ROLE.sub(r"\1", inspect.getdoc(measure) or "").replace("`", "")
    first, *sections = SECTION.split(plain)
    notes = dict(zip(sections[::2], sections[1::2], strict=True)).get("Notes", "")
    return Definition(first.strip(), notes.strip())


def larger_is(measure: type[Measure]) -> str:
    """Return the meaning of large values of a measure in words."""
    if not measure.knows_direction:
        return "not stated"
    return "more similar" if measure.larger_is_more_similar else "more different"


def properties(measure: type[Measure]) -> dict[str, str]:
    """Return the facts of a measure in words, each under a short name."""
    invariances = [f"{key} ({what})" for key, what in INVARIANCES.items() if key in measure.invariances]
    layout = "flattened into columns" if measure.spatial == "flatten" else "pooled to the same size, one row per cell"
    return {
        "family": measure.family,
        "larger values": larger_is(measure),
        "symmetric": "yes" if measure.symmetric else "no",
        "metric": "yes" if measure.metric else "no",
        "invariant to": "; ".join(invariances) or "none declared",
        "with itself": "not fixed" if measure.self_value is None else f"{measure.self_value:g}",
        "maps (nchw)": layout,
        "deterministic": "yes" if measure.deterministic else "with its seed",
        "computes on": "the CPU" if measure.on_cpu else "the CPU, or a GPU",
        "cost per pair": measure.cost or "not stated",
        "published as": measure.published_name or "not in the published benchmark",
        "paper": measure.reference or "not stated",
    }

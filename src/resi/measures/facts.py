"""The facts that a measure states as class attributes: which there are, and whether they fit."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from resi.errors import FactError

if TYPE_CHECKING:
    from collections.abc import Mapping

INVARIANCES = {
    "affine": "any invertible affine map of the features",
    "invertible_linear": "any invertible linear map of the features",
    "orthogonal": "rotations and reflections of the features",
    "permutation": "reordering the features",
    "isotropic_scaling": "multiplying by one positive number",
    "translation": "adding one vector to every row",
}
KINDS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "larger_is_more_similar": (bool,),
    "symmetric": (bool,),
    "metric": (bool,),
    "version": (int,),
    "family": (str,),
    "invariances": (frozenset, set, tuple, list),
    "self_value": (float, int, type(None)),
    "spatial": (str,),
    "deterministic": (bool,),
    "benchmark": (bool,),
    "published_name": (str,),
    "cost": (str,),
    "reference": (str,),
}
"""The types that each fact may have."""
PUBLISHED = {"is_symmetric": "symmetric", "is_metric": "metric"}
PUBLISHED_INVARIANCES = {f"invariant_to_{name}": name for name in INVARIANCES} | {"invariant_to_ortho": "orthogonal"}
"""What the published extension guide calls facts."""


def translated(measure: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts by the names that they have here; the published names are understood, too.

    Raises
    ------
    FactError
        If there is no such fact, or one is given by both names.
    """
    known: dict[str, Any] = {}
    invariances: set[str] = set()
    for fact, value in facts.items():
        if fact in PUBLISHED_INVARIANCES:
            invariances |= {PUBLISHED_INVARIANCES[fact]} if value else set()
            continue
        name = PUBLISHED.get(fact, fact)
        if name not in KINDS:
            raise FactError(f"measure {measure}: unknown fact {fact!r}{_guess(fact)}. Known: {', '.join(KINDS)}.")
        if name in known:
            raise FactError(f"measure {measure}: {fact!r} is given by two names; give one of them")
        known[name] = bool(value) if fact in PUBLISHED else value  # the published tables leave some open
    if invariances:
        known["invariances"] = frozenset(known.get("invariances", ())) | invariances
    return known


def check_stated(measure: type) -> None:
    """Raise ``FactError`` naming the first fact of a measure class that is missing, misspelt or wrong."""
    label = measure.__qualname__
    for fact, kinds in KINDS.items():
        value = getattr(measure, fact, None)
        # A truth value is a whole number for Python.
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            kind = f"{'an' if kinds[0] is int else 'a'} {kinds[0].__name__}"
            raise FactError(f"measure {label}: class attribute {fact!r} must be {kind}, not {value!r}")
    for attribute in vars(measure):
        check_spelling(label, attribute)
    stated = _Stated(measure)
    if not stated.name.isidentifier() or stated.name != stated.name.lower():
        raise FactError(f"measure {label}: name {stated.name!r} must be a snake_case identifier")
    if unknown := {str(name) for name in stated.invariances} - set(INVARIANCES):
        raise FactError(f"measure {label}: unknown invariances {sorted(unknown)}; known: {sorted(INVARIANCES)}")
    if stated.spatial not in ("align", "flatten"):
        raise FactError(f"measure {label}: spatial must be 'align' or 'flatten', not {stated.spatial!r}")
    if stated.metric and (stated.larger_is_more_similar or not stated.symmetric or stated.self_value):
        raise FactError(
            f"measure {label}: a metric is a symmetric distance: metric=True needs larger_is_more_similar=False, "
            "symmetric=True and self_value=0.0 or None"
        )


class _Stated:
    """A measure's facts, once they are known to be there."""

    def __init__(self, measure: Any) -> None:
        self.name: str = measure.name
        self.invariances: set[object] = set(measure.invariances)
        self.spatial: str = measure.spatial
        self.metric: bool = measure.metric
        self.symmetric: bool = measure.symmetric
        self.larger_is_more_similar: bool = measure.larger_is_more_similar
        self.self_value: float | None = measure.self_value


def check_spelling(label: str, attribute: str) -> None:
    """Raise ``FactError`` if a class attribute looks like a fact but is none."""
    if attribute in PUBLISHED or attribute in PUBLISHED_INVARIANCES:
        fact = PUBLISHED.get(attribute, "invariances")
        raise FactError(f"measure {label}: class attribute {attribute!r} is called {fact!r} here")
    if attribute not in KINDS and (near := difflib.get_close_matches(attribute, KINDS, n=1, cutoff=0.85)):
        raise FactError(f"measure {label}: class attribute {attribute!r} is not a fact; did you mean {near[0]!r}?")


def _guess(fact: str) -> str:
    near = difflib.get_close_matches(fact, [*KINDS, *PUBLISHED, *PUBLISHED_INVARIANCES], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""

"""The facts of a measure, stated as class attributes: their names, types and validity."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from resi.errors import FactError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    "knows_direction": (bool,),
    "symmetric": (bool,),
    "metric": (bool,),
    "version": (int,),
    "family": (str,),
    "invariances": (frozenset, set, tuple, list),
    "self_value": (float, int, type(None)),
    "spatial": (str,),
    "deterministic": (bool,),
    "on_cpu": (bool,),
    "resolution": (float, int),
    "copies": (bool,),
    "benchmark": (bool,),
    "published_name": (str,),
    "cost": (str,),
    "reference": (str,),
}
"""The allowed types of each fact."""
PUBLISHED = {"is_symmetric": "symmetric", "is_metric": "metric"}
PUBLISHED_INVARIANCES = {f"invariant_to_{name}": name for name in INVARIANCES} | {"invariant_to_ortho": "orthogonal"}
"""Names of facts in the published extension guide."""
OWN = __name__.rpartition(".")[0]
USED = {"name", "invariances", "spatial", "resolution", "metric", "symmetric", "larger_is_more_similar", "self_value"}
"""Facts that may contradict each other, or have unknown values."""
METHODS = ("compare_many", "prepared_bytes", "permuted_values", "resampled_values", "chance_moments")
"""Methods that a measure may have: a misspelt one would otherwise be ignored silently."""


def translated(measure: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts under their names here; the published names are also accepted.

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
            raise FactError(f"measure {measure}: {fact!r} is given under two names; keep one of them")
        known[name] = bool(value) if fact in PUBLISHED else value  # the published tables leave some open
    if invariances:
        known["invariances"] = frozenset(known.get("invariances", ())) | invariances
    return known


def take_published(measure: type, own: Mapping[str, Any]) -> None:
    """Set the facts that a class states by their published names, such as ``is_symmetric``.

    Parameters
    ----------
    own : mapping
        What the body of the class states, and those of its bases that are not measures.

    Notes
    -----
    What is stated by its name here as well stays as it is; :func:`stated_problems` says if the two contradict.
    """
    for name, fact in PUBLISHED.items():
        if name in own and fact not in own:
            setattr(measure, fact, bool(own[name]))  # the published tables leave some open
    changes = {fact: bool(own[name]) for name, fact in PUBLISHED_INVARIANCES.items() if name in own}
    stated = own.get("invariances", getattr(measure, "invariances", ()))
    if changes and isinstance(stated, frozenset | set | tuple | list):
        kept = {name for name in stated if "invariances" in own or changes.get(name, True)}
        kept |= {fact for fact, holds in changes.items() if holds}
        measure.invariances = frozenset(kept)  # type: ignore[attr-defined]


def stated_problems(measure: type) -> Iterator[str]:
    """Yield the problems of a measure class's facts: missing, misspelt, of the wrong type, or contradictory."""
    wrong = []
    for fact, kinds in KINDS.items():
        value = getattr(measure, fact, None)
        # bool is a subclass of int in Python.
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            kind = f"{'an' if kinds[0] is int else 'a'} {kinds[0].__name__}"
            wrong.append(fact)
            yield f"class attribute {fact!r} must be {kind}, not {value!r}"
    for attribute in _attributes(measure):
        yield from misspelt(attribute)
    yield from _given_twice(measure)
    if not USED.intersection(wrong):
        yield from _contradictions(_Stated(measure))


def _contradictions(stated: _Stated) -> Iterator[str]:
    """Yield facts of the right type with invalid values."""
    if not stated.name.isidentifier() or stated.name != stated.name.lower():
        yield f"name {stated.name!r} must be a snake_case identifier"
    if unknown := {str(name) for name in stated.invariances} - set(INVARIANCES):
        yield f"unknown invariances {sorted(unknown)}; known: {sorted(INVARIANCES)}"
    if stated.spatial not in ("align", "flatten"):
        yield f"spatial must be 'align' or 'flatten', not {stated.spatial!r}"
    if not 0 <= stated.resolution < 1:
        yield f"resolution must be a share from 0 to below 1, not {stated.resolution!r}"
    if stated.metric and (stated.larger_is_more_similar or not stated.symmetric or stated.self_value):
        yield (
            "a metric is a symmetric distance: metric=True needs larger_is_more_similar=False, "
            "symmetric=True and self_value=0.0 or None"
        )


class _Stated:
    """A measure's facts, after checking that they are complete."""

    def __init__(self, measure: Any) -> None:
        self.name: str = measure.name
        self.invariances: set[object] = set(measure.invariances)
        self.spatial: str = measure.spatial
        self.metric: bool = measure.metric
        self.symmetric: bool = measure.symmetric
        self.larger_is_more_similar: bool = measure.larger_is_more_similar
        self.resolution: float = measure.resolution
        self.self_value: float | None = measure.self_value


def _attributes(measure: type) -> Iterator[str]:
    """Yield the public attributes of a class and of what it is made of, up to the measures of this package."""
    others = [kind for kind in measure.__mro__[1:] if not kind.__module__.startswith((OWN, "builtins"))]
    names = dict.fromkeys(name for kind in (measure, *others) for name in vars(kind))
    return (name for name in names if not name.startswith("_"))


def misspelt(attribute: str, kind: str = "class attribute") -> Iterator[str]:
    """Yield suggestions for attributes of a class, or of another kind, that look like misspelt facts."""
    known = [*KINDS, *PUBLISHED, *PUBLISHED_INVARIANCES]
    if attribute in (*known, *METHODS):
        return
    if near := difflib.get_close_matches(attribute, known, n=1, cutoff=0.85):
        yield f"{kind} {attribute!r} is not a fact; did you mean {near[0]!r}?"
    elif near := difflib.get_close_matches(attribute, METHODS, n=1, cutoff=0.9):
        yield f"nothing calls {attribute!r}; did you mean {near[0]!r}?"


def _given_twice(measure: type) -> Iterator[str]:
    """Yield facts that a class states differently under their published names and their names here."""
    own = vars(measure)
    for name, fact in PUBLISHED.items():
        if name in own and bool(own[name]) != getattr(measure, fact, None):
            yield f"class attributes {name!r} and {fact!r} contradict each other; state one of them"
    invariances = getattr(measure, "invariances", ())
    if not isinstance(invariances, frozenset | set | tuple | list):
        return
    for name, fact in PUBLISHED_INVARIANCES.items():
        if name in own and bool(own[name]) != (fact in invariances):
            yield f"class attributes {name!r} and 'invariances' contradict each other; state one of them"


def _guess(fact: str) -> str:
    near = difflib.get_close_matches(fact, [*KINDS, *PUBLISHED, *PUBLISHED_INVARIANCES], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""

"""The identity of a comparison: keys of its two sides, its measure, and the measure's parameters and code.

Stored comparisons are found by these keys, so what they are made of does not change.
"""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING, Any

from resi import registry
from resi.errors import UsageError
from resi.fingerprints import LENGTH, canonical, fingerprint
from resi.measures.functional import FUNCTIONAL_VERSION
from resi.results.schema import NULL

if TYPE_CHECKING:
    from resi.measures.base import Measure
    from resi.measures.shapes import Sampling

NO_PARAMETERS = canonical({})


def comparison_key(source: str, target: str, measure: str, symmetric: bool) -> str:
    """Return the identity of a comparison from those of its sides and its measure.

    Of a symmetric measure it is the same for either order.
    """
    first, second = (target, source) if symmetric and target < source else (source, target)
    # What `fingerprint` makes of {"representations": [...], "measure": ...}: there are thousands of keys a run.
    text = f'{{"measure":{_quoted(measure)},"representations":["{first}","{second}"]}}'
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


@functools.lru_cache(2**16)
def pair_key(first: str, second: str) -> str:
    """Return the identity of what is compared, from those of its sides in their sorted order."""
    return fingerprint({"pair": [first, second]})


_quoted = functools.lru_cache(canonical)


def measure_key(measure: Measure, subsample: int | None, sampling: Sampling = "spread", null: int | None = None) -> str:
    """Return the identity of a measure: name, version, parameters and, unless it is built in, its code."""
    given = parameters(measure, subsample, sampling, null)
    name, code = _identity(measure)
    known = {"measure": name, "version": measure.version, "parameters": given}
    return canonical({**known, "code": code} if code else known)


def function_key(name: str) -> str:
    """Return the identity of a function of outputs, as :func:`measure_key` does for measures."""
    return canonical({"measure": name, "version": FUNCTIONAL_VERSION, "parameters": NO_PARAMETERS})


def measure_code(measure: Measure) -> str:
    """Return the hash of a measure's code; it is empty for built-in ones, whose version suffices."""
    return _identity(measure)[1]


def _identity(measure: Measure) -> tuple[str, str]:
    """Return the name of a measure without its distribution's, and the hash of its code, which holds the latter."""
    kind: Any = type(measure)
    if registered := registry.measures().registered(kind):
        plain, entry = registered
        return plain, entry.code
    return measure.name, _code_of(kind)


@functools.cache
def _code_of(kind: Any) -> str:
    """Return the hash of the code of a measure that nobody registered."""
    from resi.measures.source import code_hash

    return code_hash(kind)


def parameters(measure: Measure, subsample: int | None, sampling: Sampling = "spread", null: int | None = None) -> str:
    """Return a measure's parameters as they stand in the tables, and what was compared where that is not the default.

    That is ``compare.subsample``, the published choice of rows of maps by measures that align them, and of the
    calibrated variant of a measure the number of permutations.

    Raises
    ------
    UsageError
        If the measure has a parameter of its own that is called like one of these: ``null`` always, as values of such
        rows are read as calibrated ones, the others where they would be added.
    """
    sampled: dict[str, object] = {} if subsample is None else {"subsample": subsample}
    if sampling != "spread" and measure.spatial == "align":
        sampled["sampling"] = sampling
    if null is not None:
        sampled[NULL] = null
    own = measure.parameters()
    if taken := [name for name in {NULL: None, **sampled} if name in own]:
        raise UsageError(
            f"measure={measure.name}: its parameter {taken[0]!r} has the name of a column that says how values were "
            "computed; rename the parameter"
        )
    return canonical({**own, **sampled})

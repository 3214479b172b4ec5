"""The origin of measures that are not built in, as the manifest of a run records it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resi import registry
from resi.measures.source import files_of, module_name
from resi.pipeline.keys import measure_code
from resi.registry.files import file_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resi.measures.base import Measure

MOST_SOURCE = 2**18
"""Sources up to this many characters are kept in a manifest; of longer ones only the hash."""


def provider_of(kind: type[Measure]) -> str:
    """Return the distribution that provides a measure, or the file or module that it is in."""
    if registered := registry.measures().registered(kind):
        return registered[1].distribution
    file = file_of(kind)
    return str(file.path) if file else module_name(kind)


def describe_own(measures: Mapping[str, Measure]) -> dict[str, Any]:
    """Return the origin of each measure that is not built in, by name, as values for JSON."""
    return {name: _about(measure) for name, measure in measures.items() if measure_code(measure)}


def _about(measure: Measure) -> dict[str, Any]:
    kind = type(measure)
    known = {
        "provider": provider_of(kind),
        "code": measure_code(measure),
        "version": measure.version,
        "family": measure.family,
        "larger_is_more_similar": measure.larger_is_more_similar,
        "symmetric": measure.symmetric,
    }
    if registered := registry.measures().registered(kind):
        return {**known, "provider_version": registered[1].version}
    sources = dict(files_of(kind))
    if file := file_of(kind):
        known["sha256"] = file.sha256
    is_kept = sources and sum(map(len, sources.values())) <= MOST_SOURCE
    return {**known, "sources": sources} if is_kept else known

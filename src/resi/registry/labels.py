"""Names of measures as people read them."""

from __future__ import annotations

import json

from resi.registry.names import defaults


def measure_label(measure: str, parameters: str) -> str:
    """Return a measure's name with the parameters that differ from their defaults."""
    usual = defaults(measure)
    try:
        given = dict(json.loads(parameters))
    except (ValueError, TypeError):  # a table from elsewhere: its text, unchanged
        return f"{measure} ({parameters})"
    changed = {name: value for name, value in given.items() if usual.get(name) != value}
    return f"{measure} ({', '.join(f'{name}={value}' for name, value in changed.items())})" if changed else measure

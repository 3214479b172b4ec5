"""Whether a value fits the part of JSON Schema that ``docs/plan.schema.json`` uses."""

from __future__ import annotations

import json
from typing import Any

from tests.conftest import REPOSITORY

SCHEMA: dict[str, Any] = json.loads((REPOSITORY / "docs" / "plan.schema.json").read_text(encoding="utf-8"))
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
USED = {"$schema", "$defs", "$ref", "title", "description", "type", "enum", "oneOf", "items"}
USED |= {"properties", "required", "additionalProperties"}


def problems(value: Any, schema: dict[str, Any] = SCHEMA, at: str = "") -> list[str]:
    """Return what does not fit, with its place."""
    assert set(schema) <= USED, set(schema) - USED
    if "$ref" in schema:
        return problems(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], at)
    if "oneOf" in schema:
        fits = [one for one in schema["oneOf"] if not problems(value, one, at)]
        return [] if len(fits) == 1 else [f"{at}: fits {len(fits)} of {len(schema['oneOf'])}"]
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{at}: {value!r} is none of {schema['enum']}"]
    wanted = schema.get("type", [])
    if not any(is_of(value, name) for name in ([wanted] if isinstance(wanted, str) else wanted)):
        return [f"{at}: {value!r} is no {wanted}"]
    if isinstance(value, list):
        return [found for i, one in enumerate(value) for found in problems(one, schema["items"], f"{at}[{i}]")]
    return of_object(value, schema, at) if isinstance(value, dict) else []


def of_object(value: dict[str, Any], schema: dict[str, Any], at: str) -> list[str]:
    found = [f"{at}: no {name}" for name in schema.get("required", ()) if name not in value]
    for name, one in value.items():
        rest = schema.get("properties", {}).get(name, schema["additionalProperties"])
        found += [f"{at}: unexpected {name}"] if rest is False else problems(one, rest, f"{at}.{name}")
    return found


def is_of(value: Any, name: str) -> bool:
    if name == "null":
        return value is None
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))

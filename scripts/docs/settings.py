"""The page of settings: every key of a run, of launchers, and every variable of the environment."""

from __future__ import annotations

import ast
import dataclasses
from typing import TYPE_CHECKING, Any

import yaml
from scripts.docs import docstrings
from scripts.docs.markdown import given, table
from scripts.docs.places import REPOSITORY

from resi.cli.help import key_texts
from resi.config.launchers import LAUNCHERS
from resi.config.schema import MISSING, SUBKEYS, RunSchema

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = ("src/resi", "src/hydra_plugins")
OWN = ("RESI_", "REP_SIM")
"""How the names of the environment's variables begin that mean something to resi alone."""
PLACE = "help= of its field in src/resi/config/schema.py"
"""Where it stands what a key of a run means."""
LAUNCHER_PLACE = "{} in src/resi/config/launchers.py"


def run_keys() -> dict[str, dataclasses.Field[Any]]:
    """Return every key of a run that is a single value, beside those of models and measures."""
    found: dict[str, dataclasses.Field[Any]] = {}
    for field in dataclasses.fields(RunSchema):
        below = SUBKEYS.get(field.name)
        if below is None or "help" in field.metadata:
            found[field.name] = field
        for inner in dataclasses.fields(below) if below else ():
            if not (field.name in found and inner.name == "name"):  # dataset=cora is dataset.name
                found[f"{field.name}.{inner.name}"] = inner
    return found


def keys() -> str:
    """Return a table of the keys of a run."""
    texts, chosen = key_texts(), chosen_in_config()
    rows = [
        [f"`{key}`", chosen.get(key) or _default(field), given(texts.get(key), f"key {key}", PLACE)]
        for key, field in run_keys().items()
    ]
    return table(["key", "default", "meaning"], rows)


def chosen_in_config() -> dict[str, str]:
    """Return what a run chooses of each group of the config where nobody says it."""
    defaults = yaml.safe_load((REPOSITORY / "conf" / "config.yaml").read_text(encoding="utf-8"))["defaults"]
    named = {key: value for entry in defaults if isinstance(entry, dict) for key, value in entry.items()}
    return {key: f"`{value}`" for key, value in named.items() if value is not None}


def _default(field: dataclasses.Field[Any]) -> str:
    """Return the value that a key has when nobody sets it; an empty text where the meaning has to say it."""
    if field.default_factory is not dataclasses.MISSING:
        return _value(field.default_factory())
    return "" if field.default in (dataclasses.MISSING, MISSING, None) else _value(field.default)


def _value(value: Any) -> str:
    """Return a value as it is written in a config."""
    plain = getattr(value, "value", value)
    return f"`{str(plain).lower() if isinstance(plain, bool) else plain}`"


def launchers() -> str:
    """Return a section for each launcher."""
    parts = []
    for name, options in LAUNCHERS.items():
        about = given(
            docstrings.of(options).text, f"launcher {name}", LAUNCHER_PLACE.format("the docstring of its class")
        )
        parts.append(f"### `hydra/launcher={name}` {{ #launcher-{name.replace('_', '-')} }}\n\n{about}\n")
        fields = [field for field in dataclasses.fields(options) if not field.name.startswith("_")]
        rows = [
            [
                f"`hydra.launcher.{field.name}`",
                _default(field),
                given(
                    field.metadata.get("help"),
                    f"key hydra.launcher.{field.name} of {name}",
                    LAUNCHER_PLACE.format("help= of its field"),
                ),
            ]
            for field in fields
        ]
        parts.append(table(["key", "default", "meaning"], rows) if rows else "")
    return "\n".join(parts)


def read() -> list[str]:
    """Return the names of variables that the code names and that are resi's own."""
    return sorted({name for folder in SOURCES for name in _named(folder)})


def _named(folder: str) -> Iterator[str]:
    for path in (REPOSITORY / folder).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if not any(start in text for start in OWN):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isupper():
                if node.value.startswith(OWN) and node.value.replace("_", "").isalnum():
                    yield node.value

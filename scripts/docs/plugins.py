"""The pages of hooks and of exit codes."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING

from scripts.docs import docstrings
from scripts.docs.columns import meanings
from scripts.docs.markdown import code, from_docstring, given, table
from scripts.docs.places import link_from

import resi
from resi.errors import ResiError
from resi.machine import signals
from resi.registry import hookspecs
from resi.registry.discovery import load_plugins

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FunctionType

OWN = {0: "nothing went wrong", signals.INTERRUPTED: "SIGINT", signals.TERMINATED: "SIGTERM"}
"""Exit codes that no error has."""


def hooks() -> dict[str, FunctionType]:
    """Return the hooks that a plugin may implement."""
    mark = f"{hookspecs.PROJECT}_spec"
    return {name: thing for name, thing in vars(hookspecs).items() if hasattr(thing, mark)}


def all_hooks() -> str:
    """Return a section for each hook."""
    parts = []
    for name, hook in hooks().items():
        said = from_docstring(docstrings.of(hook).text, link_from("reference/hooks.md"))
        text = given(said, f"hook {name}", "its docstring in src/resi/registry/hookspecs.py")
        returned = inspect.signature(hook).return_annotation
        parts.append(f"## `{name}` {{ #hook-{name.replace('_', '-')} }}\n")
        parts.append(code(f"@resi.hookimpl\ndef {name}() -> {returned}: ...", "python"))
        parts.append(f"{text}\n\nImplemented in resi by {_implemented(name)}.\n")
    return "\n".join(parts)


def _implemented(hook: str) -> str:
    found = getattr(load_plugins().manager.hook, hook).get_hookimpls()
    modules = sorted(known.plugin.__name__ for known in found if known.plugin.__name__.startswith("resi."))
    return ", ".join(f"`{name}`" for name in modules) or "nothing"


def error_types() -> Iterator[type[ResiError]]:
    """Yield every class of errors that the command line shows as one line."""
    for found in pkgutil.walk_packages(resi.__path__, "resi."):
        if found.name.rpartition(".")[2] == "errors":
            importlib.import_module(found.name)
    waiting: list[type[ResiError]] = [ResiError]
    while waiting:
        kind = waiting.pop(0)
        yield kind
        waiting += sorted(kind.__subclasses__(), key=lambda below: below.__name__)


def exit_codes() -> str:
    """Return a table of exit codes, and one of the errors that have them."""
    known, errors = meanings("faults.md", "exit code"), list(error_types())
    codes = sorted({*OWN, *(kind.exit_code for kind in errors)})
    rows = [
        [
            f"`{number}`",
            given(known.get(str(number)), f"exit code {number}", "the table of exit codes of docs/faults.md"),
        ]
        for number in codes
    ]
    about = [
        [
            f"`{kind.__name__}`",
            f"`{kind.exit_code}`",
            given(from_docstring(docstrings.of(kind).text), f"error {kind.__name__}", "the docstring of its class"),
        ]
        for kind in errors
    ]
    return f"{table(['exit code', 'meaning'], rows)}\n## Errors\n\n{table(['error', 'exit code', 'what it is'], about)}"

"""Docstrings in numpy style, taken apart: text, sections, and the entries of a section."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n?", re.MULTILINE)
ENTRY = re.compile(r"^(?=\S)", re.MULTILINE)


class Entry(NamedTuple):
    """A parameter, attribute, error or returned value."""

    names: tuple[str, ...]
    kind: str
    text: str


class Docstring(NamedTuple):
    """A docstring: what stands before the first section, and the sections by their heading."""

    text: str
    sections: Mapping[str, str]

    def entries(self, heading: str) -> list[Entry]:
        """Return the entries of a section; none if there is no such."""
        return [_entry(part) for part in ENTRY.split(self.sections.get(heading, "")) if part.strip()]

    def about(self, heading: str) -> dict[str, Entry]:
        """Return the entries of a section by each of their names; those that are repeated keep their stars."""
        return {name: entry for entry in self.entries(heading) for name in entry.names}


def parsed(text: str | None) -> Docstring:
    """Take a docstring apart."""
    first, *sections = SECTION.split(text or "")
    return Docstring(first.strip(), dict(zip(sections[::2], sections[1::2], strict=True)))


def of(thing: object) -> Docstring:
    """Return the docstring of a function or class: its own, neither that of a base nor a dataclass's signature."""
    text = inspect.cleandoc(getattr(thing, "__doc__", None) or "")
    is_signature = inspect.isclass(thing) and text.startswith(f"{thing.__name__}(")
    return parsed("" if is_signature else text)


def _entry(part: str) -> Entry:
    head, _, text = part.partition("\n")
    names, _, kind = head.partition(" : ")
    return Entry(tuple(name.strip() for name in names.split(",")), kind.strip(), textwrap.dedent(text).strip())


@lru_cache
def attribute_texts(holder: type | ModuleType) -> Mapping[str, str]:
    """Return what the strings behind the names in the body of a class or module say; annotated names have an entry."""
    tree: ast.Module | ast.stmt = ast.parse(textwrap.dedent(inspect.getsource(holder)))
    if isinstance(holder, type):
        tree = tree.body[0]  # type: ignore[union-attr]
    body = list(getattr(tree, "body", ()))
    found: dict[str, str] = {}
    for statement, following in zip(body, [*body[1:], None], strict=True):
        name, text = _name(statement), _string(following)
        if name and (text or isinstance(statement, ast.AnnAssign)):
            found[name] = text
    return found


def _name(statement: ast.stmt) -> str:
    """Return the name that a statement gives a value or a type; an empty text if it does neither."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else ""


def _string(statement: ast.stmt | None) -> str:
    value = statement.value if isinstance(statement, ast.Expr) else None
    is_text = isinstance(value, ast.Constant) and isinstance(value.value, str)
    return inspect.cleandoc(str(value.value)) if is_text else ""  # type: ignore[union-attr]

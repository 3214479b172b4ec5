"""The pages of public Python names: signatures, parameters, what is returned and raised, from the docstrings."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import TYPE_CHECKING, Any

from scripts.docs import docstrings
from scripts.docs.markdown import code, definition, from_docstring, given, table
from scripts.docs.places import MODULES, link_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType

    from scripts.docs.docstrings import Docstring

WIDEST = 88
ROLE = re.compile(r":class:`~?([^`]+)`")
REFERENCE = re.compile(r"^\.\. \[(\d+)\] ", re.MULTILINE)
TEXTS = ("Notes", "Examples", "References")
"""Sections that are shown as they are."""


def public(module_name: str) -> str:
    """Return a section for each public name of a module, and for each kind of object that these return."""
    module, page = importlib.import_module(module_name), Page(MODULES[module_name])
    parts = [page.section(f"{module_name}.{name}", getattr(module, name), module) for name in module.__all__]
    returned = {kind.__name__: kind for name in module.__all__ for kind in returned_types(getattr(module, name))}
    others = {name: kind for name, kind in returned.items() if name not in module.__all__}
    if others:
        parts.append("## What they return\n")
        parts += [page.section(f"{kind.__module__}.{name}", kind, module, 3) for name, kind in sorted(others.items())]
    return "\n".join(parts)


def overview(module_name: str) -> str:
    """Return a table of the public names of a module."""
    module = importlib.import_module(module_name)
    rows = []
    for name in module.__all__:
        text = _text(getattr(module, name), name, module).text
        first = " ".join(text.split("\n\n")[0].split())
        what = from_docstring(first, link_from(MODULES[module_name]))
        rows.append(
            [f"[`{module_name}.{name}`](#{module_name}.{name})", given(what, f"{module_name}.{name}", "its docstring")]
        )
    return table(["name", "what it does"], rows)


def _text(thing: object, name: str, module: ModuleType) -> Docstring:
    """Return the docstring of a public name; of an object it is the text behind its assignment."""
    if inspect.isclass(thing) or inspect.isroutine(thing):
        return docstrings.of(thing)
    sources = [module, *(importlib.import_module(path) for path in [getattr(module, "_PUBLIC", {}).get(name)] if path)]
    found = [docstrings.attribute_texts(source).get(name, "") for source in sources]
    return docstrings.parsed("\n".join(found).strip())


def returned_types(thing: object) -> Iterator[type]:
    """Yield the classes that the description of a function's result names, defined beside it or given in full."""
    if not inspect.isroutine(thing):
        return
    home = importlib.import_module(thing.__module__)
    for entry in docstrings.of(thing).entries("Returns"):
        kind = getattr(home, entry.names[0].split(" ")[0], None)
        found = [kind, *(_at(path) for path in ROLE.findall(entry.text))]
        yield from (kind for kind in found if inspect.isclass(kind) and kind.__module__.startswith("resi."))


def _at(path: str) -> object:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name, None) if module.startswith("resi.") else None


class Page:
    """Sections of one page."""

    def __init__(self, page: str) -> None:
        self.link: Callable[[str], str] = link_from(page)

    def section(self, name: str, thing: Any, module: ModuleType, level: int = 2) -> str:
        """Return what there is to say of a function, a class, or an object."""
        short = name.rpartition(".")[2]
        about = _text(thing, short, module)
        head = f"{'#' * level} `{short if level > 2 else name}` {{ #{name} }}"
        parts = [head, self.signature(name, thing), self.text(given(about.text, name, "its docstring"))]
        parts += list(self.sections(name, thing, about))
        if inspect.isclass(thing):
            parts += list(self.members(name, thing, about, level))
        return "\n\n".join(part for part in parts if part) + "\n"

    def text(self, text: str) -> str:
        """Return text of a docstring."""
        return from_docstring(text, self.link)

    def signature(self, name: str, thing: Any) -> str:
        """Return how a function or class is called; nothing of an exception, and of what cannot be called by hand."""
        if not callable(thing) or (inspect.isclass(thing) and issubclass(thing, BaseException)):
            return ""
        try:
            parameters = _taken(thing)
        except ValueError:
            return ""
        shown = list(_shown(parameters))
        line = f"{name}({', '.join(shown)})"
        if len(line) > WIDEST:
            line = f"{name}(\n" + "".join(f"    {part},\n" for part in shown) + ")"
        return code(line, "python")

    def sections(self, name: str, thing: Any, about: Docstring) -> Iterator[str]:
        """Yield parameters, attributes, results and errors as lists, and the other sections as they are."""
        _check_parameters(name, thing, about)
        for heading in ("Parameters", "Attributes", "Returns", "Yields", "Raises"):
            entries = list(about.entries(heading))
            if heading == "Parameters":
                entries += [
                    docstrings.Entry((item,), "", given("", f"{name}({item})", "Parameters of its docstring"))
                    for item in _missing(thing, about)
                ]
            if entries:
                yield f"**{heading}**\n\n" + "\n".join(self.entry(entry, heading) for entry in entries)
        for heading in TEXTS:
            if heading in about.sections:
                yield f"**{heading}**\n\n{self.example(about.sections[heading], heading)}"

    def entry(self, entry: docstrings.Entry, heading: str) -> str:
        """Return one entry of a section."""
        names = ", ".join(f"`{name}`" for name in entry.names)
        if heading in ("Returns", "Yields"):
            names = self.text(", ".join(entry.names))
        kind = f" : {self.text(entry.kind)}" if entry.kind else ""
        return definition(f"{names}{kind}", self.text(entry.text) or "&nbsp;")

    def example(self, text: str, heading: str) -> str:
        """Return an example as code, or another section as text, each reference a paragraph."""
        return code(text, "pycon") if heading == "Examples" else self.text(REFERENCE.sub(r"\n[\1] ", text))

    def members(self, name: str, kind: type, about: Docstring, level: int) -> Iterator[str]:
        """Yield the attributes that a class describes in its body, and its methods."""
        texts = docstrings.attribute_texts(kind)
        listed = about.about("Attributes") | about.about("Parameters")
        facts = [attribute for attribute in texts if not attribute.startswith("_") and attribute not in listed]
        if facts and texts:
            rows = [
                definition(f"`{fact}`", self.text(given(texts[fact], f"{name}.{fact}", "the text below it")))
                for fact in facts
            ]
            yield "**Class attributes**\n\n" + "\n".join(rows)
        for method, function in _methods(kind):
            said = docstrings.of(function)
            parts = [f"{'#' * (level + 1)} `{method}` {{ #{name}.{method} }}"]
            if inspect.isroutine(function):
                parts.append(self.signature(method, function))
            parts += [
                self.text(given(said.text, f"{name}.{method}", "its docstring")),
                *self.sections(f"{name}.{method}", None, said),
            ]
            yield "\n\n".join(part for part in parts if part)


def _check_parameters(name: str, thing: Any, about: Docstring) -> None:
    """Raise ``ValueError`` if a docstring describes a parameter that a function does not have."""
    if inspect.isroutine(thing):
        known = {item.lstrip("*") for item in inspect.signature(thing).parameters}
        if unknown := [item for item in about.about("Parameters") if item.lstrip("*") not in known]:
            raise ValueError(f"{name} has no parameter {', '.join(unknown)}")


def _missing(thing: Any, about: Docstring) -> list[str]:
    """Return the parameters of a function of which its docstring says nothing."""
    if not inspect.isroutine(thing):
        return []
    known = {name.lstrip("*") for name in about.about("Parameters")}
    return [item.name for item in _taken(thing) if item.name not in known]


def _taken(thing: Any) -> list[inspect.Parameter]:
    """Return the parameters of a function, without that which takes unknown ones to refuse them."""
    return [item for item in inspect.signature(thing).parameters.values() if item.name != "unknown"]


def _methods(kind: type) -> list[tuple[str, Any]]:
    """Return public methods and properties of a class, those of its bases in resi included, each once."""
    found: dict[str, Any] = {}
    for base in kind.__mro__:
        for name, member in vars(base).items() if base.__module__.startswith("resi") else ():
            plain = member.__func__ if isinstance(member, classmethod | staticmethod) else member
            if not name.startswith("_") and (inspect.isfunction(plain) or isinstance(plain, property)):
                found.setdefault(name, plain)
    return list(found.items())


def _shown(parameters: Iterable[inspect.Parameter]) -> Iterator[str]:
    """Yield parameters as in a signature, without ``self``."""
    is_marked = False
    for place, item in enumerate(parameters):
        if place == 0 and item.name in ("self", "cls"):
            continue
        if item.kind is item.KEYWORD_ONLY and not is_marked:
            yield "*"
        is_marked |= item.kind in (item.KEYWORD_ONLY, item.VAR_POSITIONAL)
        stars = "*" * ((item.kind is item.VAR_POSITIONAL) + 2 * (item.kind is item.VAR_KEYWORD))
        default = str.__repr__(item.default) if isinstance(item.default, str) else repr(item.default)
        yield stars + item.name if item.default is item.empty else f"{item.name}={default}"


KINDS: dict[str, Callable[[str], str]] = {"names": overview, "each": public}
"""What there is of a module: its names in a table, and a section for each."""

"""Where things stand on the site: pages, anchors, and links from one page to what another describes."""

from __future__ import annotations

import importlib
import os
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
MODULES = {"resi": "reference/api.md", "resi.plot": "reference/plot.md", "resi.testing": "reference/testing.md"}
"""The page of each module with public names; its ``__all__`` says which these are."""


def anchor(kind: str, name: str) -> str:
    """Return the identifier of a heading that no other page's heading can be taken for."""
    return f"{kind}-{name}".replace("_", "-").replace(":", "-").lower()


def relative(target: str, page: str) -> str:
    """Return how a page links to another, or to a part of one, both named by their paths on the site."""
    path, mark, part = target.partition("#")
    if path == page and part:
        return f"#{part}"
    return os.path.relpath(path, PurePosixPath(page).parent).replace(os.sep, "/") + mark + part


def link_from(page: str) -> Callable[[str], str]:
    """Return a function that says where a page finds a name of the code; it returns an empty text if nowhere."""

    def link(name: str) -> str:
        target = described().get(name, "")
        return relative(target, page) if target else ""

    return link


@lru_cache
def described() -> Mapping[str, str]:
    """Return where each public name is described: by its public name, its path in the code, and where unique alone."""
    found: dict[str, str] = {}
    for module_name, page in MODULES.items():
        module = importlib.import_module(module_name)
        for name in module.__all__:
            place = f"{page}#{module_name}.{name}"
            thing = getattr(module, name)
            found[f"{module_name}.{name}"] = place
            found.setdefault(name, place)
            if hasattr(thing, "__qualname__"):
                found.setdefault(f"{thing.__module__}.{thing.__qualname__}", place)
    return found

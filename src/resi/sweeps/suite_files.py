"""Suites in files: data with known keys. Hydra composes none of them, so nothing in a suite is executed."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from resi.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hydra.core.config_loader import ConfigLoader

    Grid = Mapping[str, Any]

SELF = "_self_"
KEYS = ("about", "defaults", "fixed_groups", "grids")
PACKAGE = re.compile(r"^\s*#\s*@package", re.MULTILINE)
GRID_KEY = re.compile(r"[a-z_]+(\.[A-Za-z0-9_]+)*")
NULL_KEY = re.compile(r"((?:^|[{,])\s*)null(?=\s*:(?:\s|$))", re.MULTILINE)
"""The key ``null`` of a run, which YAML takes for no text unless it is quoted."""
SEARCH_PATH = "hydra.searchpath="


@dataclass(frozen=True)
class Suite:
    """A named list of grids.

    Attributes
    ----------
    about : str
        What it is, in a line.
    grids : mapping from name to mapping
        Each from keys of a run to values, as on the command line.
    fixed_groups : frozenset of str
        Grids whose groups are all there are: no further word changes them.
    """

    name: str
    about: str
    grids: Mapping[str, Grid]
    fixed_groups: frozenset[str] = frozenset()


def find_suites(loader: ConfigLoader, common: Sequence[str] = ()) -> dict[str, Path]:
    """Return the files of all suites by name: the built-in ones, and those in a user's folders.

    Parameters
    ----------
    common : sequence of str
        Words of Hydra's, of which ``hydra.searchpath=[FOLDER]`` names folders.

    Raises
    ------
    UsageError
        If two folders have a suite of one name.
    """
    found: dict[str, Path] = {}
    for folder in dict.fromkeys(_folders(loader, common)):
        for path in sorted((folder / "suite").glob("*.yaml")):
            if path.stem in found:
                raise UsageError(f"{path} has the name of another suite, {found[path.stem]}; give it another name")
            found[path.stem] = path
    return found


def _folders(loader: ConfigLoader, common: Sequence[str]) -> Iterator[Path]:
    for source in loader.get_sources():
        if source.scheme() == "file":
            yield Path(source.path).resolve()
    for word in common:
        if word.startswith(SEARCH_PATH):
            for folder in OmegaConf.create(word.removeprefix(SEARCH_PATH)):
                if "://" not in str(folder) or str(folder).startswith("file://"):
                    yield Path(str(folder).removeprefix("file://")).resolve()


def load_suite(name: str, loader: ConfigLoader, common: Sequence[str] = ()) -> Suite:
    """Return a suite by name.

    Raises
    ------
    UsageError
        If there is none of that name, or its file is not a suite.
    """
    return _load(name, find_suites(loader, common), ())


def suite_names(loader: ConfigLoader) -> list[str]:
    """Return the names of all suites."""
    return sorted(find_suites(loader))


def _load(name: str, files: Mapping[str, Path], parents: tuple[str, ...]) -> Suite:
    if name not in files:
        raise unknown_name("suite", name, list(files))
    if name in parents:
        raise UsageError(f"suite={parents[0]}: {' includes '.join((*parents, name))}, which never ends")
    content = read_suite(name, files[name])
    parts = content.get("defaults") or []
    grids: dict[str, Grid] = {}
    fixed = frozenset(content.get("fixed_groups") or ())
    for part in parts if SELF in parts else [*parts, SELF]:
        included = None if part == SELF else _load(part, files, (*parents, name))
        added = included.grids if included else content.get("grids") or {}
        fixed |= included.fixed_groups if included else frozenset()
        grids |= {grid: {**grids.get(grid, {}), **keys} for grid, keys in added.items()}
    if not grids:
        raise _no_suite(name)
    if unknown := sorted(fixed - set(grids)):
        raise unknown_name(f"fixed_groups: grid of suite={name}:", unknown[0], list(grids))
    return Suite(name, str(content.get("about") or ""), grids, fixed)


def read_suite(name: str, path: Path) -> dict[str, Any]:
    """Return the content of a suite's file, checked: other suites' names in ``defaults``, keys of runs in ``grids``.

    Raises
    ------
    UsageError
        If the file holds anything else.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = OmegaConf.to_container(OmegaConf.create(NULL_KEY.sub(r'\1"null"', text)), resolve=False)
    except Exception as error:  # of the file system, of YAML, or of OmegaConf
        raise UsageError(f"suite={name}: {path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise _no_suite(name)
    if PACKAGE.search(text):
        raise UsageError(f"suite={name}: {path} contains `@package`, which a suite cannot use: it is data")
    for key in content:
        if key not in KEYS:
            raise unknown_name(f"key of suite={name}:", str(key), KEYS)
    _check_names(name, content, "defaults", "other suites, such as [paper_graph]")
    _check_names(name, content, "fixed_groups", "grids, such as [two_groups]")
    grids = content.get("grids") or {}
    if not isinstance(grids, dict) or not all(isinstance(grid, dict) and grid for grid in grids.values()):
        raise _no_suite(name)
    for grid, keys in grids.items():
        for key, value in keys.items():
            _check(f"suite={name}: grids.{grid}", key, value)
    return {str(key): value for key, value in content.items()}


def _check_names(name: str, content: dict[Any, Any], key: str, what: str) -> None:
    """Raise ``UsageError`` unless a key of a suite has a list of names, or nothing."""
    given = content.get(key) or []
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
        raise UsageError(f"suite={name}: {key}: expected the names of {what}")


def _check(where: str, key: Any, value: Any) -> None:
    """Raise ``UsageError`` unless an entry of a grid is a key of runs with plain values."""
    from resi.config.schema import RunSchema

    known = [field.name for field in fields(RunSchema) if field.name != "suite"]
    if not isinstance(key, str) or not GRID_KEY.fullmatch(key) or key.partition(".")[0] not in known:
        raise unknown_name(f"key in {where}:", str(key), known, " A grid has only keys of a run.")
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, dict | list):
            raise UsageError(f"{where}.{key}: expected a value or a list of values, not {value!r}")
        if isinstance(text, str) and "${" in text:
            raise UsageError(f"{where}.{key}: {text}: a suite is data, in which ${{...}} is not resolved")


def _no_suite(name: str) -> UsageError:
    return UsageError(f"suite={name}: expected `grids:`, a mapping from names to mappings such as {{domain: graph}}")


def as_words(grid: Grid) -> list[str]:
    """Return a grid as words of a command line."""
    return [f"{key}={_text(value)}" for key, value in grid.items()]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, bool) or value is None:
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)

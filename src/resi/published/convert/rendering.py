"""Runs as command lines, sweeps where they differ in one key, and as the grids of a suite."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from resi.published.convert.outcome import as_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from resi.published.convert.outcome import Job, Value

SWEPT = ("model", "test", "dataset", "representation")
"""Keys of which one command may have several values, one for each run."""
WIDTH = 120


@dataclass(frozen=True)
class Sweep:
    """Several values of a key, one for each run."""

    values: tuple[str, ...]


Grid: TypeAlias = "dict[str, Value | Sweep]"


def grids(jobs: Iterable[Job]) -> list[Grid]:
    """Return the jobs in as few grids as there are, each the product of the values of its keys."""
    found: list[Grid] = [dict(job.values) for job in jobs]
    for key in SWEPT:
        found = _combined(found, key)
    return found


def _combined(given: Sequence[Grid], key: str) -> list[Grid]:
    """Return grids that differ in one key alone as one."""
    found: dict[object, Grid] = {}
    for position, grid in enumerate(given):
        value = grid.get(key)
        others = tuple((name, other) for name, other in grid.items() if name != key)
        alike: object = others if isinstance(value, str) else position
        if alike in found and isinstance(value, str):
            before = found[alike][key]
            first = before.values if isinstance(before, Sweep) else (str(before),)
            found[alike][key] = Sweep((*first, value))
        else:
            found[alike] = dict(grid)
    return list(found.values())


def command(grid: Grid) -> str:
    """Return a grid as a line for a shell."""
    is_sweep = any(isinstance(value, Sweep) for value in grid.values())
    words = [f"{key}={_text(value)}" for key, value in grid.items()]
    return shlex.join(["resi", *(["-m"] if is_sweep else []), *words])


def _text(value: Value | Sweep) -> str:
    return ",".join(value.values) if isinstance(value, Sweep) else as_text(value)


def suite(about: str, parts: Iterable[tuple[str, Sequence[Job]]], comments: Iterable[str]) -> str:
    """Return the text of a suite's file.

    Parameters
    ----------
    about : str
        What it is, in a line.
    parts : iterable of (str, jobs)
        What each configuration has become; its grids are named after it.
    comments : iterable of str
        Lines for its head.
    """
    content: dict[str, Any] = {}
    for part, jobs in parts:
        found = grids(jobs)
        for number, grid in enumerate(found, 1):
            name = _free(f"{_name(part)}_{number}" if len(found) > 1 else _name(part), content)
            content[name] = {key: _data(value) for key, value in grid.items()}
    head = "".join(f"# {line}\n" for line in comments)
    whole = {"about": about, "grids": content}
    return head + yaml.dump(whole, Dumper=_Dumper, sort_keys=False, width=WIDTH, allow_unicode=True)


def _name(part: str) -> str:
    return re.sub(r"\W+", "_", part).strip("_").lower() or "grid"


def _free(name: str, taken: Iterable[str]) -> str:
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found


def _data(value: Value | Sweep) -> Any:
    if isinstance(value, tuple):
        return [int(part) if part.isdecimal() else part for part in value]
    text = _text(value)
    return int(text) if text.isdecimal() else text


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Writes lists in brackets."""


_Dumper.add_representer(list, lambda dumper, value: dumper.represent_sequence("tag:yaml.org,2002:seq", value, True))

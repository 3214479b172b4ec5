"""What is frozen: reading, writing, and how a value differs from it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

FROZEN = Path(__file__).with_name("frozen")
SHOWN = 12


def digest(texts: Iterable[str]) -> str:
    """Return a short hash of texts in their order."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def read(name: str) -> Any:
    """Return what is frozen under a name."""
    return json.loads((FROZEN / f"{name}.json").read_text())


def write(name: str, found: Any) -> None:
    """Freeze what was found."""
    FROZEN.mkdir(exist_ok=True)
    (FROZEN / f"{name}.json").write_text(f"{_pretty(found)}\n")


def _pretty(value: Any, depth: int = 0) -> str:
    """Return JSON with a line for each entry whose own entries are plain values, or are few."""
    line = json.dumps(value, ensure_ascii=False)
    entries = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if len(line) + depth <= 120 or not any(isinstance(entry, dict | list) for entry in entries):
        return line
    pad = " " * (depth + 1)
    if isinstance(value, list):
        parts = [f"{pad}{_pretty(item, depth + 1)}" for item in value]
        return "[\n" + ",\n".join(parts) + f"\n{' ' * depth}]"
    parts = [f"{pad}{json.dumps(key, ensure_ascii=False)}: {_pretty(item, depth + 1)}" for key, item in value.items()]
    return "{\n" + ",\n".join(parts) + f"\n{' ' * depth}}}"


def check(name: str, found: Any, tolerance: float = 0.0, part: str | None = None) -> None:
    """Fail naming what differs from what is frozen, the first entries of it.

    Parameters
    ----------
    tolerance : float
        How far numbers that are no whole ones may be from the frozen ones; 0: not at all.
    part : str, optional
        The one key of what is frozen that was found.
    """
    frozen = read(name)
    if part is not None:
        assert part in frozen, f"{name}.json has no {part}; python -m tests.unchanged.freeze {name} adds it"
        frozen = frozen[part]
    # As JSON has it: lists for tuples.
    lines = list(differences(frozen, json.loads(json.dumps(found)), part or name, tolerance))
    if lines:
        more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
        advice = f"If all of this is meant to change: python -m tests.unchanged.freeze {name}"
        raise AssertionError("\n".join([f"not as in frozen/{name}.json:", *lines[:SHOWN], *more, advice]))


def differences(frozen: Any, found: Any, where: str, tolerance: float) -> Iterator[str]:
    """Yield one line for each entry that is not as frozen."""
    if isinstance(frozen, dict) and isinstance(found, dict):
        for key in frozen | found:
            if key not in found:
                yield f"{where} > {key}: is missing"
            elif key not in frozen:
                yield f"{where} > {key}: is new: {_shortened(found[key])}"
            else:
                yield from differences(frozen[key], found[key], f"{where} > {key}", tolerance)
    elif isinstance(frozen, list) and isinstance(found, list) and len(frozen) == len(found):
        for number, (before, now) in enumerate(zip(frozen, found, strict=True)):
            yield from differences(before, now, f"{where}[{number}]", tolerance)
    elif not _agree(frozen, found, tolerance):
        yield f"{where}: frozen {_shortened(frozen)}, found {_shortened(found)}"


def _agree(frozen: Any, found: Any, tolerance: float) -> bool:
    if tolerance and isinstance(frozen, float) and isinstance(found, int | float):
        return math.isclose(frozen, found, rel_tol=tolerance, abs_tol=tolerance)
    return type(frozen) is type(found) and frozen == found


def _shortened(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}..."

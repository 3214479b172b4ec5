"""Fingerprints: what an artifact is named by, computed from all that its content depends on."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LENGTH = 32
# Made once: plans of many runs have as many texts to make as models and representations.
ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical(value: Any) -> str:
    """Return the one JSON text of a value made of mappings, sequences, strings, numbers, booleans and None."""
    return ENCODER.encode(value)


def fingerprint(spec: Mapping[str, Any]) -> str:
    """Return the hash of a specification, 32 hexadecimal digits."""
    return hashlib.sha256(canonical(spec).encode()).hexdigest()[:LENGTH]


def hash_file(path: Path) -> str:
    """Return the sha256 of a file's content, in full."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_state(path: Path) -> tuple[int, ...] | None:
    """Return what changes with every write to a file: size, times, inode; None for a file that is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino

"""Weight files as saved by ``transformers``: one file, or parts listed in an index."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from resi.errors import CheckpointError
from resi.fingerprints import hash_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WHOLE, PARTS = "model.safetensors", "model.safetensors.index.json"


def hash_weights(path: Path, hash_file: Callable[[Path], str] = hash_file) -> str:
    """Return the sha256 of a file, or, if it lists parts, of their hashes."""
    return combined_hash(path, {part: hash_file(part) for part in weight_files(path)})


def combined_hash(path: Path, hashes: Mapping[Path, str]) -> str:
    """Return the hash of weights from those of their files."""
    if path.name != PARTS:
        return hashes[path]
    lines = "".join(f"{part.name} {found}\n" for part, found in hashes.items())
    return hashlib.sha256(lines.encode()).hexdigest()


def weight_files(path: Path) -> list[Path]:
    """Return the files that hold the weights: the parts that an index lists, or the file itself."""
    return _parts(path) if path.name == PARTS else [path]


def _parts(index: Path) -> list[Path]:
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index} is not an index of weights: {error}") from error
    parts = [index.with_name(Path(str(name)).name) for name in sorted(names)]
    for part in parts:
        if not part.is_file():
            raise CheckpointError(f"{part} is missing; {index} names it")
    return parts

"""What lies in a data root, by kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KINDS = {
    "models": "trained models",
    "published": "published models and results, as downloaded",
    "representations": "representations and outputs of models",
    "trainings": "states of trainings that have not ended; the same command resumes them",
    "shards": "results of finished runs",
    "begun": "results of runs that have not ended; the same command resumes them",
    "results": "merged tables and reports",
    "datasets": "datasets, as downloaded",
    "downloads": "archives, and notes on what was unpacked",
    "cache": "decoded images, which runs make again",
    "sweeps": "how the jobs of sweeps ended",
    "sources": "hashes of files, names of shards",
    "locks": "files of locks",
    "leftovers": "what killed runs have left, and damaged files that were set aside",
    "other": "not of resi; never removed",
}
"""All kinds of things in a data root, and what each is."""
NEVER_REMOVED = "other"


@dataclass(frozen=True)
class Item:
    """One thing in a data root: it stays or goes as a whole.

    Attributes
    ----------
    path : Path
        A file, or a folder.
    files, size : int
        How many files, and their bytes.
    changed : float
        When the last of its files was written, in seconds since 1970.
    locks : tuple of Path
        Of those who write it, or read it for long.
    domain : str or None
        While runs of this domain are going on, they may read it, without a lock; empty: runs of any domain may. None:
        no run reads it.
    reason : str
        Why nothing refers to it; empty where something does.
    note : str
        What else is to be said of it.
    about : mapping
        What a file of the store says of itself.
    """

    kind: str
    path: Path
    files: int
    size: int
    changed: float
    locks: tuple[Path, ...] = ()
    domain: str | None = None
    reason: str = ""
    note: str = ""
    about: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def name(self, root: Path) -> str:
        """Return its path below the data root."""
        return self.path.relative_to(root).as_posix()

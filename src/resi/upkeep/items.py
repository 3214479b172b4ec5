"""Kinds of items in a data root."""

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
    "trainings": "states of unfinished trainings; the same command resumes them",
    "shards": "results of finished runs",
    "begun": "results of unfinished runs; the same command resumes them",
    "results": "merged tables and reports",
    "datasets": "datasets, as downloaded",
    "downloads": "archives, and records of what was unpacked",
    "cache": "decoded images, which runs recreate",
    "sweeps": "how the jobs of sweeps ended",
    "sources": "hashes of files, names of shards",
    "locks": "lock files",
    "leftovers": "leftovers of killed runs, and damaged files that were set aside",
    "other": "not created by resi; never removed",
}
"""The kinds of items in a data root, and what they are."""
NEVER_REMOVED = "other"


@dataclass(frozen=True)
class Item:
    """One item in a data root: it is kept or removed as a whole.

    Attributes
    ----------
    path : Path
        A file, or a folder.
    files, size : int
        Number of files, and their bytes.
    changed : float
        Time of the last write to its files, in seconds since 1970.
    locks : tuple of Path
        Locks of the processes that write it, or read it for long.
    domain : str or None
        Running runs of this domain may read it without a lock; empty: runs of any domain may; None: no run reads it.
    reason : str
        Why it is not referenced; empty if it is.
    note : str
        Further remarks.
    about : mapping
        The metadata of a file of the store.
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

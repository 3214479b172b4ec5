"""Published models whose files turned out to be unusable when read: one note each in the data root.

A run detects that a file is damaged, not finite or from another network only when reading it. The note saves later
runs, plans and progress lists from reading it again; it is valid as long as the files do not change.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.fingerprints import canonical, file_state
from resi.store.files import list_files, write_text

if TYPE_CHECKING:
    from pathlib import Path

    from resi.specs import ModelSpec


@dataclass(frozen=True)
class UnusableModels:
    """Notes below ``sources/unusable``.

    Parameters
    ----------
    root : Path
        The data root.
    """

    root: Path

    def note(self, model: ModelSpec, path: Path | None, reason: str) -> None:
        """Record that a model could not be read.

        Parameters
        ----------
        path : Path or None
            Its file; None if it is gone.
        reason : str
            One line.
        """
        content = {"model": model.label, "files": _states(path), "reason": reason}
        write_text(self._path(model), json.dumps({**content, "check": _check(content)}))

    def forget(self, model: ModelSpec) -> None:
        """Remove the note on a model that has been read meanwhile."""
        self._path(model).unlink(missing_ok=True)

    def find(self, model: ModelSpec, path: Path | None) -> str | None:
        """Return why a model could not be read; None if there is no note, or its files have changed.

        Parameters
        ----------
        path : Path or None
            Its file; None if it is not here.
        """
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            note = json.loads(self._path(model).read_text(encoding="utf-8"))
            check = note.pop("check")
            if check == _check(note) and (path is None or note["files"] == _states(path)):
                return str(note["reason"])
        return None

    def _path(self, model: ModelSpec) -> Path:
        return self.root / "sources" / "unusable" / f"{model.fingerprint}.json"


def _states(path: Path | None) -> list[list[str | int]] | None:
    """Return the names and states of all files beside one: a model may consist of several."""
    if path is None:
        return None
    found = ((file.name, file_state(file)) for file in list_files(path.parent, "*") if file.is_file())
    return [[name, *state] for name, state in found if state is not None]


def _check(content: object) -> str:
    return hashlib.sha256(canonical(content).encode()).hexdigest()[:12]

"""All names that can be completed, and a file that keeps them: collecting them takes a second, reading them none.

The file is good as long as nothing is installed or removed and no file changes from which the names were read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    Names = dict[str, Any]

FORM = 1
"""Of the file; a later form reads no earlier one."""
SECONDS = 24 * 3600.0
"""After so long names are collected again: a plugin may read its own from files that are not its code."""


def load_names(commands: Mapping[str, tuple[str, str]]) -> Names:
    """Return all names: stored ones if they are as they would be now, else those that there are, stored.

    Parameters
    ----------
    commands : mapping
        Of each command the module and what it does.
    """
    file = names_file()
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        stored = json.loads(file.read_text(encoding="utf-8"))
        is_new = 0 <= time.time() - stored["when"] < SECONDS
        if is_new and stored["state"] == _state() and stored["files"] == _files(stored["files"]):
            return dict(stored["names"])
    from resi.cli.completion.collecting import collect_names

    with contextlib.redirect_stdout(sys.stderr):  # a plugin may print
        names = collect_names(commands)
    content = {"when": time.time(), "state": _state(), "files": _files(_loaded_files()), "names": names}
    with contextlib.suppress(OSError):  # a home that cannot be written to: every TAB collects
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(content), encoding="utf-8")
        part.replace(file)
    return names


def names_file() -> Path:
    """Return where the names of this environment are kept."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    folder = (given if given.is_absolute() else Path.home() / ".cache") / "resi"
    environment = repr((sys.prefix, sys.path, os.environ.get("RESI_LOAD_PLUGINS")))
    return folder / f"names-{hashlib.sha256(environment.encode(errors='surrogateescape')).hexdigest()[:16]}.json"


def _state() -> list[Any]:
    """Return what changes when something is installed or removed, which renames a folder beside the packages."""
    return [FORM, sys.version, *(_changed(path) for path in sys.path)]


def _files(paths: Any) -> dict[str, int]:
    return {path: _changed(path) for path in paths}


def _loaded_files() -> list[str]:
    """Return the files of all modules that are loaded, and so those that names may come from."""
    found = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return sorted({path for path in found if isinstance(path, str)})


def _changed(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0

"""What tests of plugins share: a folder whose distributions are found as installed ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from resi import registry
from resi.config import register as config
from resi.registry import discovery, names

if TYPE_CHECKING:
    from collections.abc import Iterator


def forget_plugins() -> None:
    """Let the next question look for plugins again, as a new process does."""
    cached = (discovery.load_plugins, registry.measures, registry.domains, names._of_domains, registry.usable_domains)
    for known in cached:
        known.cache_clear()
    names._of_domains.cache_clear()
    config.own_store.cache_clear()
    config.register.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder whose distributions this process finds as installed ones."""
    monkeypatch.setenv("RESI_HOME", str(tmp_path / "home"))
    monkeypatch.syspath_prepend(tmp_path)
    forget_plugins()
    yield tmp_path
    for path in tmp_path.iterdir():
        sys.modules.pop(path.stem, None)
    monkeypatch.undo()
    forget_plugins()

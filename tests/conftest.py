"""What all tests share: a data root of their own, and where the reference data lies."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = REPOSITORY.parent / "shared"
# A run that takes a second or two: two settings, two seeds, one small architecture.
TINY = ["model=gcn", "model.gcn.epochs=2", "model.gcn.hidden_channels=8", "seeds=[0,1]", "groups=2"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty data root, set as ``RESI_HOME``."""
    home = tmp_path / "home"
    monkeypatch.setenv("RESI_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of reference data, or skip."""
    if not SHARED.is_dir():
        pytest.skip(f"the reference data is not at {SHARED}")
    return SHARED

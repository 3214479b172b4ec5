"""Tests that need a GPU: ``python -m nox -s cuda`` runs them; elsewhere they are skipped."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip all of them where torch finds no GPU."""
    if torch.cuda.is_available():
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="torch.cuda.is_available() is False: it takes a GPU"))


@pytest.fixture
def gpu() -> torch.device:
    """Return the GPU that tests use."""
    return torch.device("cuda", 0)

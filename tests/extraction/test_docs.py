"""What docs/own_models.md shows works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import torch

import resi

if TYPE_CHECKING:
    import pytest

PAGE = Path(__file__).parents[2] / "docs/own_models.md"


def test_its_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    with torch.random.fork_rng(devices=[]):
        for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
            exec(compile(code, str(PAGE), "exec"), scope)
    found = resi.load("reps/net")
    assert list(found) == ["2", "5"]
    assert found["2"].shape == (100, 16, 4, 4)

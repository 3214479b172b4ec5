"""Pages show what their code and commands print; what takes minutes is run by ``nox -s tutorial``."""

from __future__ import annotations

import ast
import sys
from functools import reduce
from typing import TYPE_CHECKING

import pytest

import resi
from scripts import architecture
from tests.docs import shown
from tests.docs.test_pages import dotted

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", shown.PAGES)
def test_a_page_shows_what_is_printed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for variable in ("RESI_HOME", "REP_SIM"):
        monkeypatch.delenv(variable, raising=False)
    page = shown.DOCS / f"{name}.md"
    text = page.read_text(encoding="utf-8")
    has_outputs = "```text" in text or "```console" in text
    outputs = shown.run(page, at_length=False)
    sys.modules.pop("my_measure", None)
    assert bool(outputs) == has_outputs
    assert [(found.shown, found.printed) for found in outputs if not found.agrees()] == []


def test_what_differs_is_seen() -> None:
    printed = "a 1.5 s\nb 2\nc 3\n"
    assert shown.Output("a 2.5 s\n...\nc 3\n", (0, 0), printed).agrees()
    assert shown.Output("a 1.5 s b\n2 c 3\n", (0, 0), printed).agrees()
    assert shown.Output("to N =\n 2048\n", (0, 0), "to N = 512").agrees()
    assert not shown.Output("a 1.5 s\nb 3\nc 3\n", (0, 0), printed).agrees()
    assert not shown.Output("a 1.5 s\nb 2\n", (0, 0), printed).agrees()
    assert not shown.Output("score 0.98\n", (0, 0), "score 0.97\n").agrees()
    assert shown.Output("score 0.98\n", (0, 0), "score 0.97\n", shown.TRAINED).agrees()


def test_commands_that_take_minutes_are_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    page.write_text(f"{shown.MARK}```console\n$ resi test=none\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError):
        shown.run(page, at_length=False)


@pytest.mark.parametrize("path", sorted((shown.DOCS / "notebooks").glob("*.py")), ids=lambda path: path.stem)
def test_a_notebook_compiles_and_uses_names_that_exist(path: Path) -> None:
    """It is run by ``nox -s notebooks``."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ---\n# jupyter:\n")
    assert text.count("\n# %%\n") > 5
    names = [".".join(found) for node in ast.walk(ast.parse(text)) if (found := dotted(node))]
    assert len(names) > 5
    for name in names:
        reduce(getattr, name.split(".")[1:], resi)


def test_the_drawing_has_the_layers_that_lint_checks() -> None:
    assert set(architecture.layers()) == architecture.ABOUT.keys()
    assert {layer for layers, *_ in architecture.PATH for layer in layers} < architecture.ABOUT.keys()
    written = architecture.PICTURE.read_text(encoding="utf-8")
    assert written == architecture.picture(), "run python scripts/architecture.py --write"

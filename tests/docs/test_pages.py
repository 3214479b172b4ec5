"""What README and the pages show can be typed: code compiles, names, commands and keys exist, links lead somewhere."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import resi
from resi import registry
from resi.cli import list_results
from resi.cli.list import RESULTS
from resi.cli.main import COMMANDS, run_command
from resi.config.many import open_configs
from resi.errors import UsageError
from resi.sweeps.suite_files import load_suite, suite_names
from resi.sweeps.suites import expand
from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

README = REPOSITORY / "README.md"
PAGES = [README, *sorted((REPOSITORY / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"(?<!`)`(resi [^`]+)`(?!`)")
TYPED = REPOSITORY / "docs" / "completion.md"
"""A page with commands that are not typed to their end."""
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def commands(page: Path) -> list[list[str]]:
    """Return the words of each line that begins with ``resi``, outside of Python."""
    blocks = [text for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")) if kind != "python"]
    lines = [line for text in blocks for line in text.splitlines() if line.startswith("resi ")]
    return [shlex.split(line, comments=True)[1:] for line in lines]


def inline(page: Path) -> list[list[str]]:
    """Return the words of each ``resi`` command within a sentence."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    return [
        words for shown in INLINE.findall(text) if "..." not in (words := shlex.split(shown)[1:]) and "&&" not in words
    ]


def accepts(words: list[str]) -> bool:
    """Whether a command has these words; of ``describe``, whether there is what they name, unless in capitals."""
    command, *rest = words
    if command not in COMMANDS:
        return command.startswith("-") or "=" in command
    if not rest:
        return True
    if command == "describe":
        return rest[0].isupper() or run_command(words) == 0
    module = importlib.import_module(COMMANDS[command][0])
    make_parser = partial(list_results.make_parser, rest[0]) if rest[0] in RESULTS else module.make_parser
    try:
        make_parser().parse_args(rest[1:] if rest[0] in RESULTS else rest)
    except UsageError:
        return False
    return True


def dotted(node: ast.AST) -> list[str]:
    """Return the names of ``resi.plot.heatmap``, or none if it is no such thing."""
    if isinstance(node, ast.Attribute) and (before := dotted(node.value)):
        return [*before, node.attr]
    return ["resi"] if isinstance(node, ast.Name) and node.id == "resi" else []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_compiles_names_exist_and_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for kind, code in BLOCK.findall(text):
        if kind == "python":
            for node in ast.walk(ast.parse(code)):
                reduce(getattr, dotted(node)[1:], resi)
    links = [link for link in LINK.findall(BLOCK.sub("", text)) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page != TYPED], ids=lambda page: page.stem)
def test_commands_within_sentences_exist(page: Path) -> None:
    wrong = [shlex.join(["resi", *words]) for words in inline(page) if not accepts(words)]
    assert not wrong, f"{page.name}: no such command: {'; '.join(wrong)}"


def test_the_table_of_suites_counts_jobs_right() -> None:
    page = (REPOSITORY / "docs" / "sweeps.md").read_text(encoding="utf-8")
    said = {name: int(jobs) for name, jobs in re.findall(r"^\| `(\w+)` \| (\d+) \|", page, re.MULTILINE)}
    loader = open_configs()
    jobs = {name: len(expand((), load_suite(name, loader))) for name in suite_names(loader)}
    wrong = [f"{name}: {said.get(name)}, now {count}" for name, count in jobs.items() if said.get(name) != count]
    assert not wrong, f"jobs of suites in docs/sweeps.md: {'; '.join(wrong)}"
    assert set(said) == set(jobs)


@pytest.mark.parametrize("page", ["measures", "plugins"])
def test_commands_about_own_measures_do_what_they_show(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = REPOSITORY / "docs" / f"{page}.md"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESI_HOME", str(tmp_path / "home"))
    files = [code for _, code in BLOCK.findall(path.read_text(encoding="utf-8")) if code.startswith("# my_measure.py")]
    for code in files:
        (tmp_path / "my_measure.py").write_text(code, encoding="utf-8")
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(ord(name)).normal(size=(20, 3)))
    is_installed = "effective_rank_difference" in registry.measures()
    shown = commands(path)
    assert len(shown) >= (7 if files else 3)
    for words in shown:
        if "resi-example" in " ".join(words) and not is_installed:
            continue
        # Of a run, what it would do: it takes seconds.
        is_run = words[0] not in COMMANDS
        assert run_command(["plan", *words] if is_run else words) == 0, capsys.readouterr().err


def test_two_lines_make_a_measure() -> None:
    _, blocks = zip(*BLOCK.findall((REPOSITORY / "docs" / "measures.md").read_text(encoding="utf-8")), strict=True)
    names: dict[str, Any] = {}
    for code in blocks[:2]:
        exec(code, names)
    R, S = np.full((4, 2), 3.0), np.zeros((4, 2))
    assert resi.compare(R, S, measure=names["gap"]) == 3
    table = resi.pairwise({"R": R, "S": S}, measures=[names["gap"]])
    assert table["larger_is_more_similar"].to_list() == [False, False]

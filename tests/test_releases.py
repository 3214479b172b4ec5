"""What a release states in several places is the same in all; the workflow runs sessions that exist, on all Pythons."""

from __future__ import annotations

import ast
import re
import tomllib
from typing import Any

import yaml
from scripts.wheels.environments import PYTHONS, RESOLUTIONS

from tests.conftest import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOW = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
JOB = WORKFLOW["jobs"]["nox"]


def sessions() -> set[str]:
    """Return the names of nox's sessions; nox itself is not among what the tests need."""
    tree = ast.parse((REPOSITORY / "noxfile.py").read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {node.name for node in functions if any("nox.session" in ast.unparse(one) for one in node.decorator_list)}


def called(command: str) -> set[str]:
    """Return the sessions that all ``nox -s A B -- WORDS`` of a line name."""
    return {name for names in re.findall(r"nox -s ((?: ?[a-z_]+)+)", command) for name in names.split()}


def runs() -> list[tuple[str, str]]:
    """Return what is run with which Python."""
    matrix: dict[str, Any] = JOB["strategy"]["matrix"]
    crossed = [(python, run) for python in matrix["python"] for run in matrix["run"]]
    return crossed + [(one["python"], one["run"]) for one in matrix["include"]]


def test_the_workflow_runs_sessions_that_exist_and_all_that_ci_runs() -> None:
    known = sessions()
    run = {name for _, words in runs() for name in called(f"nox -s {words}")}
    assert run - known == set()
    lines = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    local = {name for line in lines if not line.startswith("#") for name in called(line)}
    assert local >= {"tests", "lint", "types"}
    assert run >= local | {"build", "docs", "notebooks"}


def test_every_python_that_is_stated_is_tested_and_built_for() -> None:
    stated = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert list(PYTHONS) == stated == JOB["strategy"]["matrix"]["python"]
    assert PROJECT["requires-python"] == f">={stated[0]}"
    for python in stated:
        assert {(python, "tests"), *((python, f"build -- {which}") for which in RESOLUTIONS)} <= set(runs())


def test_actions_are_pinned_to_a_major_version_and_jobs_end() -> None:
    used = [step["uses"] for step in JOB["steps"] if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", one) for one in used)
    assert all(0 < job["timeout-minutes"] <= 90 for job in WORKFLOW["jobs"].values())


def test_a_plugin_that_imports_private_modules_requires_this_minor_version() -> None:
    path = REPOSITORY / "plugins" / "resi-more-measures" / "pyproject.toml"
    needed = tomllib.loads(path.read_text(encoding="utf-8"))["project"]["dependencies"]
    major, minor, *_ = map(int, PROJECT["version"].split("."))
    assert f"resi>={major}.{minor},<{major}.{minor + 1}" in needed, f"raise resi in {path}, as docs/releasing.md says"


def test_every_upper_bound_of_a_dependency_is_explained() -> None:
    page = (REPOSITORY / "docs" / "releasing.md").read_text(encoding="utf-8")
    bounded = [re.split(r"[\[<>=!~ ]", line)[0] for line in PROJECT["dependencies"] if "<" in line]
    unexplained = [name for name in bounded if f"`{name}`" not in page]
    assert not unexplained, (
        f"{', '.join(unexplained)}: say in 'Dependencies' of docs/releasing.md why it has an upper bound"
    )


def test_the_changelog_and_the_citation_are_of_this_version() -> None:
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+)", changelog, re.MULTILINE)
    assert newest is not None
    assert newest[1] in (PROJECT["version"], "Unreleased")
    assert re.search(rf"^## {re.escape(PROJECT['version'])} \(\d{{4}}-\d\d-\d\d\)$", changelog, re.MULTILINE)
    cited = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == PROJECT["version"]

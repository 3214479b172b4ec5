"""README is what a newcomer has: each of its commands is run, or would be; its table and its citation are true."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import torch
import yaml
from scripts.newcomer import NOT_TYPED, PROMISED, SECTIONS, Step, chosen, steps

from resi import registry
from resi.cli import extract, report
from resi.cli.arguments import split
from resi.cli.main import COMMANDS, run_command
from resi.config.many import compose_all, open_configs
from resi.config.schema import RunConfig
from resi.domains.given import GivenDomain
from resi.groundings import GROUNDINGS
from resi.registry import usable_domains
from resi.sweeps.suite_files import suite_names
from tests.conftest import REPOSITORY, TINY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from resi.registry import Registry

PAGE = (REPOSITORY / "README.md").read_text(encoding="utf-8")
STEPS = list(steps(PAGE))
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
FEWER = {"[:300, None]": "[:40, None]", "bootstrap=1000": "bootstrap=40", "null=200": "null=20", "range(5)": "range(3)"}
"""What is shortened in the code of README: numbers of samples, resamplings and models."""
NAME = re.compile(r"`(\w+)`")


def test_it_is_short() -> None:
    assert len(PAGE.splitlines()) <= 150


def sessions() -> set[str]:
    """Return the names of nox's sessions, without nox, which the tests' environment does not have."""
    tree = ast.parse((REPOSITORY / "noxfile.py").read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {node.name for node in functions if any("nox.session" in ast.unparse(each) for each in node.decorator_list)}


def installs(command: str) -> None:
    """Environments of several gigabytes are built by continuous integration and by ``nox -s newcomer``."""
    words = shlex.split(command)
    if words[-2:-1] == ["-s"]:
        assert words[:-2] == shlex.split("python -m pip install nox && python -m nox")
        assert words[-1] in sessions()
    else:
        assert words[:-1] == shlex.split("python -m pip install")
        assert words[-1].strip(".[]") in PROJECT["optional-dependencies"]


def activates(command: str) -> None:
    """The folder is that of a session of nox."""
    assert command == ". .nox/demo/bin/activate"
    assert "demo" in sessions()


def runs(command: str) -> None:
    """A run of four small models instead of 45, by the same measures."""
    assert run_command([*shlex.split(command)[1:], *TINY]) == 0


def is_done(command: str) -> None:
    """It is done as it stands."""
    words = shlex.split(command)
    assert run_command(["merge"] if words == ["resi-merge"] else words[1:]) == 0


def reports(command: str) -> None:
    """The page takes seconds to make, as the tests of reports do."""
    report.make_parser().parse_args(shlex.split(command)[2:])


def checks(command: str) -> None:
    """All checks of a measure take seconds, as in tests/test_check_measure.py: here the file is read."""
    _, name, path = shlex.split(command)
    assert name in COMMANDS
    assert run_command(["list", "measures", f"measure.file={path}"]) == 0


def plans(command: str) -> None:
    """Data of the reader's, or a suite: what a run would be."""
    words = [word for word in shlex.split(command)[1:] if word not in ("-m", "plan")]
    loader = open_configs()
    if words[0].startswith("suite="):
        assert words[0].removeprefix("suite=") in suite_names(loader)
        assert len(words) == 1
        return
    (config,) = compose_all([words], loader)
    assert isinstance(config, RunConfig), config


WAYS: dict[str, Callable[[str], None]] = {
    "python -m pip": installs,
    ". ": activates,
    "resi check-measure": checks,
    "resi report": reports,
    "resi plan": plans,
    "resi -m": plans,
    "resi dataset=cora": plans,
    "resi domain=": runs,
    "resi": is_done,
}
"""By how a command begins, the first that fits: how it is run, or why not and what is checked instead."""


@pytest.fixture
def folder(tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return an empty working folder; the data root has the small models."""
    (tmp_path / "here").mkdir()
    shutil.copytree(trained, tmp_path / "home")
    monkeypatch.setenv("RESI_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    with torch.random.fork_rng():  # README seeds torch's own generator
        yield tmp_path / "here"


def test_everything_in_it_can_be_typed_in_its_order(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scope: dict[str, Any] = {}
    used = set()
    for step in STEPS:
        print(f"README: {step.title}")  # pytest shows it of a step that fails
        if step.kind == "file":
            (folder / "my_measure.py").write_text(step.text, encoding="utf-8")
        elif step.kind == "python":
            code = step.text
            for text, shorter in FEWER.items():
                code = code.replace(text, shorter)
            exec(compile(code, "README.md", "exec"), scope)
        else:
            start = next(start for start in WAYS if step.text.startswith(start))
            used.add(start)
            WAYS[start](step.text)
    assert used == set(WAYS)
    assert [text for text in FEWER if text not in PAGE] == []
    for name in " ".join(PROMISED.values()).split():  # what a newcomer finds afterwards
        assert (folder / name).exists() or name == "experiments/results/report.html"
    assert (folder / "layers.png").exists()


def test_commands_within_sentences_are_commands() -> None:
    spans = re.findall(r"(?<!`)`(resi(?:-merge)? [^`]+)`", re.sub(r"^```.*?^```", "", PAGE, flags=re.DOTALL | re.M))
    assert len(spans) >= 4
    loader = open_configs()
    for span in spans:
        words = [word for part in span.split(" && ") if part != "resi-merge" for word in shlex.split(part)[1:]]
        if words[0] == "extract":
            split(words[1:], extract.KEYS, "extract", "measure")
        elif words[0] == "report":
            report.make_parser().parse_args(words[1:])
        else:
            (config,) = compose_all([[word for word in words if not word.startswith("measure.file=")]], loader)
            assert isinstance(config, RunConfig), config


def test_a_newcomer_types_all_but_what_is_left_out_with_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    typed = chosen(PAGE)
    assert len(typed) + len(NOT_TYPED) == len(STEPS)
    assert capsys.readouterr().out.count("not typed: ") == len(NOT_TYPED)
    with pytest.raises(SystemExit, match="README has changed"):
        chosen(PAGE.replace("suite=smoke", "suite=other"))
    with pytest.raises(SystemExit, match="README has changed"):
        chosen(PAGE.replace(f"## {SECTIONS[1]}", "## Something else"))
    assert all(any(words in step.text for step in typed) for words in PROMISED)


def test_steps_are_commands_without_remarks_and_blocks_of_python() -> None:
    page = "# x\n## A\n```sh\nls -l    # files\npwd\n```\n```text\nout\n```\n## B\n```python\na = 1\n```\n"
    assert list(steps(page)) == [Step("A", "shell", "ls -l"), Step("A", "shell", "pwd"), Step("B", "python", "a = 1\n")]


def test_the_table_of_what_there_is_agrees_with_the_registries() -> None:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| `")]
    assert rows.pop(0)[0] == "`domain=`"
    listed = {row[0].strip("`"): row[1:] for row in rows}
    domains = {domain.name: domain for domain in usable_domains() if ours(registry.domains(), domain.name)}
    assert set(listed) == set(domains)
    assert len(GROUNDINGS) == 6
    for name, (datasets, models, tests) in listed.items():
        assert tests == "all six"
        if isinstance(domains[name], GivenDomain):  # which has what its reader has
            continue
        found = [item for item in domains[name].datasets() if ours(registry.datasets(name), item.name)]
        assert set(NAME.findall(datasets)) == {item.name for item in found}
        assert set(re.findall(r"\*\*`(\w+)`", datasets)) == {item.name for item in found if item.embedded}
        networks = [item.name for item in domains[name].architectures() if ours(registry.networks(name), item.name)]
        assert set(NAME.findall(models)) == set(networks)
        assert set(domains[name].settings_by_test) == set(GROUNDINGS)


def test_it_counts_measures_right() -> None:
    measures = registry.measures()
    own = [measures.get(name) for name in measures if ours(measures, name)]
    text = " ".join(PAGE.split())
    for count, before, after in (
        (len(own), "with ", " measures"),
        (sum(measure.benchmark for measure in own), "ranked among ", " others"),
    ):
        found = re.findall(rf"{before}(\d+){after}", text)
        assert found == [str(count)], f"README.md says '{before}{', '.join(found)}{after}': there are {count}"


def ours(known: Registry[Any], name: str) -> bool:
    """Return whether something comes with resi, and is not a plugin's."""
    return name not in known or known.origin(name).distribution == "resi"


def test_the_citation_is_of_this_version_and_the_same_in_readme() -> None:
    assert CITATION["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "version", "license"} <= set(CITATION)
    assert CITATION["version"] == PROJECT["version"]
    assert CITATION["license"] == PROJECT["license"]
    own, paper = re.findall(r"^@.*?\}\}?$(?=\n@|\n```)", PAGE, re.DOTALL | re.M)
    assert f"version = {{{CITATION['version']}}}" in own
    assert f"title = {{{CITATION['title']}}}" in own
    assert f"author = {{{{{CITATION['authors'][0]['name']}}}}}" in own
    (reference,) = CITATION["references"]
    names = [f"{author['family-names']}, {author['given-names']}" for author in reference["authors"]]
    assert " and ".join(names) in " ".join(paper.split())
    assert reference["title"] in re.sub(r"[{}]", "", paper)
    assert f"year = {{{reference['year']}}}" in paper

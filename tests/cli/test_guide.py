"""What a run says before its work begins, and what to type when it is over."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from resi.cli.guide import say_next, say_work
from resi.cli.main import run_command
from resi.config.compose import compose
from resi.console import say
from resi.errors import UsageError
from resi.estimates.rates import Rates
from resi.pipeline.planner import make_plan
from resi.pipeline.run import RunResult, run_config
from tests.conftest import TINY

if TYPE_CHECKING:
    from resi.pipeline.plan import Plan


def ended(shard: Path, height: int = 1) -> RunResult:
    return RunResult(pl.DataFrame({"score": [0.5] * height}), pl.DataFrame(), shard, reused=False)


def test_a_run_says_what_it_trains_and_for_how_long(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = make_plan(compose(["test=augmentation", "model=[gcn,gat]", "measure=[cka,rsa]", "workers=2"]))
    say_work(plan)
    line = capsys.readouterr().err
    assert line.startswith("30 models to train (about ")
    assert line.endswith(
        f" on 2 workers), then 420 comparisons; kept in {root}. If stopped, the same command continues\n"
    )
    # Each of two workers takes a half, up to one model.
    seconds = [estimate.seconds for model in plan.missing_models() if (estimate := Rates().training(model))]
    found = re.search(r"about (?:(\d+) min ?)?(?:(\d+) s)?", line)
    assert found is not None
    said = 60 * int(found[1] or 0) + int(found[2] or 0)
    rounded = 0.5 if found[2] else 30
    assert sum(seconds) / 2 - rounded <= said <= sum(seconds) / 2 + max(seconds) + rounded


def test_of_short_trainings_and_other_stages_no_more_is_said_than_is_known(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    say_work(make_plan(compose([*TINY, "measure=cka", "stage=models"])))
    assert capsys.readouterr().err == f"4 models to train; kept in {root}. If stopped, the same command continues\n"
    say_work(make_plan(compose([*TINY, "measure=cka", "stage=score"])))
    assert capsys.readouterr().err == ""


def test_work_is_announced_once_and_not_of_a_finished_run(trained: Path, tmp_path: Path) -> None:
    announced: list[Plan] = []
    for words in (["stage=representations"], ["stage=all"], ["stage=all"]):
        run_config(compose([*TINY, "measure=cka", f"root={trained}", *words]), announce=announced.append)
    assert [plan.config.stage.value for plan in announced] == ["representations", "all"]
    assert [plan.missing_models() for plan in announced] == [[], []]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("home", ["resi report", "resi show graph-x"]),
        ("my runs", ["resi report {0}", "resi show graph-x --root {0}"]),
    ],
)
def test_what_to_type_next_names_the_data_root_only_where_it_must(
    place: str, expected: list[str], root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / place
    say_next(ended(home / "shards" / "graph-x"))
    page, whole = (command.format(shlex.quote(str(home))) for command in expected)
    assert capsys.readouterr().err == f"next: {page} makes a page of all runs; {whole} has all of this one\n"


def test_nothing_is_next_where_there_are_no_scores(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    say_next(ended(root / "shards" / "graph-x", height=0))
    assert capsys.readouterr().err == ""


def test_what_is_said_can_be_typed(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*TINY, "measure=cka", f"root={trained}"]
    assert run_command(words) == 0
    line = capsys.readouterr().err.splitlines()[-1]
    command = line.split("; ")[1].removesuffix(" has all of this one")
    assert run_command(shlex.split(command)[1:]) == 0
    assert "augmentation" in capsys.readouterr().out


def test_without_arguments_a_run_says_first_that_it_is_the_default(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = compose([])
    assert (config.domain.name, config.test.name) == ("graph", "augmentation")  # as the line says
    monkeypatch.setattr("resi.cli.main.run_job", lambda composed: say("runs") or 0)
    line = "no arguments: this is the default run, domain=graph test=augmentation; resi --help shows what else there is"
    assert run_command([]) == 0
    assert capsys.readouterr().err.splitlines() == [line, "runs"]
    assert run_command(["measure=cka"]) == 0
    assert capsys.readouterr().err.splitlines() == ["runs"]


def test_a_device_that_is_not_there_is_said_before_work_is_announced(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="this machine has"):
        say_work(make_plan(compose([*TINY, "device=cuda:99"])))
    assert not capsys.readouterr().err

"""How far suites are, from the data root alone."""

from __future__ import annotations

import json
import shutil
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import resi
from resi.cli.main import run_command
from resi.config.compose import compose
from resi.config.many import open_configs
from resi.pipeline.plan import Plan
from resi.pipeline.run import make_plan
from resi.store.root import Store
from resi.sweeps.progress import STATES, State, SuiteProgress, find_states
from resi.sweeps.records import Job, note_job, note_lost, note_start
from resi.sweeps.suite_files import suite_names
from tests.conftest import TINY

if TYPE_CHECKING:
    from resi.results.shards import Shard

JOB = (*TINY, "measure=cka")


def state(root: Path, job: tuple[str, ...] = JOB) -> tuple[str, str]:
    found = find_states([job], open_configs(), root)[job]
    return found.name, found.reason


def test_a_job_goes_from_missing_over_running_and_stopped_to_done(root: Path) -> None:
    assert state(root) == ("missing", "")
    plan = make_plan(compose([*JOB]))
    with Store(root).try_lock(plan.shard.folder.name) as held:
        assert held
        assert state(root) == ("running", "")
    assert state(root) == ("missing", "")
    resi.run([*JOB, "stage=compare"] if plan.missing_models() == [] else [*JOB, "stage=representations"])
    resi.run([*JOB, "stage=compare"])
    assert state(root) == ("stopped", "")  # compared, not scored
    resi.run([*JOB])
    assert state(root) == ("done", "")


def test_of_jobs_that_have_not_begun_no_shard_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named: list[str] = []
    shard = Plan.shard.func

    def noting(plan: Plan) -> Shard:
        named.append(plan.config.test.name)
        return shard(plan)

    noted = cached_property(noting)
    noted.__set_name__(Plan, "shard")
    monkeypatch.setattr(Plan, "shard", noted)
    tests = ("shortcut", "augmentation", "label_randomization")
    jobs = [(*JOB, f"test={test}") for test in tests]
    with Store(root).try_lock(shard(make_plan(compose([*jobs[0]]))).folder.name):
        states = find_states(jobs, open_configs(), root)
    assert [states[job].name for job in jobs] == ["running", "missing", "missing"]
    assert named == ["shortcut"]


def test_earlier_stages_are_done_when_what_they_make_is_there(root: Path) -> None:
    for stage in ("models", "representations"):
        job = (*JOB, f"stage={stage}")
        assert state(root, job)[0] == "missing"
        resi.run([*job])
        assert state(root, job)[0] == "done"
        path = sorted((root / stage).rglob("*.safetensors"))[-1]
        whole = path.read_bytes()
        path.write_bytes(whole[:-1])
        assert state(root, job)[0] == "missing"
        path.write_bytes(whole)


def test_failed_comparisons_and_failed_jobs_say_why(root: Path) -> None:
    job = (*JOB, "compare.memory=1kB")
    shard = resi.run([*job]).shard
    assert state(root, job) == ("failed", f"6 comparisons failed, see {shard}")
    lost = (*JOB, "dataset=cora", f"dataset.root={root}")
    assert state(root, lost)[0] == "missing"
    note_job(root / "sweeps" / "now" / "0", {"words": [*lost], "outcome": "failed", "detail": "no Cora"})
    assert state(root, lost) == ("failed", "no Cora")


def test_a_job_that_failed_and_was_repeated_is_done(root: Path) -> None:
    note_job(root / "sweeps" / "now" / "0", {"words": [*JOB], "outcome": "failed", "detail": "out of luck"})
    assert state(root) == ("failed", "out of luck")
    resi.run([*JOB])
    assert state(root) == ("done", "")


def test_a_job_that_was_begun_and_left_no_word_is_stopped_or_failed_as_its_launcher_says(root: Path) -> None:
    sweep = root / "sweeps" / "now"
    record = {"number": 3, "job": " ".join(JOB), "words": [*JOB], "counts": {}}
    (sweep / "3").mkdir(parents=True)
    note_start(sweep / "3", record)
    assert state(root)[0] == "stopped"
    note_lost(sweep, Job(4, JOB), "of another")
    assert state(root)[0] == "stopped"
    note_lost(sweep, Job(3, JOB), "its process died (SIGKILL)")
    assert state(root) == ("failed", "its process died (SIGKILL)")
    with (sweep / "lost.jsonl").open("a") as file:
        file.write('{"number": 3, "det')  # still being written
    assert state(root) == ("failed", "its process died (SIGKILL)")
    resi.run([*JOB])
    assert state(root) == ("done", "")


def test_comparing_is_done_when_all_comparisons_are_there(root: Path) -> None:
    job = (*JOB, "stage=compare")
    note_job(root / "sweeps" / "now" / "0", {"words": [*job], "outcome": "done", "detail": ""})
    assert state(root, job)[0] == "stopped"  # whatever was noted
    resi.run([*JOB])
    assert state(root, job) == ("done", "")
    broken = (*(word for word in job if word != "measure=cka"), "compare.memory=1kB", "measure=rsa")
    resi.run([*broken])
    assert state(root, broken) == ("failed", "6 comparisons failed")
    shutil.rmtree(root / "shards")
    assert state(root, job)[0] == "stopped"


@pytest.mark.parametrize("stage", ["compare", "all"])
def test_a_job_that_overwrites_is_done_when_a_sweep_has_run_it(root: Path, stage: str) -> None:
    job = (*JOB, f"stage={stage}", "compare.overwrite=always")
    resi.run([*JOB])  # an earlier run, with the same shard
    assert state(root, (*JOB, f"stage={stage}", "compare.overwrite=failed")) == ("done", "")
    assert state(root, job) == ("missing", "")
    folder, record = root / "sweeps" / "now" / "0", {"number": 0, "job": "", "words": [*job]}
    folder.mkdir(parents=True)
    note_start(folder, record)
    assert state(root, job) == ("stopped", "")
    note_job(folder, {**record, "outcome": "failed", "detail": "out of luck"})
    assert state(root, job) == ("failed", "out of luck")
    note_job(folder, {**record, "outcome": "done", "detail": ""})
    assert state(root, job) == ("done", "")
    scored = (*JOB, "stage=score", "compare.overwrite=always")  # which computes no comparison
    assert state(root, scored) == ("done", "")
    shutil.rmtree(root / "shards")
    assert state(root, job)[0] == "stopped"


@pytest.fixture
def few_suites(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the largest suites, whose hundreds of jobs take seconds."""
    left_out = ("baseline", "paper", "paper_language", "paper_vision")
    monkeypatch.setattr(
        "resi.sweeps.progress.suite_names",
        lambda loader: [name for name in suite_names(loader) if name not in left_out],
    )


@pytest.mark.usefixtures("few_suites")
def test_a_sweep_that_was_started_with_words_has_a_line_from_its_start(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = root / "sweeps" / "now"
    folder.mkdir(parents=True)
    begun = {"suite": "smoke", "words": ["device=cpu"], "jobs": [[*JOB, "device=cpu"]]}
    (folder / "suite.json").write_text(json.dumps(begun))
    assert run_command(["list", "progress", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["words"], row["jobs"], row["missing"]) == ("smoke", "device=cpu", 1, 1)


def test_what_is_no_note_is_passed_over(root: Path) -> None:
    for name, text in (("0", "{"), ("1", "[]"), ("2", '{"words": []}')):
        (root / "sweeps" / "now" / name).mkdir(parents=True)
        (root / "sweeps" / "now" / name / "job.json").write_text(text)
    (root / "sweeps" / "now" / "suite.json").write_text('{"suite": "smoke"}')
    assert state(root) == ("missing", "")


@pytest.mark.usefixtures("few_suites")
def test_list_progress_counts_every_job_of_a_suite(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["list", "progress"]) == 0
    assert capsys.readouterr().out == "no progress\n"
    assert run_command(["list", "progress", "paper_graph", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["jobs"], row["missing"]) == ("paper_graph", 59, 59)
    assert sum(row[name] for name in STATES) == row["jobs"]
    assert not root.exists()  # looking changes nothing


@pytest.mark.usefixtures("few_suites")
def test_a_suite_that_cannot_be_used_is_named_and_hides_no_other(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "suite"
    folder.mkdir()
    root.mkdir(exist_ok=True)
    (folder / "mine.yaml").write_text("grids: {one: {test: augmentation, model: gcn}}")
    (folder / "wrong.yaml").write_text("grids: {one: {tset: augmentation}}")
    assert run_command(["list", "progress", "--config-dir", str(tmp_path), "--root", str(root), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["jobs"]) == ("wrong", 0)
    assert row["failures"][0].startswith("cannot be used: unknown key in suite=wrong")
    assert row["reasons"] == [{"reason": row["failures"][0], "jobs": 1, "example": ""}]
    assert run_command(["list", "progress", "mine", "--config-dir", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["missing"] == 1


def test_failures_are_summed_up_by_reason(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, full = "nowhere/cora.x is missing; put it there", "no memory"
    jobs = {("test=augmentation", f"seeds=[0,{n}]"): State("failed", full if n == 3 else lost) for n in range(1, 8)}
    suite = SuiteProgress("smoke", ("device=cpu",), {**jobs, ("test=shortcut",): State("running")})
    monkeypatch.setattr("resi.sweeps.progress.read_progress", lambda *_: [suite])

    def listed(*words: str) -> str:
        assert run_command(["list", "progress", *words]) == 0
        return capsys.readouterr().out

    (row,) = json.loads(listed("--json"))
    assert row["reasons"] == [
        {"reason": lost, "jobs": 6, "example": "test=augmentation seeds=[0,1]"},
        {"reason": full, "jobs": 1, "example": "test=augmentation seeds=[0,3]"},
    ]
    assert len(row["failures"]) == 7
    monkeypatch.setenv("COLUMNS", "200")
    assert listed().splitlines()[-3:] == [
        "smoke device=cpu: running test=shortcut",
        f"smoke device=cpu: 6 x {lost} (first: test=augmentation seeds=[0,1])",
        f"smoke device=cpu: 1 x {full} (first: test=augmentation seeds=[0,3])",
    ]
    assert listed("--details").count(lost) == 6
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, listed("--details").splitlines())) <= 60

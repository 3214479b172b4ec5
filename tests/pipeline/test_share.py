"""How many workers a run has, in what order they take models, and when they are done: by counting."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from resi.config.compose import compose
from resi.errors import UsageError
from resi.machine.resources import JobResources
from resi.pipeline import share
from resi.pipeline.making import Task
from resi.pipeline.planner import make_plan
from resi.pipeline.schedule import Schedule, makespan
from resi.pipeline.share import may_be_on_gpu, most_workers, workers_for
from resi.specs import ModelSpec, ProbeSpec

if TYPE_CHECKING:
    from resi.config.schema import RunConfig


@pytest.fixture(scope="module")
def config() -> RunConfig:
    return compose(["measure=cka", "device=cpu"])


def changed(config: RunConfig, workers: int | None = None, threads: int | None = None) -> RunConfig:
    return dataclasses.replace(config, workers=workers, compare=dataclasses.replace(config.compare, threads=threads))


def model(architecture: str, seed: int) -> ModelSpec:
    return ModelSpec("graph", "cora", "", architecture, "standard", seed, {}, 1)


@pytest.fixture
def sixteen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine have 16 cores and 64 GB."""
    monkeypatch.setattr("resi.machine.resources.available_cores", lambda: 16)
    monkeypatch.setattr(share, "machine_memory", lambda: 64 * 10**9)


@pytest.mark.usefixtures("sixteen")
@pytest.mark.parametrize(
    ("environment", "workers", "threads", "expected"),
    [
        ({}, None, None, 16),
        ({"OMP_NUM_THREADS": "4"}, None, None, 4),
        (JobResources(threads=4, slots=4).environment(), None, None, 4),  # as a launcher with four jobs gives it
        (JobResources(threads=1, cores=8).environment(), None, None, 1),  # and a user who wants one thread
        ({}, None, 3, 3),
        ({"OMP_NUM_THREADS": "1"}, 5, None, 5),
        ({}, 40, None, 40),
    ],
)
def test_workers_are_as_many_as_the_jobs_share_allows_unless_they_are_set(
    config: RunConfig, environment: Mapping[str, str], workers: int | None, threads: int | None, expected: int
) -> None:
    assert most_workers(changed(config, workers, threads), environment, on_gpu=False) == expected
    on_gpu = expected if workers else 1
    assert most_workers(changed(config, workers, threads), environment, on_gpu=True) == on_gpu


@pytest.mark.usefixtures("sixteen")
def test_workers_are_no_more_than_memory_and_models_allow(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "machine_memory", lambda: 3 * share.WORKER_BYTES + 1)
    assert most_workers(config, {}, on_gpu=False) == 3
    monkeypatch.setattr(share, "machine_memory", lambda: 1)
    assert most_workers(config, {}, on_gpu=False) == 1
    probe = ProbeSpec("test", ("1",))
    some = [Task(model("gcn", 0)), Task(model("gcn", 1)), Task(model("gcn", 1), probe)]
    assert workers_for(changed(config, 7), some) == 2
    assert workers_for(changed(config, 7), some[1:]) == 1
    assert workers_for(changed(config, 1), some) == 1


def test_without_fork_there_are_no_workers(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "can_fork", lambda: False)
    assert most_workers(config, {}, on_gpu=False) == 1
    assert most_workers(changed(config, 1), {}, on_gpu=False) == 1
    with pytest.raises(UsageError, match="workers=2: this system cannot fork processes; use workers=1"):
        most_workers(changed(config, 2), {}, on_gpu=False)


@pytest.mark.usefixtures("sixteen")
def test_on_macos_there_are_workers_where_they_are_set(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert most_workers(config, {}, on_gpu=False) == 1
    assert most_workers(changed(config, 2), {}, on_gpu=False) == 2


def test_a_run_needs_nothing_that_other_systems_lack() -> None:
    lacked = "signal.SIGUSR1, signal.SIGKILL, signal.SIGCHLD, signal.pthread_kill, os.fork"
    script = f"import os, signal; del {lacked}; import resi.pipeline.run"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_torch_is_asked_for_a_gpu_only_where_there_may_be_one() -> None:
    none, some = {"CUDA_VISIBLE_DEVICES": ""}, {"CUDA_VISIBLE_DEVICES": "0,1"}
    assert [may_be_on_gpu(device, none) for device in ("cpu", "auto", "cuda:1")] == [False, False, True]
    assert [may_be_on_gpu(device, some) for device in ("cpu", "auto", "cuda:1")] == [False, True, True]


SECONDS = {"gcn": 3.0, "graphsage": 2.0, "gat": 10.0}


def simulate(tasks: list[Task], workers: int) -> tuple[float, list[str]]:
    """Return when workers are done that take one task at a time, and the order in which they begin."""
    schedule, running, order = Schedule(), dict.fromkeys(range(workers), (0.0, None)), []
    schedule.add(tasks)
    while len(schedule):
        number = min(running, key=lambda one: running[one][0])
        now, done = running[number]
        if done is not None:
            schedule.took(done, SECONDS[done.model.architecture])
        task = schedule.next()
        order.append(task.model.architecture)
        running[number] = now + SECONDS[task.model.architecture], task
    return max(end for end, _ in running.values()), order


def test_fifteen_models_of_each_architecture_on_any_number_of_workers() -> None:
    tasks = [Task(model(name, seed)) for name in SECONDS for seed in range(15)]
    total = 15 * sum(SECONDS.values())
    for workers in (1, 2, 3, 4, 8, 16):
        end, order = simulate(tasks, workers)
        assert sorted(order) == sorted(15 * list(SECONDS))
        assert total / workers <= end <= total / workers + max(SECONDS.values())
    assert simulate(tasks, 1)[0] == total
    assert simulate(tasks, 2)[0] <= 0.51 * total
    assert simulate(tasks, 16)[0] <= 20  # two of the longest, one after another
    assert set(simulate(tasks, 1)[1][:3]) == set(SECONDS)  # one of each, and then the longest first
    assert simulate(tasks, 1)[1][3:17] == 14 * ["gat"]


def test_models_are_run_when_nothing_is_left_to_train() -> None:
    schedule = Schedule()
    runs = [Task(model("gcn", seed), ProbeSpec("test", ("1",))) for seed in range(3)]
    schedule.add(runs)
    schedule.add([Task(model("gcn", 9))])
    assert schedule.next() == Task(model("gcn", 9))
    assert [schedule.next() for _ in runs] == runs
    assert len(schedule) == 0


@pytest.mark.parametrize(
    ("seconds", "workers", "expected"),
    [([], 4, 0), ([5], 4, 5), ([1] * 16, 16, 1), ([1] * 17, 16, 2), ([3, 3, 2, 2, 2], 2, 7), ([4, 3, 3], 2, 6)],
)
def test_when_workers_are_done(seconds: list[float], workers: int, expected: float) -> None:
    assert makespan(seconds, workers) == expected


def test_a_plan_says_how_long_trainings_take_on_workers(said, tmp_path: Path) -> None:
    words = ["plan", "measure=cka", f"root={tmp_path}", "model=[gcn,graphsage]"]
    code, out, _ = said(*words, "workers=16", "--json")
    assert code == 0
    step = json.loads(out)["steps"][0]
    assert step["workers"] == 16
    plan = make_plan(compose(words[1:]))
    from resi.estimates.rates import Rates

    each = [Rates().training(one).seconds for one in plan.missing_models()]
    assert step["seconds"] == pytest.approx(sum(each))
    # Fifteen of each: one of each on some workers, of the longest at most two.
    assert max(each) <= step["seconds on workers"] <= 2 * max(each)
    assert step["seconds on workers"] == pytest.approx(makespan(each, 16))
    assert "workers" not in json.loads(said(*words, "workers=1", "--json")[1])["steps"][0]
    code, out, _ = said(*words, "workers=2")
    assert "train models: about " in out
    assert " on 2 workers" in out


def test_a_plan_counts_large_models_one_after_another(said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from resi.domains.graph.domain import GraphDomain

    monkeypatch.setattr(GraphDomain, "is_small", lambda _, spec: spec.architecture == "gcn")
    words = ["plan", "measure=cka", f"root={tmp_path}", "workers=15", "--json"]
    both, gcn, other = (
        json.loads(said(*words, f"model={names}")[1])["steps"][0] for names in ("[gcn,gat]", "gcn", "gat")
    )
    assert both["seconds on workers"] == pytest.approx(gcn["seconds"] / 15 + other["seconds"])

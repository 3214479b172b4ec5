"""Measures that compute on the CPU do so beside a GPU, at the same time; here the CPU stands in for both."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import resi
from resi.choices import OnError, Status
from resi.engine import execution
from resi.engine.chance import Null
from resi.engine.execution import Engine
from resi.engine.tiles import all_pairs
from resi.engine.workers import beside, place, stream, workers_beside
from resi.errors import MeasureError
from resi.measures import MEASURES
from resi.measures.base import Measure
from resi.measures.guard import as_failure
from resi.registry import make_measure
from resi.representation import Representation

if TYPE_CHECKING:
    from resi.engine.outcomes import Outcome

CPU = torch.device("cpu")
PATIENCE = 20.0
"""Seconds after which something that has to happen has not."""
NAMES = ("cka", "imd", "jaccard", "permutation_procrustes", "rtd", "uniformity_difference")
ON_CPU = {"imd", "permutation_procrustes", "rtd"}


@pytest.fixture
def split(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let engines take measures that compute on the CPU for such as belong on another device than their own."""
    monkeypatch.setattr(execution, "place", lambda measure, device: torch.device("meta") if measure.on_cpu else device)


def items(count: int = 4, rows: int = 24) -> dict[str, Representation]:
    generator = np.random.default_rng(0)
    arrays = {f"r{i}": torch.from_numpy(generator.normal(size=(rows, 3 + i))) for i in range(count)}
    return {key: Representation(key, tuple(x.shape), "nd", "", lambda x=x: x) for key, x in arrays.items()}


def found(engine: Engine, names: tuple[str, ...] = NAMES) -> list[Outcome]:
    given = items()
    return list(engine.run(all_pairs(list(given), {name: engine.measures[name] for name in names}), given))


def comparable(outcomes: list[Outcome]) -> dict[Any, Any]:
    """Return what outcomes say but for times."""
    return {
        one.task: (one.value, one.status, one.error, one.note, one.chance and one.chance._replace(seconds=0.0))
        for one in outcomes
    }


def engine(**more: Any) -> Engine:
    return Engine({name: make_measure(name, {}) for name in NAMES}, 10**9, CPU, **more)


def test_these_measures_say_that_they_compute_on_the_cpu() -> None:
    stated = {measure.name for measure in MEASURES if measure.on_cpu and measure.benchmark}
    assert stated == {*ON_CPU, "hard_correlation_match"}
    gpu = torch.device("cuda", 1)  # a name; nothing is put there
    assert place(make_measure("rtd", {}), gpu) == CPU
    assert place(make_measure("cka", {}), gpu) == gpu


@pytest.mark.parametrize("null", [None, Null(9)])
@pytest.mark.parametrize("threads", [1, 3])
def test_outcomes_are_those_of_one_engine_after_the_other(split: None, threads: int, null: Null | None) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execution, "place", place)
        expected = comparable(found(engine(threads=threads, null=null)))
    made = found(engine(threads=threads, null=null))
    assert comparable(made) == expected
    assert len(made) == len(expected) == 6 * len(NAMES)


def test_alone_measures_of_the_cpu_have_all_threads(split: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "workers_beside", None)  # nothing is left to serve a GPU
    assert {one.status for one in found(engine(threads=2), ("imd", "rtd"))} == {Status.ok}
    assert {one.status for one in found(engine(threads=2), ("cka", "jaccard"))} == {Status.ok}


def test_one_by_one_keeps_the_order_given(split: None) -> None:
    given = items()
    tasks = all_pairs(list(given), engine().measures)[::-1]
    made = list(engine(one_by_one=True).run(tasks, given))
    assert [outcome.task for outcome in made] == tasks
    assert comparable(made) == comparable(found(engine()))


def test_one_by_one_the_time_of_preparing_is_shared_by_all_comparisons_of_a_representation(split: None) -> None:
    given = items()
    own = engine(one_by_one=True)
    tasks = sorted(all_pairs(list(given), own.measures), key=lambda task: (task.source, task.target))
    shares = [one.prepare_seconds for one in own.run(tasks, given) if one.task.measure not in ON_CPU]
    assert sum(shares) == pytest.approx(sum(own.prepared.seconds.values()))


def test_each_side_has_a_budget_of_its_own(split: None) -> None:
    small = {one.task.measure: one for one in found(engine(main_memory=1000))}
    assert {name for name, one in small.items() if one.status == Status.failed} == ON_CPU
    assert "allows 1 kB" in small["imd"].error
    none_here = dataclasses.replace(engine(main_memory=10**9), memory=1000)
    assert {one.task.measure for one in found(none_here) if one.status == Status.ok} == ON_CPU


@dataclass
class Waiting(Measure):
    """Waits for something to happen, and makes something happen."""

    awaited: Any = None
    happens: Any = None

    name = "waiting"
    larger_is_more_similar = True

    def compare(self, a: Any, b: Any) -> float:
        if self.happens is not None:
            self.happens.set()
        if self.awaited is not None and not self.awaited.wait(PATIENCE):
            raise TimeoutError("what it waited for did not happen")
        return 1.0


class WaitingOnCPU(Waiting):
    name = "waiting_on_cpu"
    on_cpu = True


def test_both_sides_compute_at_the_same_time(split: None) -> None:
    one, other = threading.Event(), threading.Event()
    both = {"waiting": Waiting(one, other), "waiting_on_cpu": WaitingOnCPU(other, one)}
    made = found(Engine(both, 10**9, CPU, threads=2), tuple(both))
    assert {outcome.value for outcome in made} == {1.0}, [outcome.error for outcome in made]


class Broken(Measure):
    name = "broken"
    larger_is_more_similar = True

    def compare(self, a: Any, b: Any) -> float:
        raise RuntimeError("out of luck")


class BrokenOnCPU(Broken):
    name = "broken_on_cpu"
    on_cpu = True


@pytest.mark.parametrize("broken", [Broken(), BrokenOnCPU()])
def test_an_error_of_either_side_ends_both(split: None, broken: Measure) -> None:
    both = {broken.name: broken, "imd": make_measure("imd", {}), "cka": make_measure("cka", {})}
    with pytest.raises(RuntimeError, match="out of luck"):
        found(Engine(both, 10**9, CPU, on_error=OnError.raise_), tuple(both))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("resi")]
    recorded = found(Engine(both, 10**9, CPU), tuple(both))
    assert {one.task.measure for one in recorded if one.status == Status.failed} == {broken.name}


def test_what_waits_is_not_begun_after_an_error() -> None:
    begun: list[int] = []
    release = threading.Event()

    def work(number: int) -> Iterator[int]:
        begun.append(number)
        release.wait(PATIENCE)
        time.sleep(0.05)  # all of them take seconds, in which the error is known on the busiest machine
        yield number

    def here() -> Iterator[int]:
        while not begun:
            yield -1
        release.set()
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"), workers_beside(2, 100) as pool:
        list(beside(here(), stream(work, range(100), pool), pool))
    assert len(begun) < 100


def test_a_piece_that_hangs_does_not_keep_ctrl_c_waiting() -> None:
    began, release = threading.Event(), threading.Event()

    def hang(number: int) -> Iterator[int]:
        began.set()
        release.wait(PATIENCE)
        yield number

    def here() -> Iterator[int]:
        assert began.wait(PATIENCE)
        raise KeyboardInterrupt
        yield 0

    try:
        with pytest.raises(KeyboardInterrupt), workers_beside(2, 9) as pool:
            list(beside(here(), stream(hang, range(9), pool), pool))
        assert not release.is_set()
        assert any(thread.name.startswith("resi") for thread in threading.enumerate())
    finally:
        release.set()


def test_a_measure_that_computes_with_numpy_on_a_gpu_learns_what_to_state() -> None:
    said = TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor first.")
    failure = as_failure(Broken(), said)
    assert isinstance(failure, MeasureError)
    assert "on_cpu = True" in str(failure)
    assert as_failure(Broken(), other := TypeError("something else")) is other


def test_a_function_states_where_it_computes() -> None:
    def share(R: Any, S: Any) -> float:
        return float(np.mean(np.abs(R.numpy() - S.numpy()) < 1))

    share.larger_is_more_similar = True  # type: ignore[attr-defined]
    share.on_cpu = True  # type: ignore[attr-defined]
    R = np.zeros((5, 2))
    assert resi.compare(R, R, share) == 1.0

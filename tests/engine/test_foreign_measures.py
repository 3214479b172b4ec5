"""Measures of other packages reach nothing but their own comparisons, whatever they do."""

from __future__ import annotations

import itertools
import sys
import threading
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

import resi
from resi import registry
from resi.choices import OnError
from resi.engine.execution import Engine
from resi.engine.tiles import all_pairs
from resi.errors import DegenerateInputError, MeasureError
from resi.measures.base import Measure
from resi.measures.guard import Guarded
from resi.measures.shared import intermediates
from resi.registry import make_measure
from resi.representation import Representation

if TYPE_CHECKING:
    from resi.engine.outcomes import Outcome

CPU = torch.device("cpu")
BESIDE = ("aligned_cosine", "cka", "permutation_procrustes")


def arrays(count: int = 4, rows: int = 30, width: int = 4) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {f"r{i}": generator.normal(size=(rows, width)) + 1 for i in range(count)}


def run(measures: dict[str, Measure], given: dict[str, np.ndarray], threads: int = 1, **options) -> list[Outcome]:
    items = {
        key: Representation(key, array.shape, "nd", "", lambda array=array: torch.as_tensor(array))
        for key, array in given.items()
    }
    return list(Engine(measures, 10**9, CPU, threads, **options).run(all_pairs(list(items), measures), items))


@dataclass
class Own(Measure):
    """Compares norms, and does what a subclass adds."""

    name = "own"
    larger_is_more_similar = False

    def compare(self, a, b):
        return abs(float(a.norm()) - float(b.norm()))


class WritesWithTorch(Own):
    def compare(self, a, b):
        return float(a.sub_(a.mean(0)).norm() - b.norm())


class WritesWithNumpy(Own):
    def compare(self, a, b):
        b.numpy()[:] -= 1
        return super().compare(a, b)


class SortsColumns(Own):
    def compare(self, a, b):
        a.numpy().sort(axis=0)  # leaves every sum over a column as it is
        return super().compare(a, b)


class WritesWhilePreparing(Own):
    def prepare(self, x):
        return x.matrix.sub_(x.matrix.mean(0))


class WritesToSharedIntermediates(Own):
    def prepare(self, x):
        return x.shared(intermediates.centred).mul_(2)


class WritesToSharedIntermediatesLater(Own):
    def prepare(self, x):
        return x

    def compare(self, a, b):
        a.shared(intermediates.centred).numpy()[0] = 0
        return float(b.shared(intermediates.centred).norm())


class WritesToItsState(Own):
    def prepare(self, x):
        return {"rows": [x.matrix.mean(0).numpy()]}

    def compare(self, a, b):
        a["rows"][0] += 1
        return float(b["rows"][0].sum())


class WritesToProducts(Own):
    def prepare(self, x):
        return x

    def compare(self, a, b):
        return float(a.shared_with(b, intermediates.centred_cross).square_().sum())


class WritesWhileNoting(Own):
    def note(self, a, b):
        a.add_(1)
        return ""


class WritesTogether(Own):
    def compare_many(self, states, pairs, spread):
        return list(spread(lambda pair: float(states[pair[0]].add_(1).sum()), pairs))


WRITERS = [
    WritesWithTorch,
    WritesWithNumpy,
    SortsColumns,
    WritesWhilePreparing,
    WritesToSharedIntermediates,
    WritesToSharedIntermediatesLater,
    WritesToItsState,
    WritesToProducts,
    WritesWhileNoting,
    WritesTogether,
]


@pytest.mark.parametrize("rows", [30, 3000])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_measure_that_writes_to_its_input_fails_alone(writer: type[Own], threads: int, rows: int) -> None:
    given = arrays(rows=rows)
    before = {key: array.copy() for key, array in given.items()}
    beside = {name: make_measure(name, {}) for name in BESIDE}
    alone = {outcome.task: outcome.value for outcome in run(beside, given)}
    for outcome in run({"own": writer(), **beside}, given, threads):
        if outcome.task.measure == "own":
            assert outcome.status == "failed"
            assert outcome.error.startswith("MeasureError: own writes to its input")
        else:
            assert outcome.value == alone[outcome.task]
    assert all(np.array_equal(given[key], before[key]) for key in given)


@pytest.mark.parametrize("writer", WRITERS[:-2])
def test_a_measure_that_writes_does_not_reach_the_callers_arrays(writer: type[Own]) -> None:
    R, S = arrays(2).values()
    for one, other in ((R, S), (torch.from_numpy(R), torch.from_numpy(S))):
        before = R.copy(), S.copy()
        with pytest.raises(MeasureError, match="own writes to its input"):
            writer().evaluate(one, other)
        assert np.array_equal(R, before[0])
        assert np.array_equal(S, before[1])


def test_tensors_of_inference_mode_are_compared_by_any_measure() -> None:
    with torch.inference_mode():
        R, S = torch.ones(4, 2), torch.zeros(4, 2)
        assert Own().evaluate(R, S) == pytest.approx(8**0.5)
        assert resi.compare(torch.eye(4), torch.eye(4)) == 1


@pytest.mark.parametrize(
    "name", [name for name in registry.measures() if registry.measures().get(name).family != "topology"]
)
def test_built_in_measures_write_to_nothing(name: str) -> None:
    measure = make_measure(name, {})
    features = [Guarded(torch.as_tensor(array), torch.float32) for array in arrays(3, rows=25, width=5).values()]
    states = [measure.prepare(x) for x in features]
    for x, state in zip(features, states, strict=True):
        x.check(measure)
        x.mark(state)
    for one, other in itertools.permutations(states, 2):
        measure.compare(one, other)
    measure.compare_many(states, [(0, 1), (0, 2), (1, 2)], map)
    for x in features:
        x.check(measure)


@dataclass
class Leaves(Own):
    """Ends the program, while preparing or comparing."""

    while_preparing: bool = False

    def prepare(self, x):
        if self.while_preparing:
            sys.exit(0)
        return x.matrix

    def compare(self, a, b):
        sys.exit(0)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("while_preparing", [True, False])
def test_leaving_the_program_is_a_failed_comparison(while_preparing: bool, threads: int) -> None:
    measures = {"own": Leaves(while_preparing), "cka": make_measure("cka", {})}
    found = run(measures, arrays(), threads)
    errors = {outcome.error for outcome in found if outcome.task.measure == "own"}
    assert errors == {
        "MeasureError: own tried to end the program (SystemExit: 0); a measure has to return a number or raise an error"
    }
    assert {outcome.status for outcome in found if outcome.task.measure == "cka"} == {"ok"}
    with pytest.raises(MeasureError, match="own tried to end the program"):
        run(measures, arrays(), threads, on_error=OnError.raise_)
    with pytest.raises(MeasureError, match="own tried to end the program"):
        measures["own"].evaluate(*arrays(2).values())


def test_ctrl_c_in_a_measure_ends_the_run() -> None:
    class Interrupted(Own):
        def compare(self, a, b):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run({"own": Interrupted()}, arrays())


@dataclass
class Warns(Own):
    """Warns of every array by its first number, and of every pair."""

    together: bool = False

    def prepare(self, x):
        if x.matrix[0, 0] > 1:
            warnings.warn("begins with\na large number", RuntimeWarning, stacklevel=1)
        return x.matrix

    def compare(self, a, b):
        warnings.warn("of no interest here", DeprecationWarning, stacklevel=1)
        if a[0, 0] > b[0, 0]:
            for _ in range(3):
                np.log(np.zeros(1))
        return 1.0

    def note(self, a, b):
        return "always one" if a[0, 0] > 1 else ""

    def compare_many(self, states, pairs, spread):
        one_by_one = [None] * len(pairs)
        return (
            list(spread(lambda pair: self.compare(*(states[i] for i in pair)), pairs)) if self.together else one_by_one
        )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
def test_warnings_are_notes_of_the_comparisons_that_they_are_about(
    threads: int, together: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    given = arrays(6)
    state = warnings.filters[:], warnings.showwarning
    found = {tuple(outcome.task[:2]): outcome for outcome in run({"own": Warns(together)}, given, threads)}
    assert (warnings.filters[:], warnings.showwarning) == state
    assert capfd.readouterr().err == ""
    first = {key: array[0, 0] for key, array in given.items()}
    for (source, target), outcome in found.items():
        expected = ["always one"] if first[source] > 1 else []
        if first[source] > 1 or first[target] > 1:
            expected.append("RuntimeWarning: begins with a large number")
        if first[source] > first[target]:
            expected.append("RuntimeWarning: divide by zero encountered in log")
        assert outcome.note == "; ".join(expected)
        assert outcome.value == 1
    assert len({outcome.note for outcome in found.values()}) > 2


def test_warnings_of_other_threads_are_shown_as_before() -> None:
    begun, warned = threading.Event(), threading.Event()

    class Waits(Own):
        def compare(self, a, b):
            begun.set()
            warned.wait(10)
            warnings.warn("of the measure", UserWarning, stacklevel=1)
            return 1.0

    def beside() -> None:
        begun.wait(10)
        for _ in range(3):
            warnings.warn("of another thread", UserWarning, stacklevel=1)
        warned.set()

    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        thread = threading.Thread(target=beside)
        thread.start()
        (outcome,) = run({"own": Waits()}, arrays(2))
        thread.join()
    assert outcome.note == "UserWarning: of the measure"
    assert [str(warning.message) for warning in shown] == ["of another thread"]


def test_a_measure_has_no_say_in_what_resi_itself_reports() -> None:
    class Undefined(Own):
        def prepare(self, x):
            raise DegenerateInputError("nothing to see")

    (outcome,) = run({"own": Undefined()}, arrays(2))
    assert (outcome.status, outcome.error) == ("undefined", "R: nothing to see")

"""What chance alone gives: the same as permuting, preparing and comparing by hand, for all pairs, in any way."""

from __future__ import annotations

import functools
import math
import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from resi.engine.chance import Null, stands_out
from resi.engine.execution import Engine
from resi.engine.isolation import IsolatedEngine
from resi.engine.tiles import all_pairs
from resi.errors import DegenerateInputError, UsageError
from resi.measures.base import Measure
from resi.registry import make_measure
from resi.representation import Representation

CPU = torch.device("cpu")


@dataclass
class Foreign(Measure):
    """What somebody else might write: no more than a call."""

    name = "foreign"
    larger_is_more_similar = False
    symmetric = False

    def __call__(self, R, S, shape="nd"):
        return float((R[:, :3] - S[:, :3]).abs().sum())


@dataclass
class Picky(Measure):
    """Has a value for samples in one order only."""

    name = "picky"
    larger_is_more_similar = True

    def compare(self, a, b):
        if b[0, 0] != FIRST[tuple(b.shape)]:
            raise DegenerateInputError("not these")
        return 1.0


@dataclass
class Together(Foreign):
    """Permutes many pairs at once, and gives up at one that it cannot."""

    name = "together"

    def permuted_values(self, states, pairs, orders, spread):
        if any(len(states[other][0]) == 4 for _, other in pairs):
            raise ZeroDivisionError("not 4 columns")
        return [torch.stack([self.compare(states[a], states[b][order]) for order in orders]) for a, b in pairs]

    def compare(self, a, b):
        return (a[:, :3] - b[:, :3]).abs().sum()


FIRST: dict[tuple[int, ...], float] = {}
Foreign.__module__ = "somewhere_else"


def wrap(arrays):
    return {k: Representation(k, v.shape, "nd", "", lambda v=v: torch.as_tensor(v)) for k, v in arrays.items()}


def outcomes(measures, arrays, null, threads=1, memory=10**9):
    items = wrap(arrays)
    tasks = all_pairs(list(items), measures)
    return {o.task: o for o in Engine(measures, memory, CPU, threads, null=null).run(tasks, items)}


@pytest.fixture(scope="module")
def arrays():
    draws = np.random.default_rng(0)
    return {f"r{i}": draws.normal(size=(12, 4 + i)) for i in range(4)}


@pytest.mark.parametrize("threads", [1, 3])
def test_a_measure_by_anybody_is_permuted_prepared_and_compared(arrays, threads):
    null = Null(19, seed=3, keep=True)
    measure = Foreign()
    found = outcomes({"foreign": measure}, arrays, null, threads)
    assert len(found) == 12
    for task, outcome in found.items():
        R, S = arrays[task.source], arrays[task.target]
        values = [np.abs(R[:, :3] - S[null.order(12, number), :3]).sum() for number in range(19)]
        assert outcome.chance.values == pytest.approx(values, rel=1e-12)
        assert outcome.chance.mean == pytest.approx(np.mean(values))
        assert outcome.chance.p_value == (1 + sum(v <= outcome.value for v in values)) / 20
        assert outcome.chance.quantile == pytest.approx(sorted([*values, outcome.value])[1])


def test_little_memory_changes_nothing(arrays):
    measures = {"foreign": Foreign()}
    plain = outcomes(measures, arrays, Null(7))
    little = outcomes(measures, arrays, Null(7), memory=5000)
    assert {t: o.chance[:4] for t, o in plain.items()} == {t: o.chance[:4] for t, o in little.items()}


def test_a_separate_process_finds_the_same(arrays):
    items = {key: Representation(key, x.shape, "nd", "", functools.partial(np.copy, x)) for key, x in arrays.items()}
    measures = {"cka": make_measure("cka", {})}
    tasks = all_pairs(list(items), measures)
    engine = IsolatedEngine(measures, 10**9, CPU, 1, null=Null(5, blocks=(0, 1, 2) * 4))
    try:
        found = {outcome.task: outcome.chance[:4] for outcome in engine.run(tasks, items)}
    finally:
        engine.close()
    plain = Engine(measures, 10**9, CPU, 1, null=Null(5, blocks=(0, 1, 2) * 4)).run(tasks, items)
    assert found == {outcome.task: outcome.chance[:4] for outcome in plain}


def test_permuted_samples_without_a_value_are_told(arrays, monkeypatch):
    monkeypatch.setitem(globals(), "FIRST", {x.shape: x[0, 0] for x in arrays.values()})
    outcome = next(iter(outcomes({"picky": Picky()}, arrays, Null(4)).values()))
    assert outcome.value is not None
    assert outcome.chance is None
    assert "there is none for permuted samples: DegenerateInputError: not these" in outcome.note


def test_a_pair_that_cannot_be_permuted_does_not_cost_those_beside_it(arrays):
    null = Null(19)
    found = outcomes({"together": Together()}, arrays, null)
    by_hand = outcomes({"foreign": Foreign()}, arrays, null)
    for task, outcome in found.items():
        if task.target == "r0":
            assert outcome.chance is None
            assert "ZeroDivisionError: not 4 columns" in outcome.note
        else:
            assert outcome.chance[:3] == pytest.approx(by_hand[task._replace(measure="foreign")].chance[:3])


def test_orders_depend_on_nothing_else_and_the_first_are_the_same_for_any_number():
    few, many = Null(3, seed=1), Null(50, seed=1)
    assert [few.order(9, n).tolist() for n in range(3)] == [many.order(9, n).tolist() for n in range(3)]
    assert few.order(9, 0).tolist() != Null(3, seed=2).order(9, 0).tolist()
    assert pickle.loads(pickle.dumps(many)) == many
    assert Null(3, seed=1, blocks=(4,) * 9).order(9, 2).tolist() == few.order(9, 2).tolist()


def test_samples_change_places_within_their_block():
    blocks = (1, 0, 1, 0, 1, 2)
    null = Null(60, blocks=blocks)
    seen = {tuple(null.order(6, number).tolist()) for number in range(60)}
    assert all([blocks[i] for i in order] == list(blocks) for order in seen)
    assert len(seen) == math.factorial(3) * math.factorial(2) == null.possible(6)


def test_what_cannot_be_permuted_is_refused():
    with pytest.raises(UsageError, match="null=0: expected the number of permutations"):
        Null(0)
    with pytest.raises(UsageError, match="in its own block"):
        Null(3, blocks=(0, 1, 2))
    with pytest.raises(UsageError, match="3 labels for 4 samples"):
        Null(3, blocks=(0, 0, 1)).order(4, 0)


def test_equal_values_count_as_at_least_as_similar():
    exact = stands_out(0.3, [0.1 + 0.2] * 3 + [0.1] * 16, larger_is_more_similar=True, best=1.0)
    assert exact.p_value == 4 / 20
    assert exact.calibrated == 0
    other_way = stands_out(0.1 + 0.2, [0.3] * 3 + [0.9], larger_is_more_similar=False, best=0.0)
    assert other_way.p_value == 4 / 5


def test_the_calibrated_value_is_the_share_of_the_way_from_threshold_to_best():
    values = np.linspace(0, 0.5, 199)
    found = stands_out(0.8, values, larger_is_more_similar=True, best=1.0)
    threshold = values[189]  # the 190th of 200
    assert found.quantile == threshold
    assert found.calibrated == pytest.approx((0.8 - threshold) / (1 - threshold))
    assert found.p_value == 1 / 200
    mirrored = stands_out(0.2, 1 - values, larger_is_more_similar=False, best=0.0)
    assert mirrored.calibrated == pytest.approx(found.calibrated)
    assert mirrored.quantile == pytest.approx(1 - threshold)
    unknown = stands_out(0.8, values, larger_is_more_similar=None)
    assert unknown == (pytest.approx(values.mean()), *[None] * 8, 0.0, "")


def test_what_has_no_calibrated_value_says_why():
    enough = [0.1] * 19
    for value, permuted, best, calibrated, missing in (
        (0.9, enough, 1.0, pytest.approx(0.8 / 0.9), ""),
        (1.0, [0.1] * 18, 1.0, None, "18 permutations are too few, 19 are needed"),
        (0.9, enough, None, None, "not known which value is the best"),
        (1.0, [1.0] * 19, 1.0, None, "chance alone reaches the best value"),
    ):
        found = stands_out(value, permuted, larger_is_more_similar=True, best=best)
        assert found.calibrated == calibrated
        assert bool(found.missing) == bool(missing)
        assert missing in found.missing

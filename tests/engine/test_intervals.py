"""Intervals over samples: drawn, prepared and compared by hand, and how often they hold the expected value."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from resi.choices import OnError
from resi.engine.execution import Engine
from resi.engine.intervals import Bootstrap, interval, replicated
from resi.engine.tiles import Task, all_pairs
from resi.errors import UsageError
from resi.measures.base import Measure
from resi.measures.kernel import CKA
from resi.measures.neighbours import Jaccard
from resi.measures.regression import LinearRegression
from resi.measures.rsa import RSA
from resi.representation import Representation

CPU = torch.device("cpu")


@dataclass
class Foreign(Measure):
    """What somebody else might write: no more than a call, which fails where a chosen sample is missing."""

    name = "foreign"
    larger_is_more_similar = False
    symmetric = False
    missing: float = 1e9

    def __call__(self, R, S, shape="nd"):
        if self.missing < 1e9 and not (R == self.missing).any():
            raise KeyError("the sample is missing")
        return float((R[:, 0] - S[:, 0]).abs().mean())


Foreign.__module__ = "somewhere_else"


def outcomes(measures, arrays, bootstrap, *, threads=1, memory=10**9, layout="nd", tasks=None, on_error=OnError.record):
    items = {k: Representation(k, v.shape, layout, "", lambda v=v: torch.as_tensor(v)) for k, v in arrays.items()}
    tasks = all_pairs(list(items), measures) if tasks is None else tasks
    engine = Engine(measures, memory, CPU, threads, on_error, bootstrap=bootstrap)
    return {o.task: o for o in engine.run(tasks, items)}


@pytest.fixture(scope="module")
def arrays():
    draws = np.random.default_rng(0)
    latent = draws.normal(size=(30, 3))
    return {f"r{i}": latent @ draws.normal(size=(3, 3 + i)) + 0.5 * draws.normal(size=(30, 3 + i)) for i in range(3)}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("measure", [Foreign(), CKA(), RSA(), Jaccard(k=3), LinearRegression()], ids=lambda m: m.name)
def test_samples_are_drawn_prepared_and_compared(arrays, measure, threads):
    bootstrap = Bootstrap(40, seed=3, keep=True)
    counts = bootstrap.counts(30, range(40), measure.copies).numpy()
    for task, outcome in outcomes({measure.name: measure}, arrays, bootstrap, threads=threads).items():
        R, S = arrays[task.source], arrays[task.target]
        drawn = [measure.evaluate(*(np.repeat(X, count, axis=0) for X in (R, S))) for count in counts]
        factor = np.sqrt(30 / 29) if measure.copies else 1.0
        power = {"foreign": 1, "jaccard": 0.5}.get(measure.name, 0)
        factor *= (outcome.value / np.mean(drawn)) ** power
        expected = outcome.value + factor * (np.array(drawn) - np.mean(drawn))
        assert outcome.interval.replicates == pytest.approx(expected, rel=1e-6)
        assert outcome.interval.error == pytest.approx(np.std(expected, ddof=1), rel=1e-6)
        assert outcome.interval.low < outcome.value < outcome.interval.high
        assert outcome.interval.units == 30


def test_little_memory_changes_nothing(arrays):
    measures = {"foreign": Foreign(), "cka": CKA(), "rsa": RSA(), "linear_regression": LinearRegression()}
    plain = outcomes(measures, arrays, Bootstrap(40))
    little = outcomes(measures, arrays, Bootstrap(40), memory=160_000)
    assert plain.keys() == little.keys()
    for task, outcome in plain.items():
        assert outcome.interval[:4] == pytest.approx(little[task].interval[:4], rel=1e-9)
        assert outcome[:4] == little[task][:4]


def test_cka_of_many_draws_is_that_of_each():
    draws = np.random.default_rng(1)
    for n_samples, widths in ((25, (3, 4)), (25, (12, 40))):
        latent = draws.normal(size=(n_samples, 3))
        sides = [latent @ draws.normal(size=(3, w)) + draws.normal(size=(n_samples, w)) + 9 for w in widths]
        arrays = dict(zip("ab", sides, strict=True))
        kept = Bootstrap(40, keep=True)
        (fast,) = outcomes({"cka": CKA()}, arrays, kept, tasks=[Task("a", "b", "cka")]).values()

        class Plain(CKA):
            resampled_values = Measure.resampled_values

        (slow,) = outcomes({"cka": Plain()}, arrays, kept, tasks=[Task("a", "b", "cka")]).values()
        assert fast.interval.replicates == pytest.approx(slow.interval.replicates, rel=1e-10)


def test_tokens_of_a_sample_are_drawn_together():
    draws = np.random.default_rng(2)
    arrays = {name: draws.normal(size=(12, 5, 2)) for name in "ab"}
    kept = Bootstrap(40, keep=True)
    tasks = [Task("a", "b", "cka"), Task("a", "b", "foreign")]
    found = outcomes({"cka": CKA(), "foreign": Foreign()}, arrays, kept, layout="ntd", tasks=tasks)
    rows = {name: X.reshape(60, 2) for name, X in arrays.items()}
    of_rows = Bootstrap(40, keep=True, blocks=tuple(np.repeat(range(12), 5)))
    same = outcomes({"cka": CKA(), "foreign": Foreign()}, rows, of_rows, tasks=tasks)
    for task in tasks:
        assert found[task].interval.replicates == pytest.approx(same[task].interval.replicates)
        assert found[task].interval.units == same[task].interval.units == 12


def test_draws_are_copies_or_halves_and_depend_on_nothing_else():
    few, many = Bootstrap(40, seed=1), Bootstrap(500, seed=1)
    for copies in (True, False):
        counts = few.counts(9, range(6), copies)
        assert counts.equal(many.counts(9, range(6), copies))
        assert counts[3:].equal(few.counts(9, range(3, 6), copies))
        assert not counts.equal(Bootstrap(40, seed=2).counts(9, range(6), copies))
    assert few.counts(9, range(40), True).sum(1).tolist() == [9] * 40
    halves = few.counts(9, range(40), False)
    assert halves.max() == 1
    assert halves.sum(1).tolist() == [4] * 40
    assert (halves[::2] + halves[1::2]).max() == 1
    blocks = Bootstrap(40, blocks=(*range(8), 0, 1))
    assert (blocks.counts(10, range(40), True)[:, :2] == blocks.counts(10, range(40), True)[:, 8:]).all()
    assert pickle.loads(pickle.dumps(many)) == many


def test_what_cannot_be_drawn_is_refused_or_noted(arrays):
    with pytest.raises(UsageError, match="bootstrap=3: expected the number of draws"):
        Bootstrap(3)
    with pytest.raises(UsageError, match="blocks: 3 blocks do not show"):
        Bootstrap(40, blocks=(0, 1, 2))
    with pytest.raises(UsageError, match="8 labels for 9 samples"):
        Bootstrap(40, blocks=tuple(range(8))).counts(9, range(1), True)
    few = {name: X[:6] for name, X in arrays.items()}
    for outcome in outcomes({"cka": CKA()}, few, Bootstrap(40)).values():
        assert outcome.value is not None
        assert outcome.interval is None
        assert "6 samples are too few" in outcome.note
    wide = {name: np.random.default_rng(len(name)).normal(size=(30, 14)) for name in ("a", "bb")}
    for outcome in outcomes({"linear_regression": LinearRegression()}, wide, Bootstrap(40)).values():
        assert outcome.interval is None
        assert "values of half the 30 samples say little" in outcome.note


def test_a_measure_that_fails_on_a_draw_says_so(arrays):
    measure = Foreign(missing=float(arrays["r0"][4, 0]))
    task = Task("r0", "r1", "foreign")
    (outcome,) = outcomes({"foreign": measure}, arrays, Bootstrap(40), tasks=[task]).values()
    assert outcome.value is not None
    assert outcome.interval is None
    assert "no interval, as there is no value of the samples drawn: KeyError: 'the sample is missing'" in outcome.note
    with pytest.raises(KeyError):
        outcomes({"foreign": measure}, arrays, Bootstrap(40), tasks=[task], on_error=OnError.raise_)


def test_draws_without_a_value_are_left_out_unless_they_are_many():
    drawn = np.random.default_rng(0).normal(size=50)
    drawn[:10] = np.nan
    replicates = replicated(5.0, drawn, 100, copies=True)
    assert np.isnan(replicates[:10]).all()
    assert np.nanmean(replicates) == pytest.approx(5)
    assert interval(5.0, replicates, 100).error == pytest.approx(np.nanstd(replicates, ddof=1))
    drawn[:11] = np.nan
    assert interval(5.0, replicated(5.0, drawn, 100, copies=True), 100) is None


@pytest.mark.parametrize(("value", "larger"), [(0.98, True), (0.02, False), (0.001, False), (1.0, True)])
def test_no_limit_is_beyond_the_best_value(value, larger):
    best = 1.0 if larger else 0.0
    found = interval(value, value + 0.01 * np.random.default_rng(0).normal(size=1000), 200, best, larger)
    assert found.low <= value <= found.high
    assert found.high <= 1 if larger else found.low >= 0
    assert interval(best, np.full(100, best), 50, best, larger)[:3] == (best, best, 0)


def test_intervals_of_values_and_of_differences_hold_the_expected_ones():
    draws = np.random.default_rng(5)
    maps = [draws.normal(size=(4, 5)) for _ in range(3)]

    def sampled():
        latent = draws.normal(size=(100, 4))
        return {name: latent @ by + 1.5 * draws.normal(size=(100, 5)) for name, by in zip("abc", maps, strict=True)}

    measures = {"cka": CKA(), "linear_regression": LinearRegression()}
    tasks = [Task("a", other, name) for name in measures for other in "bc"]
    expected = {task: 0.0 for task in tasks}
    for _ in range(150):
        for task, outcome in outcomes(measures, sampled(), None, tasks=tasks).items():
            expected[task] += outcome.value / 150
    held = {name: [] for name in ("cka", "linear_regression", "difference")}
    for study in range(40):
        found = outcomes(measures, sampled(), Bootstrap(40, seed=study, keep=True), tasks=tasks)
        for task, outcome in found.items():
            held[task.measure].append(outcome.interval.low <= expected[task] <= outcome.interval.high)
        one, other = found[tasks[0]], found[tasks[1]]
        apart = np.subtract(one.interval.replicates, other.interval.replicates)
        limits = interval(one.value - other.value, apart, 100)
        held["difference"].append(limits.low <= expected[tasks[0]] - expected[tasks[1]] <= limits.high)
    for name, shares in held.items():
        # Of 40 or 80 studies, 95 % are at least so many but once in a thousand times.
        assert np.mean(shares) >= 0.82, name
    assert np.mean(np.concatenate(list(held.values()))) < 1

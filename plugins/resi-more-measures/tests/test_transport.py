"""Optimal transport against linear programs and all permutations."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from resi_more_measures import gromov
from resi_more_measures.gromov import GromovWasserstein
from resi_more_measures.transport import SemiMatchingCorrelation, SoftMatchingCorrelation, SoftMatchingDistance
from scipy.optimize import linprog

import resi
from resi.errors import DegenerateInputError, MeasureError

Pair = tuple[np.ndarray, np.ndarray]


def cheapest(costs: np.ndarray) -> float:
    """Return the least cost of moving equal shares of rows onto equal shares of columns, as a linear program."""
    rows, columns = costs.shape
    sums = np.vstack([np.kron(np.eye(rows), np.ones(columns)), np.kron(np.ones(rows), np.eye(columns))])
    totals = np.concatenate([np.full(rows, 1 / rows), np.full(columns, 1 / columns)])
    return float(linprog(costs.ravel(), A_eq=sums, b_eq=totals, method="highs").fun)


def squares(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.array([[np.sum((a - b) ** 2) for b in second.T] for a in first.T])


def correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.array([[np.corrcoef(a, b)[0, 1] for b in second.T] for a in first.T])


@pytest.mark.parametrize("which", ["pair", "wide_pair"])
def test_soft_matching_solves_the_linear_program(which: str, request: pytest.FixtureRequest) -> None:
    pair: Pair = request.getfixturevalue(which)
    assert SoftMatchingDistance()(*pair) == pytest.approx(math.sqrt(cheapest(squares(*pair))), rel=1e-9)
    first, second = (matrix - matrix.mean(0) for matrix in pair)
    expected = math.sqrt(cheapest(squares(first, second)))
    assert SoftMatchingDistance(centred=True)(*pair) == pytest.approx(expected, rel=1e-9)
    assert SoftMatchingCorrelation()(*pair) == pytest.approx(-cheapest(-correlations(*pair)), rel=1e-9)


def test_of_equal_widths_it_is_the_best_permutation(rng: np.random.Generator) -> None:
    first, second = rng.normal(size=(8, 5)) + 2, rng.normal(size=(8, 5))
    orders = [list(order) for order in itertools.permutations(range(5))]
    expected = min(np.linalg.norm(first[:, order] - second) for order in orders) / math.sqrt(5)
    assert SoftMatchingDistance()(first, second) == pytest.approx(expected, rel=1e-9)
    built_in = resi.compare(first, second, measure="permutation_procrustes") / math.sqrt(5)
    assert SoftMatchingDistance()(first, second) == pytest.approx(built_in, rel=1e-9)
    best = max(np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(first[:, o].T, second.T, strict=True)]) for o in orders)
    assert SoftMatchingCorrelation()(first, second) == pytest.approx(best, rel=1e-9)


def test_copies_of_neurons_do_not_count(pair: Pair) -> None:
    first, second = pair
    assert SoftMatchingDistance()(np.tile(first, 3), first) == 0
    assert SoftMatchingCorrelation()(np.tile(first, 3), first) == pytest.approx(1, abs=1e-12)
    doubled = SoftMatchingDistance()(np.tile(first, 2), second)
    assert doubled == pytest.approx(SoftMatchingDistance()(first, second), rel=1e-9)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_small_soft_matching_distances_keep_their_digits(pair: Pair, offset: float) -> None:
    first = pair[0] + offset
    moved = first[:, ::-1].copy()
    moved[3, 4] += 2.0**-20
    assert SoftMatchingDistance()(first, moved) == pytest.approx(2.0**-20 / math.sqrt(12), rel=1e-6)


def test_units_of_the_features(pair: Pair) -> None:
    first, second = pair
    value = SoftMatchingDistance()(first, second)
    assert SoftMatchingDistance()(1e170 * first, 1e170 * second) == pytest.approx(1e170 * value, rel=1e-9)
    alone = math.sqrt(np.mean(np.sum(first**2, 0)))
    assert SoftMatchingDistance()(1e170 * first, second) == pytest.approx(1e170 * alone, rel=1e-9)


def test_semi_matching_takes_the_best_partner_of_each(pair: Pair) -> None:
    found = correlations(*pair)
    assert SemiMatchingCorrelation()(*pair) == pytest.approx(found.max(1).mean(), rel=1e-9)
    assert SemiMatchingCorrelation()(*pair[::-1]) == pytest.approx(found.max(0).mean(), rel=1e-9)
    both = (found.max(1).mean() + found.max(0).mean()) / 2
    assert resi.compare(*pair, measure="soft_correlation_match") == pytest.approx(both, rel=1e-9)


@pytest.mark.parametrize("measure", [SemiMatchingCorrelation, SoftMatchingCorrelation])
def test_constant_neurons_are_left_out_and_counted(measure: type[resi.Measure], pair: Pair) -> None:
    first, second = pair
    dead = np.hstack([first, np.full((40, 2), 7.0)])
    assert measure()(dead, second) == pytest.approx(measure()(first, second), rel=1e-12)
    table = resi.pairwise({"dead": dead, "second": second}, measures=[measure()])
    assert "neurons that are constant are left out: 2 of 14 of R" in table["note"][0]


@pytest.mark.filterwarnings("ignore:numItermax reached")
def test_a_transport_that_is_not_solved_is_an_error(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    import ot

    def unsolved(*arguments: Any, **options: Any) -> Any:
        options["numItermax"] = 1
        return solve(*arguments, **options)

    solve = ot.emd
    monkeypatch.setattr(ot, "emd", unsolved)
    with pytest.raises(MeasureError, match="soft_matching_distance: the optimal transport of 12 to 7 units"):
        SoftMatchingDistance()(*pair)


def distances(matrix: np.ndarray) -> np.ndarray:
    found = np.array([[np.linalg.norm(a - b) for b in matrix] for a in matrix])
    return found / math.sqrt(np.mean(found**2))


def gromov_cost(first: np.ndarray, second: np.ndarray, order: tuple[int, ...]) -> float:
    """Return the root of the cost of a permutation, by its four sums."""
    count, total = len(first), 0.0
    for i, j in itertools.product(range(count), repeat=2):
        total += (first[i, j] - second[order[i], order[j]]) ** 2 / count**2
    return math.sqrt(total)


@pytest.mark.parametrize("seed", range(4))
def test_gromov_wasserstein_ends_at_a_permutation_no_worse_than_the_given_one(seed: int) -> None:
    """Of Euclidean distances the problem is concave, so that its local optima are permutations."""
    generator = np.random.default_rng(seed)
    pair = generator.normal(size=(5, 3)), generator.normal(size=(5, 4))
    first, second = map(distances, pair)
    costs = {order: gromov_cost(first, second, order) for order in itertools.permutations(range(5))}
    value = GromovWasserstein()(*pair)
    assert min(abs(value - cost) for cost in costs.values()) < 1e-9
    assert value <= costs[0, 1, 2, 3, 4] + 1e-12
    assert value >= min(costs.values()) - 1e-12


def test_gromov_wasserstein_finds_a_lost_correspondence(pair: Pair, rng: np.random.Generator) -> None:
    first = pair[0][:12] * np.geomspace(1, 0.1, 12)
    shuffled = 3 * first[rng.permutation(12)] @ np.linalg.qr(rng.normal(size=(12, 12)))[0]
    assert GromovWasserstein()(first, shuffled) == pytest.approx(0, abs=1e-6)


def test_gromov_wasserstein_draws_the_same_rows_for_all(pair: Pair, rng: np.random.Generator) -> None:
    from resi.randomness import generator

    first, second = pair
    rows = generator(5, "gromov_wasserstein", 40).choice(40, 10, replace=False)
    expected = GromovWasserstein()(first[np.sort(rows)], second[np.sort(rows)])
    assert GromovWasserstein(rows=10, seed=5)(first, second) == pytest.approx(expected, rel=1e-9)
    rotated = first @ np.linalg.qr(rng.normal(size=(12, 12)))[0]
    assert GromovWasserstein(rows=10, seed=5)(first, rotated) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("parameters", [{"rows": 1}, {"iterations": 0}])
def test_parameters_that_make_no_sense_are_errors(parameters: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"gromov_wasserstein: .*{next(iter(parameters))}"):
        GromovWasserstein(**parameters)


@pytest.mark.parametrize("measure", [*gromov.MEASURES, SemiMatchingCorrelation, SoftMatchingCorrelation])
def test_constant_representations_have_no_value(measure: type[resi.Measure], pair: Pair) -> None:
    with pytest.raises(DegenerateInputError):
        measure()(pair[0], np.ones((40, 4)))

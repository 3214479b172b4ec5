"""The maximum match against all pairs of subsets."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from resi_more_measures.subspaces import MaximumMatch

import resi
from resi.errors import DegenerateInputError


def far(neuron: np.ndarray, others: np.ndarray) -> float:
    """Return the distance of a neuron to the span of others, as a share of its length."""
    residual = neuron - others @ np.linalg.lstsq(others, neuron, rcond=None)[0]
    return float(np.linalg.norm(residual) / np.linalg.norm(neuron))


def largest_match(first: np.ndarray, second: np.ndarray, epsilon: float) -> float:
    """Return the share of neurons in the union of all matching pairs of subsets."""
    matched: set[tuple[int, int]] = set()
    widths = first.shape[1], second.shape[1]
    subsets = [[s for k in range(1, w + 1) for s in itertools.combinations(range(w), k)] for w in widths]
    for one, other in itertools.product(*subsets):
        a, b = first[:, one], second[:, other]
        if all(far(x, b) <= epsilon for x in a.T) and all(far(x, a) <= epsilon for x in b.T):
            matched |= {(0, i) for i in one} | {(1, i) for i in other}
    return len(matched) / sum(widths)


@pytest.mark.parametrize("epsilon", [0.1, 0.25, 0.5, 0.8])
@pytest.mark.parametrize("seed", range(3))
def test_is_the_union_of_all_matches(epsilon: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(10, 4))
    mix = np.array([[1.0, 1, 0, 0], [1, -1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]])
    second = first @ mix + np.array([0.1, 0.2, 0.3, 1.0]) * rng.normal(size=(10, 4))
    assert MaximumMatch(epsilon)(first, second) == pytest.approx(largest_match(first, second, epsilon))


def test_values_lie_between_none_and_all(rng: np.random.Generator) -> None:
    first = rng.normal(size=(50, 4))
    assert MaximumMatch()(first, rng.normal(size=(50, 3))) == 0
    half = np.hstack([first[:, :2] @ rng.normal(size=(2, 2)), rng.normal(size=(50, 2))])
    assert MaximumMatch()(first, half) == 0.5
    assert MaximumMatch(0.0)(first, first @ rng.normal(size=(4, 4))) == 1


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_rounding_spans_nothing(dtype: type[np.floating], rng: np.random.Generator) -> None:
    """Two copies of a neuron that differ by rounding do not span what one does not."""
    first = rng.normal(size=(50, 1))
    copies = np.hstack([first, 3 * first]).astype(dtype)
    other = np.hstack([first, rng.normal(size=(50, 1))]).astype(dtype)
    assert MaximumMatch()(copies, other) == 0.75


def test_with_more_neurons_than_samples_everything_matches(rng: np.random.Generator) -> None:
    representations = {"first": rng.normal(size=(8, 9)), "second": rng.normal(size=(8, 12))}
    table = resi.pairwise(representations, measures=[MaximumMatch()])
    assert table["value"].to_list() == [1.0]
    assert "unrelated data score about 1" in table["note"][0]


def test_inputs_without_a_value(rng: np.random.Generator) -> None:
    with pytest.raises(DegenerateInputError, match="all entries are zero"):
        MaximumMatch()(np.zeros((10, 2)), rng.normal(size=(10, 2)))
    with pytest.raises(ValueError, match=r"maximum_match: epsilon 1\.0"):
        MaximumMatch(1.0)

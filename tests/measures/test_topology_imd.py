"""IMD against eigenvalues, and its estimate against its bound."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from resi.errors import DegenerateInputError, ShapeError
from resi.measures.features import Features
from resi.measures.homology.spectrum import chebyshev_moments, heat_trace, neighbour_graph, times
from resi.measures.homology.topology import IMD

from .oracles import nearest


def rng(key: int) -> np.random.Generator:
    return np.random.default_rng([11, key])


def features(points: np.ndarray) -> Features:
    return Features(torch.as_tensor(points))


def plain_graph(points: np.ndarray, k: int) -> np.ndarray:
    squared = ((points[:, None] - points[None]) ** 2).sum(-1)
    adjacency = np.zeros_like(squared)
    for row, found in enumerate(nearest(squared, k)):
        for column, (share, _) in found.items():
            for place in ((row, column), (column, row)):
                adjacency[place] = max(adjacency[place], share)
    degree = adjacency.sum(1)
    return adjacency / np.sqrt(np.outer(degree, degree))


def heat_kernels(graph: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(graph)
    return np.einsum("ij,tj,kj->tik", vectors, np.exp(-times()[:, None] * (1 - values)), vectors)


@pytest.mark.parametrize("points", [
    rng(0).normal(size=(150, 6)),
    np.maximum(rng(1).normal(size=(150, 3)), 0),  # duplicate rows at the origin
    rng(2).integers(0, 3, (150, 3)) * 1.0,  # ties
    rng(3).normal(size=(120, 2)) + 50 * rng(4).integers(0, 3, (120, 1)),  # components
    rng(5).normal(size=(6, 2)),  # complete graph
], ids=["plain", "duplicates", "ties", "components", "complete"])  # fmt: skip
def test_heat_trace_is_that_of_the_eigenvalues(points):
    x = features(points)
    graph = plain_graph(points, 5)
    np.testing.assert_allclose(neighbour_graph(x, 5).toarray(), graph, rtol=1e-13)
    expected = np.exp(-times()[:, None] * (1 - np.linalg.eigvalsh(graph))).mean(1)
    np.testing.assert_allclose(heat_trace(x, 5, 1000, 1, 0), expected, rtol=0, atol=2e-15)


def test_bits_do_not_depend_on_the_number_of_columns_left_over():
    # 64 columns a block: 130 leaves two of them for the last.
    points = rng(0).normal(size=(130, 6))
    expected = np.exp(-times()[:, None] * (1 - np.linalg.eigvalsh(plain_graph(points, 5)))).mean(1)
    np.testing.assert_allclose(heat_trace(features(points), 5, 1000, 1, 0), expected, rtol=0, atol=2e-15)


def test_estimate_keeps_its_bound():
    # Root mean square error over independent seeds, against the standard deviation that the docstring states.
    x, y = features(rng(0).normal(size=(120, 6))), features(rng(1).normal(size=(120, 6)))
    kernels = [heat_kernels(neighbour_graph(side, 5).toarray()) for side in (x, y)]
    exact = [np.trace(kernel, axis1=1, axis2=2) / 120 for kernel in kernels]
    probes, seeds = 32, range(200)
    found = np.array([[heat_trace(side, 5, 1, probes, seed) for seed in seeds] for side in (x, y)])
    norms = np.linalg.norm(kernels, axis=(2, 3))
    alone = np.sqrt(((found[0] - exact[0]) ** 2).mean(0))
    assert (alone <= 1.15 * np.sqrt(2 / probes) * norms[0] / 120).all()
    assert alone.max() > 0
    difference = np.sqrt(((found[0] - found[1] - exact[0] + exact[1]) ** 2).mean(0))
    bound = np.sqrt(2 / probes) * np.linalg.norm(kernels[0] - kernels[1], axis=(1, 2)) / 120
    assert (difference <= 1.15 * bound).all()
    assert abs(found[0].mean(0) - exact[0]).max() < 4 * (np.sqrt(2 / probes) * norms[0] / 120).max() / np.sqrt(200)


def test_estimated_score_is_close_and_zero_for_equal_graphs():
    R, S = rng(0).normal(size=(300, 6)), rng(1).exponential(size=(300, 2))
    exact, estimate = IMD(), IMD(exact_rows=100, probes=4096)
    assert estimate(R, S) == pytest.approx(exact(R, S), abs=20)
    assert estimate(R, S) != exact(R, S)
    assert estimate(R, S) == estimate(S, R)
    assert estimate(R, R) == 0
    assert IMD(exact_rows=100, probes=4096, seed=1)(R, S) != estimate(R, S)


def test_traces_of_a_pair_of_nodes():
    # One edge: eigenvalues 1 and -1 of the normalised adjacency, so T_j has trace 2 for even j and 0 for odd j.
    moments = chebyshev_moments(neighbour_graph(features(np.array([[0.0], [1.0]])), 1), None)
    np.testing.assert_array_equal(moments, np.arange(len(moments)) % 2 == 0)


def test_order_of_samples_and_a_similarity_of_space_do_not_matter():
    R, S = rng(0).normal(size=(100, 6)), rng(1).exponential(size=(100, 6))
    value = IMD()(R, S)
    shuffled = rng(2).permutation(100)
    turn = np.linalg.qr(rng(3).normal(size=(6, 6)))[0]
    # The rows of R and S need not even be shuffled alike.
    assert IMD()(R[shuffled], S) == pytest.approx(value, rel=1e-9)
    assert IMD()(3 * R @ turn + 7, S) == pytest.approx(value, rel=1e-9)
    assert IMD()(R, S) == value == IMD()(S, R)
    assert IMD()(R, R) == 0


def test_where_there_is_no_value():
    R = rng(0).normal(size=(30, 4))
    with pytest.raises(DegenerateInputError, match="constant"):
        IMD()(R, np.ones((30, 4)))
    with pytest.raises(ShapeError, match="imd: 5 neighbours need at least 6 rows"):
        IMD()(R[:5], R[:5])
    assert IMD(neighbours=3)(R[:5], R[:5]) == 0

"""Exact moments over all orders of the samples are those of all orders, one after another."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from resi.measures import MEASURES
from resi.measures.features import Features
from resi.measures.shared.permutation_moments import LEAST_SAMPLES, Sums, Traces, of_centred, of_hollow
from resi.registry import make_measure

KNOWN = ("cka", "distance_correlation", "gulp", "linear_regression", "rsa")
ALL_ORDERS = [list(order) for order in itertools.permutations(range(6))]


def symmetric(seed):
    matrix = np.random.default_rng(seed).normal(size=(6, 6)) ** 3
    return matrix + matrix.T


def of_all_orders(a, b):
    values = [(a * b[np.ix_(order, order)]).sum() for order in ALL_ORDERS]
    return np.mean(values), np.var(values)


def test_of_matrices_with_row_sums_of_zero():
    centring = np.eye(6) - 1 / 6
    a, b = (centring @ symmetric(seed) @ centring for seed in (0, 1))
    traces = [Traces(m.trace(), (m**2).sum(), (np.diag(m) ** 2).sum()) for m in (a, b)]
    assert of_centred(*traces, 6)[:2] == pytest.approx(of_all_orders(a, b))


def test_of_matrices_with_a_zero_diagonal():
    a, b = (symmetric(seed) * (1 - np.eye(6)) for seed in (0, 1))
    sums = [Sums(m.sum(), (m**2).sum(), (m.sum(0) ** 2).sum()) for m in (a, b)]
    assert of_hollow(*sums, 6)[:2] == pytest.approx(of_all_orders(a, b))


@pytest.mark.parametrize("name", KNOWN)
def test_of_the_values_of_measures(name):
    measure = make_measure(name, {})
    draws = np.random.default_rng(0)
    R, S = torch.from_numpy(draws.normal(size=(5, 3)) ** 3), torch.from_numpy(draws.normal(size=(5, 2)))
    a, b = measure.prepare(Features(R)), measure.prepare(Features(S))
    values = np.array([measure.evaluate(R, S[list(order)]) for order in itertools.permutations(range(5))])
    found = measure.chance_moments(a, b)
    values = values**2 if found.of_square else values
    assert found.of_square == (name == "distance_correlation")
    assert found[:2] == pytest.approx((values.mean(), values.var()))


def test_they_are_known_of_no_other_measure_and_of_few_samples_of_none():
    draws = np.random.default_rng(0)
    few = [torch.from_numpy(draws.normal(size=(LEAST_SAMPLES - 1, 2))) for _ in range(2)]
    many = [torch.from_numpy(draws.normal(size=(12, 2))) for _ in range(2)]
    for measure in (made() for made in MEASURES if made.name in KNOWN):
        assert measure.chance_moments(*(measure.prepare(Features(x)) for x in few)) is None
        assert measure.chance_moments(*(measure.prepare(Features(x)) for x in many)) is not None
    others = [made for made in MEASURES if made.name not in KNOWN]
    assert all(made().chance_moments(None, None) is None for made in others)

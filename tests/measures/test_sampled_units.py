"""Linear CKA of all samples and units: the sums over different samples and units, and no bias of few of both."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import resi
from resi.errors import DegenerateInputError
from resi.measures.sampled_units import UnbiasedCKA

FOURS = np.array(list(itertools.permutations(range(6), 4))).T


def covariance_square(x, y):
    """Return the mean over four different samples of what has the squared covariance of x and y as its expectation."""
    i, j, k, m = FOURS
    return np.mean((x[i] - x[j]) * (y[i] - y[j]) * (x[k] - x[m]) * (y[k] - y[m]) / 4)


@pytest.mark.parametrize("widths", [(3, 2), (8, 7)], ids=["tall", "wide"])
def test_it_is_the_mean_over_different_samples_and_different_units(widths):
    draws = np.random.default_rng(1)
    common = draws.normal(size=(6, 1))
    R, S = (common + 0.5 * draws.normal(size=(6, width)) + 3 for width in widths)

    def alignment(X):
        return np.mean([covariance_square(X[:, i], X[:, j]) for i, j in itertools.permutations(range(X.shape[1]), 2)])

    cross = np.mean([covariance_square(x, y) for x in R.T for y in S.T])
    expected = cross / math.sqrt(alignment(R) * alignment(S))
    assert resi.compare(R, S, UnbiasedCKA) == pytest.approx(expected, rel=1e-9)
    assert resi.compare(5 * R[::-1, ::-1] - 1, S[::-1], UnbiasedCKA) == pytest.approx(expected, rel=1e-9)


def test_of_few_samples_and_units_it_is_on_average_that_of_all():
    draws = np.random.default_rng(0)
    latent = draws.normal(size=(4000, 6)) * np.arange(1, 7) ** -0.5
    seen = latent * [1, 1, 0.6, 0.3, 0, 0] + 0.5 * draws.normal(size=latent.shape)
    R, S = np.tanh(latent @ draws.normal(size=(6, 500))), np.tanh(seen @ draws.normal(size=(6, 400)))
    truth = resi.compare(R, S, "cka")
    values, naive = [], []
    for _ in range(200):
        rows, left, right = (draws.choice(n, k, replace=False) for n, k in ((4000, 120), (500, 40), (400, 30)))
        few = R[np.ix_(rows, left)], S[np.ix_(rows, right)]
        values.append(resi.compare(*few, UnbiasedCKA))
        naive.append(resi.compare(*few, "cka"))
    error = np.std(values) / math.sqrt(len(values))
    assert error < 0.006
    assert abs(np.mean(values) - truth) < 2.5 * error
    assert abs(np.mean(naive) - truth) > 8 * error


def test_what_has_nothing_in_common_has_no_value():
    noise = np.random.default_rng(4).normal(size=(30, 6))
    noise = np.linalg.qr(noise - noise.mean(0)).Q  # no unit is correlated with another
    with pytest.raises(DegenerateInputError, match="features agree no more than by chance"):
        resi.compare(noise, noise, UnbiasedCKA)
    with pytest.raises(DegenerateInputError, match="4 samples and 2 features are needed"):
        resi.compare(noise[:, :1], noise, UnbiasedCKA)

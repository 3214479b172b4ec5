"""Many products at once, and products of single precision, are what one exact product at a time is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import resi
from resi.measures.shared import gram

from .samples import MEASURES

SINGLE = ["cka", "procrustes", "normalized_procrustes", "angular_shape", "permutation_procrustes"]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
@pytest.mark.parametrize("n_samples", [5, 256, 700])
def test_products_of_gram_matrices(dtype: torch.dtype, tolerance: float, n_samples: int) -> None:
    generator = torch.Generator().manual_seed(0)
    factors = [torch.randn(n_samples, 3 + i, generator=generator, dtype=torch.float64) for i in range(18)]
    found = gram.gram_products([factor.to(dtype) for factor in factors])
    whole = [factor @ factor.T for factor in factors]
    for low in range(18):
        for high in range(low, 18):
            expected = float((whole[low] * whole[high]).sum())
            assert float(found[high, low]) == pytest.approx(expected, rel=tolerance)


def spectra(rng: np.random.Generator) -> dict[str, Any]:
    """Return pairs of representations of different kinds, 500 x 60."""
    shared, first, second = rng.normal(size=(3, 500, 60))
    steep = np.logspace(0, -4, 60)
    rotated = first @ np.linalg.qr(rng.normal(size=(60, 60)))[0]
    return {
        "related": (shared + first, shared + second),
        "unrelated": (first, second),
        "steep": ((shared + first) * steep, (shared + second) * steep),
        "outlier feature": (first + 100 * np.eye(60)[0] * shared[:, :1], second + 100 * np.eye(60)[1] * shared[:, :1]),
        "deficient": (first[:, :5] @ rng.normal(size=(5, 60)), second[:, :30] @ rng.normal(size=(30, 60))),
        "nearly the same": (first, rotated + 1e-3 * second),
        "the same": (first, first.copy()),
        "far from zero": (first + 30, shared + first - 30),
        "narrower": (first, first[:, :20] + second[:, :20]),
        "dead neurons": (np.maximum(first - 2, 0), np.maximum(second - 2, 0)),
    }


@pytest.mark.parametrize("kind", list(spectra(np.random.default_rng(0))))
@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("scale", [1.0, 1e25, 1e-25])
def test_single_precision_has_six_digits(name: str, kind: str, scale: float) -> None:
    """Compared with double precision on the same numbers."""
    pair = [(scale * X).astype(np.float32) for X in spectra(np.random.default_rng(1))[kind]]
    measure = MEASURES[name]()
    exact = measure(*(X.astype(np.float64) for X in pair))
    given = {"a": pair[0], "b": pair[1]}
    tolerance = {"rel": 1e-6, "abs": 0 if kind != "the same" else 1e-6 * scale}
    assert measure(*pair) == pytest.approx(exact, **tolerance)
    assert resi.pairwise(given, [name])["value"][0] == pytest.approx(exact, **tolerance)

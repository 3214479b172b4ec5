"""Representations that the tests share: small, of other widths, related and unrelated."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def pair() -> tuple[np.ndarray, np.ndarray]:
    """Two related representations of 40 samples, with 12 and 7 features, neither centred."""
    generator = np.random.default_rng(1)
    first = generator.normal(size=(40, 12)) + 0.5
    second = first @ generator.normal(size=(12, 7)) + 2 * generator.normal(size=(40, 7)) - 1
    return first, second


@pytest.fixture(scope="session")
def wide_pair() -> tuple[np.ndarray, np.ndarray]:
    """Two related representations with fewer samples than features: 15 samples, 30 and 20 features."""
    generator = np.random.default_rng(2)
    first = generator.normal(size=(15, 30))
    second = first @ generator.normal(size=(30, 20)) + 5 * generator.normal(size=(15, 20))
    return first, second


@pytest.fixture(params=["tall", "wide"])
def sides(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    """Either of the two pairs."""
    return request.getfixturevalue("pair" if request.param == "tall" else "wide_pair")

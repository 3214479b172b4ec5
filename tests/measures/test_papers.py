"""Variants that follow the paper a measure cites, where the published benchmark does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from resi.cli.describe import describe

from .oracles import second_order_cosine
from .samples import CHANGES, MEASURES, orthogonal

NAMES = ("second_order_cosine", "rsm_norm_difference", "uniformity_difference")


def sides(n: int = 60) -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    return rng.normal(size=(n, 6)) + 0.3, np.maximum(rng.normal(size=(n, 4)), 0) + 0.05


def paper(name: str, R: Any, S: Any) -> float:
    return MEASURES[name](variant="paper")(R, S)  # type: ignore[call-arg]


def uniformity(X: Any) -> float:
    """Return it as the paper prints it, in torch."""
    x = torch.nn.functional.normalize(torch.tensor(X), dim=1)
    return float(torch.pdist(x, p=2).pow(2).mul(-2).exp().mean().log())


def test_second_order_cosine_of_similarities() -> None:
    R, S = sides()
    assert paper("second_order_cosine", R, S) == pytest.approx(second_order_cosine(R, S, paper=True), rel=1e-10)
    R[:, 0] = np.round(R[:, 0])
    tied = np.round(R[:, :2])
    tied[~tied.any(1)] = 1
    assert paper("second_order_cosine", tied, S) == pytest.approx(second_order_cosine(tied, S, paper=True), rel=1e-10)


@pytest.mark.parametrize("scale", [1.0, 1e120, 1e-120])
def test_frobenius_norm_of_inner_products(scale: float) -> None:
    R, S = sides()
    expected = np.linalg.norm(R @ R.T - S @ S.T)
    assert paper("rsm_norm_difference", R * scale, S * scale) == pytest.approx(expected * scale**2, rel=1e-12)
    assert paper("rsm_norm_difference", R, S @ np.eye(4)[:, [2, 0, 3, 1]]) == pytest.approx(expected, rel=1e-12)


def test_uniformity_on_the_sphere() -> None:
    R, S = sides()
    assert paper("uniformity_difference", R, S) == pytest.approx(abs(uniformity(R) - uniformity(S)), rel=1e-10)
    # Rows as they are carry nothing when they are some units apart.
    assert MEASURES["uniformity_difference"]()(R * 20, R * 30) < 1e-9
    value = paper("uniformity_difference", R, S)
    assert paper("uniformity_difference", R * 20, S * 20) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_paper_variants_have_the_self_value_and_are_invariant_to_rotation(name: str) -> None:
    R, S = sides()
    value = paper(name, R, S)
    assert value == pytest.approx(paper(name, S, R), rel=1e-12)
    assert value != pytest.approx(MEASURES[name]()(R, S), rel=1e-2)
    assert paper(name, orthogonal(R, np.random.default_rng(0)), S) == pytest.approx(value, rel=1e-9)
    assert paper(name, R, R) == pytest.approx(MEASURES[name].self_value, abs=1e-9)
    shifted = CHANGES["translation"](R, np.random.default_rng(0))
    assert paper(name, shifted, S) != pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_describing_a_measure_says_that_it_is_not_the_papers(name: str) -> None:
    text = " ".join(describe(name)[1].split())
    assert "cited paper" in text
    assert "published benchmark" in text
    assert "variant=paper" in text
